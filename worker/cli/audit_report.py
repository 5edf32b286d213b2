"""How `audit` and `rebuild` walk through a scope and report what they find."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from worker.cli.id_type import ID
from worker.errors import InputError

if TYPE_CHECKING:
    from worker.audit.compare import Step
    from worker.audit.difference import Difference
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


@dataclass(slots=True)
class Report:
    """The findings so far."""

    enrollments: int = 0
    differences: "list[Difference]" = field(default_factory=list)
    unprovable: int = 0
    courses_behind: int = 0
    courses_partial: int = 0
    too_large: list[int] = field(default_factory=list)
    busy: list[int] = field(default_factory=list)
    bare: list[int] = field(default_factory=list)
    left: "list[Difference]" = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    waiting_courses: list[int] = field(default_factory=list)
    changed_courses: list[int] = field(default_factory=list)
    last_course_id: int = 0
    """The last course that was rebuilt."""

    def add(self, step: "Step") -> None:
        """Count one step."""
        self.enrollments += len(step.enrollments)
        self.differences += step.differences
        self.unprovable += sum(each.unprovable for each in step.enrollments)
        self.courses_behind += step.is_behind
        self.courses_partial += step.is_partial
        self.too_large += step.too_large
        self.busy += step.busy
        self.bare += [each.id for each in step.enrollments if each.is_bare]
        self.left += step.left
        self.waiting += step.waiting
        if step.course_id is not None and step.is_waiting:
            self.waiting_courses.append(step.course_id)
        if step.course_id is not None and step.has_changed:
            self.changed_courses.append(step.course_id)
        if step.is_done:
            self.last_course_id = step.course_id or 0

    @property
    def is_repaired(self) -> bool:
        """Whether everything was audited and every difference repaired."""
        return not (self.busy or self.too_large or self.left or self.waiting or self.waiting_courses)

    def as_mapping(self) -> dict[str, Any]:
        """Return the findings for scripts."""
        return {
            "enrollments": self.enrollments,
            "differences": [difference_mapping(each) for each in self.differences],
            "unprovable_rows": self.unprovable,
            "courses_behind": self.courses_behind,
            "not_audited_enrollments": self.too_large,
            "courses_not_compared": self.courses_partial,
            "busy_enrollments": self.busy,
            "not_repaired": [difference_mapping(each) for each in self.left],
            "waiting_enrollments": self.waiting,
            "waiting_courses": self.waiting_courses,
            "changed_courses": self.changed_courses,
            "enrollments_without_events": len(self.bare),
        }

    def show(self, verb: str) -> None:
        """Print every difference, the totals and what could not be compared; `verb` is a past participle."""
        for each in self.differences:
            click.echo(difference_line(each))
        rows = len({(each.table, each.key) for each in self.differences})
        found = f"{_count(len(self.differences), 'difference')} in {_count(rows, 'row')}" if rows else "0 differences"
        click.echo(f"{_count(self.enrollments, 'enrollment')} {verb}: {found}.")
        if self.unprovable:
            click.echo(
                f"Retention left too few events to prove {_count(self.unprovable, 'row')}; "
                "they were compared with the remaining events."
            )
        if self.courses_behind:
            click.echo(
                f"The statistics of {_count(self.courses_behind, 'course')} are being refreshed and were not compared."
            )
        if self.too_large:
            ids = ", ".join(map(str, self.too_large))
            click.echo(
                f"{_count(len(self.too_large), 'enrollment')} with more events than can be held in memory "
                f"{'was' if len(self.too_large) == 1 else 'were'} not audited: {ids}."
            )
        if self.courses_partial:
            click.echo(f"Nor were the statistics of the {_count(self.courses_partial, 'course')} they belong to.")
        if self.busy:
            some = ", ".join(map(str, self.busy[:10]))
            click.echo(
                f"{_count(len(self.busy), 'enrollment')} locked by another session could not be repaired ({some}): "
                "run it again."
            )
        if self.bare:
            click.echo(
                f"{_count(len(self.bare), 'enrollment')} created by the LMS {_has(self.bare)} no recorded events "
                f"({_some(self.bare)}). That is normal before a learner begins. But if the LMS deleted rows and "
                "inserted them again, their events were deleted too: publish or replay them, and let it UPDATE rows."
            )
        self._show_what_is_left()

    def _show_what_is_left(self) -> None:
        if self.waiting:
            click.echo(
                f"The activity of {_count(len(self.waiting), 'enrollment')} could not be computed now "
                f"({_some(self.waiting)}) and is not repaired: wait for the scheduled task, or run it again."
            )
        if self.waiting_courses:
            click.echo(
                f"The statistics of {_count(len(self.waiting_courses), 'course')} could not be computed now "
                f"({_some(self.waiting_courses)}) and are not repaired: wait for the scheduled task, or run it again. "
                "If that does not help, raise PROGRESS_STATISTICS_TIMEOUT_SECONDS."
            )
        if self.changed_courses:
            click.echo(
                f"The statistics of {_count(len(self.changed_courses), 'course')} were computed, but workers "
                f"have changed more since ({_some(self.changed_courses)}): the scheduled task will refresh them."
            )
        if self.left:
            named: dict[str, set[int]] = {"enrollments": set(), "courses": set()}
            for each in self.left:
                named["courses" if each.table in _OF_COURSES else "enrollments"].add(int(str(each.key[0])))
            where = "; ".join(f"{name} {_some(sorted(ids))}" for name, ids in named.items() if ids)
            click.echo(
                f"Not repaired: {_count(len(self.left), 'difference')} came back at once ({where}). If a trigger "
                "changes writes to these tables, remove it and run this again; else report a bug with the output of "
                "`progress-worker audit`."
            )


_OF_COURSES = {"course_statistics", "lesson_statistics", "course_figures", "week_figures", "lesson_figures"}


def difference_mapping(of: "Difference") -> dict[str, object]:
    """Return a difference for scripts."""
    return {"table": of.table, "key": of.key, "column": of.column, "stored": of.stored, "expected": of.expected}


def difference_line(of: "Difference") -> str:
    """Return a difference as a line."""
    key = "/".join(map(str, of.key))
    return f"{of.table} {key} {of.column}: stored {_text(of.stored)}, expected {_text(of.expected)}"


def follow(steps: "Iterator[Step]", report: Report, verb: str, total: int) -> None:
    """Take every step and show progress; after an interruption, `report` has the findings so far."""
    from worker.cli.progress_bar import open_progress

    with open_progress(verb, total=total, unit="enrollments") as progress:
        for step in steps:
            report.add(step)
            progress.update(
                report.enrollments,
                f"{report.enrollments:,} of {total:,} enrollments, {len(report.differences):,} differences",
            )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


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
