"""A report as one self-contained HTML page: no script, image, font or address from elsewhere."""

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from worker.errors import ConfigurationError
from worker.reports.course_sections import COURSE_PLANS
from worker.reports.formatting import shown
from worker.reports.learner_sections import LEARNER_PLANS
from worker.reports.section import MAX_ROWS, Section
from worker.reports.table import Report

if TYPE_CHECKING:
    from jinja2 import Environment

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The page's Content-Security-Policy: its own styles and nothing else."""

_NOT_COMPUTED = "Not computed yet."
_ALWAYS_CURRENT = {"recommendations", "achievements"}
"""Tables that can be made without computed activity."""


def as_page(report: Report) -> str:
    """Return the page. Raises ConfigurationError where the `report` extra is not installed."""
    template = _environment().get_template("page.html")
    figures = [figure for figure in report.table("headline").rows if figure.value is not None]
    return template.render(
        report=report,
        heading="Course" if report.subject == "course" else "Enrollment",
        figures=[(figure.name, shown(figure.value, figure.kind)) for figure in figures],
        sections=sections(report),
        policy=POLICY,
    )


def sections(report: Report) -> list[Section]:
    """Return the sections below the headline figures, in order."""
    plans = COURSE_PLANS if report.subject == "course" else LEARNER_PLANS
    made = [plan.section(report.table(name)) for name, plan in plans.items()]
    if report.as_of is None:
        return [each if each.table.name in _ALWAYS_CURRENT else replace(each, headline=_NOT_COMPUTED) for each in made]
    return made


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
    made.filters["shown"] = shown
    made.globals["max_rows"] = MAX_ROWS
    return made
