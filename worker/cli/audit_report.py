"""The options of `audit` and `rebuild`, and how they print progress and findings."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from worker.cli.id_type import ID
from worker.errors import InputError
from worker.formatting import counted

if TYPE_CHECKING:
    from worker.audit.compare import Step
    from worker.audit.difference import Difference
    from worker.audit.findings import Findings
    from worker.audit.scope import Scope

Command = TypeVar("Command", bound=Callable[..., Any])


def scope_options(command: Command) -> Command:
    """Add the options that both commands share."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
        click.option("--user-course", type=ID, metavar="ID", help="Only this enrollment."),
        click.option("--course", type=ID, metavar="ID", help="Only this course."),
    ):
        command = option(command)
    return command


def chosen_scope(user_course: int | None, course: int | None, sample: int | None = None) -> "Scope":
    """Return the scope of the options. Raises InputError when they conflict."""
    from worker.audit.scope import Scope

    if sum(each is not None for each in (user_course, course, sample)) > 1:
        raise InputError("Use at most one of --user-course, --course and --sample; none of them means everything.")
    return Scope(user_course, sample, course)


def show_findings(found: "Findings", verb: str) -> None:
    """Print every difference, the totals and what could not be compared; `verb` is a past participle."""
    from worker.cli.output import show

    for each in found.differences:
        show(difference_line(each))
    rows = len({(each.table, each.key) for each in found.differences})
    differences = counted(len(found.differences), "difference") + (f" in {counted(rows, 'row')}" if rows else "")
    show(f"{counted(found.enrollments, 'enrollment')} {verb}: {differences}.")
    if found.unprovable:
        show(
            f"Retention left too few events to prove {counted(found.unprovable, 'row')}; "
            "they were compared with the remaining events."
        )
    if found.courses_behind:
        show(f"The statistics of {counted(found.courses_behind, 'course')} are being refreshed and were not compared.")
    if found.too_large:
        ids = ", ".join(map(str, found.too_large))
        show(
            f"{counted(len(found.too_large), 'enrollment')} with more events than can be held in memory "
            f"{'was' if len(found.too_large) == 1 else 'were'} not audited: {ids}."
        )
    if found.courses_partial:
        show(f"Nor were the statistics of the {counted(found.courses_partial, 'course')} they belong to.")
    if found.busy:
        some = ", ".join(map(str, found.busy[:10]))
        show(
            f"{counted(len(found.busy), 'enrollment')} locked by another session could not be repaired ({some}): "
            "run it again."
        )
    if found.bare:
        show(
            f"{counted(len(found.bare), 'enrollment')} created by the LMS {_has(found.bare)} no recorded events "
            f"({_some(found.bare)}). That is normal before a learner begins. But if the LMS deleted rows and "
            "inserted them again, their events were deleted too: publish or replay them, and let it UPDATE rows."
        )
    _show_what_is_left(found)


def _show_what_is_left(found: "Findings") -> None:
    from worker.cli.output import show

    if found.waiting:
        show(
            f"The activity of {counted(len(found.waiting), 'enrollment')} could not be computed now "
            f"({_some(found.waiting)}) and is not repaired: wait for the scheduled task, or run it again."
        )
    if found.waiting_courses:
        show(
            f"The statistics of {counted(len(found.waiting_courses), 'course')} could not be computed now "
            f"({_some(found.waiting_courses)}) and are not repaired: wait for the scheduled task, or run it again. "
            "If that does not help, raise PROGRESS_STATISTICS_TIMEOUT_SECONDS."
        )
    if found.changed_courses:
        show(
            f"The statistics of {counted(len(found.changed_courses), 'course')} were computed, but workers "
            f"have changed more since ({_some(found.changed_courses)}): the scheduled task will refresh them."
        )
    if found.left:
        named: dict[str, set[int]] = {"enrollments": set(), "courses": set()}
        for each in found.left:
            named["courses" if each.table in _OF_COURSES else "enrollments"].add(int(str(each.key[0])))
        where = "; ".join(f"{name} {_some(sorted(ids))}" for name, ids in named.items() if ids)
        show(
            f"Not repaired: {counted(len(found.left), 'difference')} came back at once ({where}). If a trigger "
            "changes writes to these tables, remove it and run this again; else report a bug with the output of "
            "`progress-worker audit`."
        )


_OF_COURSES = {"course_statistics", "lesson_statistics", "course_figures", "week_figures", "lesson_figures"}


def difference_line(of: "Difference") -> str:
    """Return a difference as a line."""
    key = "/".join(map(str, of.key))
    return f"{of.table} {key} {of.column}: stored {_text(of.stored)}, expected {_text(of.expected)}"


def follow(steps: "Iterator[Step]", found: "Findings", verb: str, total: int) -> None:
    """Take every step and show progress; after an interruption, `found` has the findings so far."""
    from worker.cli.progress_bar import open_progress

    with open_progress(verb, total=total, unit="enrollments") as progress:
        for step in steps:
            found.add(step)
            progress.update(
                found.enrollments,
                f"{found.enrollments:,} of {total:,} enrollments, {len(found.differences):,} differences",
            )


def _has(ids: list[int]) -> str:
    return "has" if len(ids) == 1 else "have"


def _some(ids: list[int]) -> str:
    return ", ".join(map(str, ids[:10])) + (", …" if len(ids) > 10 else "")


def _text(value: object) -> str:
    from worker.printable import printable

    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(each)}" for name, each in value.items() if each is not None)
    if isinstance(value, list):
        return f"[{', '.join(f'{index}: {_text(each)}' for index, each in enumerate(value) if each)}]"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return "nothing" if value is None else printable(str(value))
