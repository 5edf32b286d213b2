"""How `audit` and `rebuild` go through a scope and tell what they found."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from worker.errors import InputError

if TYPE_CHECKING:
    from worker.domain.audit import Difference
    from worker.services.audit import Scope, Step

Command = TypeVar("Command", bound=Callable[..., Any])


def scope_options(command: Command) -> Command:
    """The options that both commands share."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
        click.option("--user-course", type=click.IntRange(1, 2**63 - 1), metavar="ID", help="Only this enrolment."),
        click.option("--course", type=click.IntRange(1, 2**63 - 1), metavar="ID", help="Only this course."),
    ):
        command = option(command)
    return command


def chosen_scope(user_course: int | None, course: int | None, sample: int | None = None) -> "Scope":
    """What the options name. Raises InputError when they name more than one."""
    from worker.services.audit import Scope

    if sum(each is not None for each in (user_course, course, sample)) > 1:
        raise InputError("Give one of --user-course, --course and --sample, or none for everything.")
    return Scope(user_course, sample, course)


@dataclass(slots=True)
class Report:
    """What was found so far."""

    enrollments: int = 0
    differences: "list[Difference]" = field(default_factory=list)
    unprovable: int = 0
    courses_behind: int = 0
    reached: tuple[int, int] = (0, 0)
    """Course and enrolment up to which everything was examined."""

    def add(self, step: "Step") -> None:
        """Count one step."""
        self.enrollments += len(step.enrollments)
        self.differences += step.differences
        self.unprovable += sum(each.unprovable for each in step.enrollments)
        self.courses_behind += step.is_behind
        if step.enrollments:
            self.reached = (step.course_id or 0, step.enrollments[-1].id)

    def as_mapping(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "enrollments": self.enrollments,
            "differences": [
                {
                    "table": each.table,
                    "key": each.key,
                    "column": each.column,
                    "stored": each.stored,
                    "expected": each.expected,
                }
                for each in self.differences
            ],
            "unprovable_rows": self.unprovable,
            "courses_behind": self.courses_behind,
        }

    def show(self, verb: str) -> None:
        """Print every difference, then how many there are and what could not be told; `verb` is a past participle."""
        for each in self.differences:
            key = "/".join(map(str, each.key))
            click.echo(
                f"{each.table} {key} {each.column}: stored {_text(each.stored)}, expected {_text(each.expected)}"
            )
        rows = len({(each.table, each.key) for each in self.differences})
        found = f"{len(self.differences):,} differences in {rows:,} rows" if rows else "0 differences"
        click.echo(f"{self.enrollments:,} enrolments {verb}: {found}.")
        if self.unprovable:
            click.echo(
                f"{self.unprovable:,} rows rest on events that retention deleted; they were held against what is left."
            )
        if self.courses_behind:
            click.echo(
                f"The statistics of {self.courses_behind:,} courses wait for their next refresh and were not compared."
            )


def follow(steps: "Iterator[Step]", report: Report, verb: str, total: int) -> None:
    """Take every step, with progress; `report` holds what was found also when it is interrupted."""
    from worker.cli.progress import open_progress

    with open_progress(verb, total=total, unit="enrolments") as progress:
        for step in steps:
            report.add(step)
            progress.update(
                report.enrollments,
                f"{report.enrollments:,} of {total:,} enrolments, {len(report.differences):,} differences",
            )


def _text(value: object) -> str:
    from worker.cli.output import printable

    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(each)}" for name, each in value.items() if each is not None)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return "nothing" if value is None else printable(str(value))
