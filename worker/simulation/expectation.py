"""The expected table contents after publishing: the fold of the valid events, the dead letters of the others."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import astuple
from datetime import timedelta

from worker.analytics.rules.activity_rows import activities, activity_rows, by_table
from worker.analytics.rules.completion_statistics import tallies
from worker.analytics.rules.statistics_rows import by_table as statistics_by_table
from worker.analytics.rules.statistics_rows import statistics_rows
from worker.analytics.rules.stuck import StuckThresholds
from worker.analytics.rules.time_statistics import time_statistics_by_course
from worker.contract.event import EVENT, Event, ProgressCorrected
from worker.progress.reference import State, fold
from worker.simulation.published import Published
from worker.simulation.stored_tables import Rows
from worker.summary.rules import moved_places, summaries


def valid_events(published: Iterable[Published]) -> list[Event]:
    """Return the events that must be applied, in publishing order, including duplicates."""
    return [EVENT.validate_json(each.body) for each in published if each.reason is None and each.body is not None]


def expected_tables(state: State, idle_cutoff_seconds: float, thresholds: StuckThresholds) -> dict[str, Rows]:
    """Return the rows of each table as `worker.simulation.stored_tables.read_tables` does."""
    its_activity = activities(state, timedelta(seconds=idle_cutoff_seconds))
    courses = tallies(state)
    return {
        "user_course": {
            (key,): (event.data.user_id, event.data.course_id, event.data.timezone)
            for key, event in state.enrollments.items()
        },
        "user_course (position)": {
            (key,): (where.topic_id, where.lesson_id, where.section_id, where.occurred_at)
            for key, where in state.positions.items()
        },
        "user_course_progress": {
            key: (row.status.value, row.last_viewed_at, row.completed_at) for key, row in state.progress.items()
        },
        "lesson_event": {key: _ledger_row(event) for key, event in state.ledger.items()},
        "course_lesson": {
            (course_id, ordinal): (lesson.topic_id, lesson.lesson_id, lesson.title)
            for course_id, lessons in state.outlines.items()
            for ordinal, lesson in enumerate(lessons, start=1)
        },
        "moved_lesson": {
            (course_id, *old): new
            for course_id in state.outlines
            for old, new in moved_places(state, course_id).items()
        },
        "user_course_summary": {astuple(summary)[:1]: astuple(summary)[1:] for summary in summaries(state).values()},
        "course_statistics": {(course_id,): astuple(tally.course()) for course_id, tally in courses.items()},
        "lesson_statistics": {
            (course_id, *lesson): astuple(statistics)
            for course_id, tally in courses.items()
            for lesson, statistics in tally.lessons().items()
        },
        **statistics_by_table(statistics_rows(time_statistics_by_course(state, its_activity, thresholds))),
        **by_table(activity_rows(*each) for each in its_activity.items()),
    }


def expected_dead_letters(published: Iterable[Published]) -> Counter[tuple[str, bytes | None]]:
    """Count the entries that must be dead letters by reason and bytes."""
    return Counter((each.reason.value, each.body) for each in published if each.reason is not None)


def expected_state(published: Iterable[Published]) -> State:
    """Return the state of the reference model after these events."""
    return fold(valid_events(published))


def _ledger_row(event: Event) -> tuple[object, ...]:
    kind, data = event.type.rpartition(".")[2], event.data
    if isinstance(event, ProgressCorrected):
        correction = event.data
        snapshot = (correction.status.value, correction.last_viewed_at, correction.completed_at)
        return (event.time, kind, correction.topic_id, correction.lesson_id, None, None, *snapshot)
    members = (getattr(data, name) for name in ("topic_id", "lesson_id", "section_id", "duration_seconds"))
    return (event.time, kind, *members, None, None, None)
