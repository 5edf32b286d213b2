"""`progress-worker outline load`: publish a file as the outline of a course, or as those of the courses it has."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from worker.cli.id_type import ID
from worker.errors import InputError, ServerUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from worker.contract.connection import Connection
    from worker.contract.event import Outline
    from worker.contract.named_event import NamedOutline

SOURCE = "progress-worker"
"""The source of outlines in numbers."""
FORMATS = ("csv", "cmi5", "moodle", "edx", "frappe", "canvas")
OF_ONE_COURSE = ("moodle", "frappe", "canvas")
"""Formats whose documents may not name their course."""


@click.command("load")
@click.argument("arguments", metavar="[COURSE] FILE", nargs=-1)
@click.option("--format", "format_name", type=click.Choice(FORMATS), help="What FILE is, if it has names; see above.")
@click.option("--connection", metavar="NAME", help="With --format: the LMS that the names belong to.")
@click.option("--course", "course", metavar="ID", help="With --format moodle, frappe or canvas: the course.")
@click.option("--time", metavar="RFC3339", help="Time from which the outline applies; default: now.")
@click.option("--empty", is_flag=True, help="Allow a FILE without lessons, which removes all lessons from the course.")
@click.option("--dry-run", is_flag=True, help="With --format: print the outlines as JSON and publish nothing.")
@click.pass_context
def load_outline(
    context: click.Context,
    arguments: tuple[str, ...],
    format_name: str | None,
    connection: str | None,
    course: str | None,
    time: str | None,
    empty: bool,
    dry_run: bool,
) -> None:
    """Publish FILE as the complete outline of COURSE or, with --format, of each course that FILE is about.

    FILE, or - for standard input, is JSON as printed by `show --json`, or just its list of lessons; or UTF-8 CSV with
    the header topic_id,lesson_id,title, separated by commas, semicolons or tabs. Titles are optional. Nothing is
    published unless all of it is valid.

    Only JSON can state earlier places of a lesson: "moved_from": [{"topic_id": 1, "lesson_id": 12}]. After loading CSV,
    progress at such places no longer counts for the lesson.

    With --format there is no COURSE, and courses, topics and lessons have names instead of numbers:

    csv: the header course,topic,lesson,title, separated as above; topic and title may be left out, and a column
    aliases, names separated by |, may be added.

    cmi5: a cmi5.xml, or the zipped course package with it.

    moodle: the answer of core_course_get_contents in JSON.

    edx: the answer of /api/courses/v2/blocks/ to depth=all, all_blocks=true and
    requested_fields=children,visible_to_staff_only.

    canvas: the answer of /api/v1/courses/:id/modules to include[]=items in JSON.

    frappe: the answer of lms.lms.utils.get_course_outline, or a list of the documents of courses, chapters and lessons.
    """
    if format_name is None:
        _refuse(context, {"--connection": connection, "--course": course, "--dry-run": dry_run}, "--format")
        number, file = _arguments(context, arguments, "COURSE", "FILE")
        course_id: int = ID(number, None, context)
        _publish(lambda: [_numbered_outline(file, course_id, empty)], SOURCE, time)
        return
    if format_name not in OF_ONE_COURSE:
        _refuse(context, {"--course": course}, f"--format {' or '.join(OF_ONE_COURSE)}")
    (file,) = _arguments(context, arguments, "FILE")
    lms = _connection(context, connection)

    def read() -> "list[NamedOutline]":
        return _named_outlines(file, format_name, lms, course, empty)

    if dry_run:
        _show(read)
    else:
        _publish(read, lms.name, time)


def _arguments(context: click.Context, given: tuple[str, ...], *wanted: str) -> tuple[str, ...]:
    if len(given) < len(wanted):
        raise click.UsageError(f"Missing argument '{wanted[len(given)]}'.", context)
    if len(given) > len(wanted):
        hint = " With --format there is no COURSE." if wanted == ("FILE",) else ""
        raise click.UsageError(f"Got unexpected extra argument ({given[len(wanted)]}).{hint}", context)
    return given


def _refuse(context: click.Context, options: dict[str, object], needed: str) -> None:
    for option, value in options.items():
        if value:
            raise click.UsageError(f"{option} is for {needed} alone.", context)


def _connection(context: click.Context, name: str | None) -> "Connection":
    from pydantic import ValidationError

    from worker.connections import find_connection

    if name is None:
        raise click.UsageError("Missing option '--connection', the name of the LMS.", context)
    try:
        name.encode()
        return find_connection(name)
    except UnicodeEncodeError:
        raise click.UsageError("--connection: not UTF-8.", context) from None
    except ValidationError as error:
        raise click.UsageError(f"--connection: {error.errors()[0]['msg']}.", context) from None


def _numbered_outline(file: str, course_id: int, may_be_empty: bool) -> "Outline":
    """Read the outline. Raises InputError, also for an unexpectedly empty one, such as a file cut after its header."""
    from worker.cli.outline_content import read_content
    from worker.progress.outline_file import read_outline

    name, content = read_content(file)
    outline = read_outline(content, name, course_id)
    _refuse_empty(outline, name, may_be_empty)
    return outline


def _named_outlines(
    file: str, format_name: str, lms: "Connection", course: str | None, may_be_empty: bool
) -> "list[NamedOutline]":
    """Read the outlines, at least one. Raises InputError like `_numbered_outline`."""
    from worker.adapters.outlines.document import OutlineDocument
    from worker.adapters.outlines.formats import READERS
    from worker.cli.outline_content import read_content

    name, content = read_content(file, in_package="cmi5.xml" if format_name == "cmi5" else None)
    outlines = READERS[format_name](OutlineDocument(content, name, lms, course))
    if not outlines:
        raise InputError(f"{name} has no lessons, and so no course.")
    for outline in outlines:
        _refuse_empty(outline, name, may_be_empty)
    return outlines


def _refuse_empty(outline: "Outline | NamedOutline", name: str, may_be_empty: bool) -> None:
    if not outline.lessons and not may_be_empty:
        raise InputError(
            f"{name} has no lessons, which would remove all from the course. If that is intended, add --empty."
        )


def _show(read: "Callable[[], list[NamedOutline]]") -> None:
    from worker.cli.output import show_json

    with _nothing_published():
        outlines = read()
    show_json([each.model_dump(mode="json", exclude_none=True) for each in outlines])


def _publish(read: "Callable[[], Sequence[Outline | NamedOutline]]", source: str, time: str | None) -> None:
    """Read the outlines, publish all of them or, after an InputError, none, and say so."""
    from worker.cli.servers import explained, server_settings
    from worker.client import EventPublisher
    from worker.contract.named_event import NamedOutline
    from worker.formatting import counted

    settings = server_settings("REDIS_URL")
    with _nothing_published():
        outlines = read()
        with explained(settings):
            since = EventPublisher(settings=settings, source=source).publish_outlines(outlines, time)
    for each in outlines:
        course = f"{each.course!r}" if isinstance(each, NamedOutline) else each.course_id
        lessons = counted(len(each.lessons), "lesson")
        click.echo(f"Published the outline of course {course} from {since:%Y-%m-%d %H:%M:%S} UTC: {lessons}.")
    click.echo("It takes effect when a worker reads it, unless the live outline is newer.")


@contextmanager
def _nothing_published() -> Iterator[None]:
    """End the sentences of errors with what it means for the outline."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{error} Nothing was published.") from None
    except ServerUnavailableError as error:
        raise ServerUnavailableError(f"{error} Load the outline again once that is fixed.") from None
