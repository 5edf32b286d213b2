"""A report as one HTML page that asks for nothing else: no script, no picture, no font, no address."""

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from worker.errors import ConfigurationError
from worker.reports.course_sections import COURSE_PLANS
from worker.reports.formatting import row_shown, shown
from worker.reports.learner_sections import LEARNER_PLANS
from worker.reports.section import MOST_ROWS, Section
from worker.reports.table import Report

if TYPE_CHECKING:
    from jinja2 import Environment

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The Content-Security-Policy of a page: its own styles and nothing more."""

_NOT_COMPUTED = "Not computed yet."
_NEVER_LATE = {"recommendations", "achievements"}
"""What rows alone tell."""


class Figure(NamedTuple):
    """A headline figure in words."""

    name: str
    value: str


def as_page(report: Report) -> str:
    """The page. Raises ConfigurationError where the extra is missing."""
    template = _environment().get_template("page.html")
    headline = report.table("headline")
    return template.render(
        report=report,
        heading="Course" if report.subject == "course" else "Enrollment",
        figures=[Figure(*row_shown(headline, row)[:2]) for row in headline.rows if row[1] is not None],
        sections=sections(report),
        policy=POLICY,
    )


def sections(report: Report) -> list[Section]:
    """What stands below the headline figures, in order."""
    plans = COURSE_PLANS if report.subject == "course" else LEARNER_PLANS
    made = [plan.section(report.table(name)) for name, plan in plans.items()]
    if report.as_of is None:
        return [each if each.table.name in _NEVER_LATE else replace(each, gist=_NOT_COMPUTED) for each in made]
    return made


@cache
def _environment() -> "Environment":
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ModuleNotFoundError:
        raise ConfigurationError(
            "A report as a page needs jinja2: pip install 'course-progress-worker[report]'. CSV and JSON do without."
        ) from None
    made = Environment(
        loader=PackageLoader("worker.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["shown"] = shown
    made.globals["row_shown"] = row_shown
    made.globals["max_rows"] = MOST_ROWS
    return made
