"""A report as one self-contained HTML page: no script, image, font or address from elsewhere."""

from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Any

from worker.errors import ConfigurationError
from worker.formatting import counted
from worker.reports.class_list import IS_PENDING, STUCK_ON
from worker.reports.course_sections import COURSE_PLANS
from worker.reports.formatting import MAX_TITLE, lesson_ids, pieces, shown
from worker.reports.learner_sections import LEARNER_PLANS
from worker.reports.section import MAX_ROWS, Section
from worker.reports.table import FOREMOST, LESSON, Column, Kind, Report, Table

if TYPE_CHECKING:
    from jinja2 import Environment

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The page's Content-Security-Policy: its own styles and nothing else."""

_MERGED: dict[Column[Any], Column[Any]] = {
    LESSON[0]: Column("lesson", "Lesson", Kind.LESSON, lambda row: row),
    STUCK_ON[0]: Column("stuck", "Stuck on", Kind.LESSON, lambda member: member.stuck[0] if member.stuck else None),
}
_LEFT_OUT = {*LESSON[1:], *STUCK_ON[1:], IS_PENDING}


def as_page(report: Report, *, is_served: bool = False) -> str:
    """Return the page; a served one links to the reports beside it. Raises ConfigurationError without jinja2."""
    template = _environment().get_template("page.html")
    figures = [
        figure for figure in report.table("headline").rows if figure.value is not None or figure.group == FOREMOST
    ]
    made, absences = sections(report)
    return template.render(
        report=report,
        foremost=FOREMOST,
        groups=[(group, list(its)) for group, its in groupby(figures, key=lambda figure: figure.group)],
        sections=made,
        absences=absences,
        pending=_pending(report),
        is_served=is_served,
        policy=POLICY,
    )


def sections(report: Report) -> tuple[list[Section], str]:
    """Return the sections below the headline figures, in order, and in sentences what is absent.

    Without any enrollment or lesson there is one sentence alone: the same is the reason of everything else that is
    absent. While changes are pending, nothing is said to be absent: it may be among them.
    """
    plans = COURSE_PLANS if report.subject == "course" else LEARNER_PLANS
    made = {name: plan.section(report.table(name)) for name, plan in plans.items()}
    absent = {name: each for name, each in made.items() if isinstance(each, str)}
    if report.as_of is None or report.pending:
        absent = {}  # as the line below the page's title says
    said = [absent[name] for name in ("learners", "lessons") if name in absent][:1] or absent.values()
    return [each for each in made.values() if isinstance(each, Section)], " ".join(dict.fromkeys(said))


def _pending(report: Report) -> str:
    """Return a sentence on the changes that are not included yet, empty if there are none."""
    if not report.pending:
        return ""
    if report.subject == "learner":
        return "The latest changes show only in statuses and completions so far."
    have = "has" if report.pending == 1 else "have"
    return f"{counted(report.pending, 'enrollment')} {have} changes that are not included yet."


def page_columns(table: Table[Any]) -> list[Column[Any]]:
    """Return the columns of a table as a page has them: a lesson's ids and title are one.

    What is pending is a sentence at its top.
    """
    return [_MERGED.get(column, column) for column in table.columns if column not in _LEFT_OUT]


@cache
def _environment() -> "Environment":
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ModuleNotFoundError:
        raise ConfigurationError(
            "A report as a page needs jinja2: pip install 'course-progress-worker[report]'. CSV and JSON do not."
        ) from None
    made = Environment(
        loader=PackageLoader("worker.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"shown": shown, "pieces": pieces, "ids": lesson_ids, "page_columns": page_columns}
    made.globals |= {"max_rows": MAX_ROWS, "max_title": MAX_TITLE}
    return made
