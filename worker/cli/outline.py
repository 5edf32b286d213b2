"""`progress-worker outline`: show a course's live outline or publish another one."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from worker.cli.group import Group
from worker.cli.id_type import ID
from worker.errors import InputError, ServerUnavailableError

if TYPE_CHECKING:
    from worker.contract.event import Outline
    from worker.progress.stored_outline import StoredOutline

SOURCE = "progress-worker"
"""The source of events that `load` publishes."""


@click.group("outline", cls=Group)
def command() -> None:
    """Show a course's live outline or publish another one."""


@command.command("show")
@click.argument("course_id", metavar="COURSE", type=ID)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as `load` reads it.")
def show_outline(course_id: int, as_json: bool) -> None:
    """Show the live outline of COURSE with its version and start time."""
    from worker.cli.output import show_json
    from worker.cli.servers import open_database, server_settings
    from worker.progress.stored_outline import read_outlines

    with open_database(server_settings("DATABASE_URL")) as engine, engine.connect() as connection:
        found = read_outlines(connection, [course_id]).get(course_id)
    if found is None:
        raise InputError(
            f"Course {course_id} has no outline, so an enrollment's lessons are those with rows. "
            f"Publish course.outlined or run `progress-worker outline load {course_id} FILE`."
        )
    if as_json:
        show_json(_mapping(found))
    else:
        _show(found)


@command.command("load")
@click.argument("course_id", metavar="COURSE", type=ID)
@click.argument("file")
@click.option("--time", metavar="RFC3339", help="Time from which the outline applies; default: now.")
@click.option("--empty", is_flag=True, help="Allow a FILE without lessons, which removes all lessons from the course.")
def load_outline(course_id: int, file: str, time: str | None, empty: bool) -> None:
    """Publish FILE as the complete outline of COURSE.

    FILE, or - for standard input, is JSON as printed by `show --json`, or just its list of lessons; or UTF-8 CSV with
    the header topic_id,lesson_id,title, separated by commas, semicolons or tabs. Titles are optional. Nothing is
    published unless all of it is valid.

    Only JSON can state earlier places of a lesson: "moved_from": [{"topic_id": 1, "lesson_id": 12}]. After loading CSV,
    progress at such places no longer counts for the lesson.
    """
    from worker.cli.servers import explained, server_settings
    from worker.client import EventPublisher

    settings = server_settings("REDIS_URL")
    try:
        outline = _outline(file, course_id, empty)
        with explained(settings):
            time_utc = EventPublisher(settings=settings, source=SOURCE).publish_outline(outline, time)
    except InputError as error:
        raise InputError(f"{error} Nothing was published.") from None
    except ServerUnavailableError as error:
        raise ServerUnavailableError(f"{error} Load the outline again once that is fixed.") from None
    click.echo(
        f"Published the outline of course {course_id} from {time_utc:%Y-%m-%d %H:%M:%S} UTC: "
        f"{len(outline.lessons):,} lessons.\n"
        "It takes effect when a worker reads it, unless the live outline is newer."
    )


def _outline(file: str, course_id: int, may_be_empty: bool) -> "Outline":
    """Read the outline. Raises InputError, also for an unexpectedly empty one, such as a file cut after its header."""
    from worker.progress.outline_file import read_outline

    name = "standard input" if file == "-" else file
    outline = read_outline(_content(file), name, course_id)
    if not outline.lessons and not may_be_empty:
        raise InputError(
            f"{name} has no lessons, which would remove all from the course. If that is intended, add --empty."
        )
    return outline


def _content(path: str) -> bytes:
    """Read the file, or as much of it as shows that it is too large. Raises InputError."""
    from worker.progress.outline_file import MAX_FILE_BYTES

    if path == "-" and sys.stdin is None:
        raise InputError("Standard input is closed: name a file or pipe the outline in.")
    try:
        with nullcontext(sys.stdin.buffer) if path == "-" else Path(path).open("rb") as source:
            return source.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error


def _mapping(outline: "StoredOutline") -> dict[str, Any]:
    return {
        "course_id": outline.course_id,
        "version": outline.version,
        "outlined_at": outline.outlined_at,
        "lessons": [
            {"topic_id": lesson[0], "lesson_id": lesson[1], "title": title} | _moved_from(outline, lesson)
            for lesson, title in outline.titles.items()
        ],
    }


def _moved_from(outline: "StoredOutline", lesson: tuple[int, int]) -> dict[str, Any]:
    places = [{"topic_id": topic_id, "lesson_id": lesson_id} for topic_id, lesson_id in outline.moved_from(lesson)]
    return {"moved_from": places} if places else {}


def _show(outline: "StoredOutline") -> None:
    from datetime import UTC

    from worker.cli.output import new_table, show
    from worker.cli.output import title as clipped

    figures = ("number", "topic", "lesson")
    columns, spare = (*figures, "title"), ["number"]
    table = new_table(f"Course {outline.course_id}", *columns, numbers=figures, prose=["title"], spare=spare)
    for number, ((topic_id, lesson_id), title) in enumerate(outline.titles.items(), 1):
        table.add_row(str(number), str(topic_id), str(lesson_id), clipped(title))
    show(table if outline.titles else f"The outline of course {outline.course_id} has no lessons.")
    since = f"{outline.outlined_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    show(f"total {len(outline.titles):,}, version {outline.version}, since {since}")
