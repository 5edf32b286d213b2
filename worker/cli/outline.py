"""`progress-worker outline`: show a course's live outline or publish another one."""

from typing import TYPE_CHECKING, Any

import click

from worker.cli.group import Group
from worker.cli.id_type import ID
from worker.cli.outline_load import load_outline
from worker.errors import InputError

if TYPE_CHECKING:
    from worker.progress.stored_outline import StoredOutline


@click.group("outline", cls=Group)
def command() -> None:
    """Show a course's live outline or publish another one."""


command.add_command(load_outline)


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
