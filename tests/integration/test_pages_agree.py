"""No sentence of a report contradicts another, whatever has been refreshed: pages as their readers see them."""

from collections.abc import Callable

from sqlalchemy import Engine

from tests.support.activity import IDLE_CUTOFF
from tests.support.api import served
from tests.support.events import completed, corrected, enrolled, entries, outlined
from tests.support.page_consistency import page_contradictions
from tests.support.pages import report_text
from tests.support.reported_class import a_class, read_pages, what_followed
from tests.support.rollups import refresh_activity, refresh_all
from worker.analytics.statistics_refresh import refresh_statistics
from worker.analytics.thresholds import AnalysisThresholds
from worker.progress.ingest import ingest
from worker.settings import Settings
from worker.summary.refresh import refresh_summaries

STEPS: dict[str, Callable[[Engine], object]] = {
    "published": lambda engine: ingest(engine, entries(a_class())),
    "summaries": lambda engine: refresh_summaries(engine, 500),
    "statistics": lambda engine: refresh_statistics(engine, 60, AnalysisThresholds()),
    "published later": lambda engine: ingest(engine, entries(what_followed())),
    "activity later": lambda engine: refresh_activity(engine, 500, IDLE_CUTOFF.total_seconds()),
    "summaries later": lambda engine: refresh_summaries(engine, 500),
    "statistics later": lambda engine: refresh_statistics(engine, 60, AnalysisThresholds()),
}


def test_no_sentence_contradicts_another_after_any_step(engine: Engine, settings: Settings) -> None:
    found = {}
    with served(settings) as client:
        for name, step in STEPS.items():
            step(engine)
            course, analysis, learners = read_pages(client)
            found[name] = page_contradictions(course, analysis, learners)
    assert {name: said for name, said in found.items() if said} == {}
    assert (course.figures["Enrollments"], course.figures["Started"], course.figures["Completed"]) == ("8", "7", "3")
    (row,) = [each for each in course.tables["learners"] if each["Enrollment"] == "2"]
    assert (row["State"], row["Finished on"]) == ("Finished", learners[2][0].figures["Completed on"])


def test_what_only_a_correction_or_no_outline_counts_is_not_called_absent(engine: Engine, settings: Settings) -> None:
    """Course 3 has no outline and a correction alone, course 4 an outline without the lesson that was completed."""
    corrections = [enrolled(1, course_id=3), corrected(1, 1, 1, status="in_progress")]
    ingest(engine, entries([*corrections, outlined(4, []), enrolled(2, course_id=4), completed(2, 1, 1)]))
    refresh_all(engine)
    with served(settings) as client:
        corrected_only, empty, learner = (
            report_text(client.get(f"/reports/{path}").text) for path in ("course/3", "course/4", "learner/1")
        )
    assert (corrected_only.figures["Started"], corrected_only.absences) == (
        "1",
        "No visit was recorded. No time spent is known yet. No learner is dormant.",
    )
    assert (empty.figures["Started"], empty.absences) == (
        "0",
        "No lesson of the course is in progress or completed yet.",
    )
    assert learner.absences == "No visit was recorded."
