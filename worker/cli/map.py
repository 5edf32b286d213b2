"""`progress-worker map`: show, load and ignore the names of learners, courses, topics and lessons."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from worker.cli.group import Group
from worker.cli.id_type import ID
from worker.cli.map_ignore import ignore
from worker.cli.map_load import load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from worker.identity.map_enrollments import NamedEnrollment
    from worker.identity.map_names import StoredName


@click.group("map", cls=Group)
def command() -> None:
    """Show, load or ignore the names that events use instead of numbers."""


@command.command("show")
@click.option("--kind", type=click.Choice(["user", "course", "topic", "lesson"]), help="Only names of this kind.")
@click.option("--source", "--connection", metavar="NAME", help="Only names of this connection.")
@click.option("--grep", "containing", metavar="TEXT", help="Only names with this text in them.")
@click.option("--id", "number", type=ID, help="Only names with this number.")
@click.option("--learner", metavar="NAME", help="Show this learner's enrollments instead: a name, or a mail address.")
@click.option("--course", metavar="NAME", help="With --learner, only the enrollment in this course.")
@click.option("--enrollment", type=ID, help="Show whose enrollment this is instead.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Maximum number of rows to show."
)
@click.option("--after", metavar="WORD", help="Only names after those of the page that printed this.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show_names(
    kind: str | None,
    source: str | None,
    containing: str | None,
    number: int | None,
    learner: str | None,
    course: str | None,
    enrollment: int | None,
    limit: int,
    after: str | None,
    as_json: bool,
) -> None:
    """List names with their numbers.

    Those of a kind, of a connection, with a text in them, with a number, or all. --learner and --enrollment answer
    which enrollment somebody has in a course, and whose an enrollment is.
    """
    of_names = [kind, containing, number, after]
    if learner is not None or enrollment is not None:
        if (learner is None) == (enrollment is None) or any(each is not None for each in of_names):
            raise click.UsageError("--learner takes --source and --course, --enrollment neither, and both no filter.")
        _show_enrollments(source, learner, course, enrollment, limit, as_json=as_json)
        return
    if course is not None:
        raise click.UsageError("--course needs --learner; for the course itself, use --kind course --grep.")
    _show_names(kind, source, containing, number, after, limit, as_json=as_json)


command.add_command(load)
command.add_command(ignore)


def _show_names(
    kind: str | None,
    source: str | None,
    containing: str | None,
    number: int | None,
    after: str | None,
    limit: int,
    *,
    as_json: bool,
) -> None:
    from worker.cli.output import show, show_json
    from worker.cli.servers import open_database, server_settings
    from worker.database.engine import extend_timeout
    from worker.identity.map_names import KINDS, list_names, to_after

    settings, begin = server_settings("DATABASE_URL"), to_after(after)
    with open_database(settings) as engine, engine.connect() as connection:
        extend_timeout(connection, settings.statistics_timeout_seconds)
        kinds = [kind] if kind else KINDS
        found = list_names(
            connection, kinds, source=source, containing=containing, number=number, after=begin, limit=limit
        )
    if as_json:
        show_json({"names": [asdict(each) for each in found.names], "next_after": _word(found.next_after)})
        return
    show(_names_table(found.names) if found.names else "No such names." if after is None else "No more names.")
    if not found.names and number is not None:
        show(f"If {number} is an enrollment: `progress-worker map show --enrollment {number}`.")
    if found.next_after is not None:
        show(f"There are more: --after {found.next_after}")


def _word(after: object) -> str | None:
    return None if after is None else str(after)


def _names_table(names: "Sequence[StoredName]") -> "Table":
    from worker.cli.output import new_table
    from worker.printable import printable

    figures = ("number", "course", "topic")
    columns = ("kind", "source", "name", *figures, "ignored")
    table = new_table(None, *columns, numbers=figures, prose=("source", "name"), spare=("ignored", "topic"))
    for each in names:
        table.add_row(
            each.kind,
            printable(each.source),
            printable(each.key) or "(none)",
            str(each.id),
            "-" if each.course_id is None else str(each.course_id),
            "-" if each.topic_id is None else str(each.topic_id),
            "ignored" if each.ignored else "-",
        )
    return table


def _show_enrollments(
    source: str | None, learner: str | None, course: str | None, number: int | None, limit: int, *, as_json: bool
) -> None:
    from worker.cli.map_ignore import mail_name_of
    from worker.cli.output import show, show_json
    from worker.cli.servers import open_database, server_settings
    from worker.identity.map_enrollments import enrollment_names, enrollments_of_learner

    elsewhere: list[NamedEnrollment] = []
    with open_database(server_settings("DATABASE_URL")) as engine, engine.connect() as connection:
        if number is not None:
            found = enrollment_names(connection, number, limit + 1)
        else:
            names = [name for name in (learner, mail_name_of(learner or "")) if name]
            found = enrollments_of_learner(connection, names, source=source, course=course, limit=limit + 1)
            if course is not None and not found:
                elsewhere = enrollments_of_learner(connection, names, source=source, course=None, limit=1)
    if as_json:
        show_json({"enrollments": [asdict(each) for each in found[:limit]]})
        return
    show(_enrollments_table(found[:limit]) if found else _none_found(learner, number, course if elsewhere else None))
    if len(found) > limit:
        show("There are more: give --course, or a larger --limit.")


def _none_found(learner: str | None, number: int | None, course: str | None) -> str:
    """Return what is not there. `course` is given if the learner has enrollments, but none in it."""
    if number is not None:
        return f"There is no enrollment {number}."
    if course is not None:
        return (
            f"The learner has enrollments, but none in a course of this name. See how events name the course: "
            f"`progress-worker map show --kind course --grep {course!a:.100}`."
        )
    return (
        "The learner has no enrollments under this name. See how events name the learner, and whether any has: "
        f"`progress-worker map show --kind user --grep {learner!a:.100}`."
    )


def _enrollments_table(enrollments: "Sequence[NamedEnrollment]") -> "Table":
    from worker.cli.output import new_table
    from worker.printable import printable

    figures, names = ("enrollment", "user", "course number"), ("source", "learner", "course")
    table = new_table(
        None, *figures[:1], *names, *figures[1:], "row", numbers=figures, prose=names, spare=("row", "course number")
    )
    for each in enrollments:
        cells = [printable(name) if name else "-" for name in (each.source, each.learner, each.course)]
        state = "stored" if each.enrolled else "not yet"
        table.add_row(str(each.user_course_id), *cells, str(each.user_id), str(each.course_id), state)
    return table
