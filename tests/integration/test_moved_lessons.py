"""Lessons that an outline has at another place than before: what learners did there counts for them."""

import httpx
import pytest
from sqlalchemy import Engine

from tests.support.activity import IDLE_CUTOFF
from tests.support.api import served
from tests.support.events import at, completed, enrolled, entries, outlined, viewed
from tests.support.rollups import audited, refresh_all, stored_statistics, stored_summaries
from tests.support.tables import execute, rows, snapshot
from worker.analytics.learner_analysis import analyze_learner
from worker.analytics.lesson_history import lesson_history
from worker.analytics.rules.activity import TimeSpent
from worker.analytics.thresholds import AnalysisThresholds
from worker.audit.repair import rebuild_scope
from worker.audit.scope import Scope
from worker.contract.event import Event
from worker.contract.lesson import Lesson
from worker.contract.progress_status import ProgressStatus
from worker.progress.ingest import ingest
from worker.progress.lesson_progress import get_progress, update_progress
from worker.progress.retention import delete_expired
from worker.settings import Settings
from worker.summary.lessons import get_lessons, get_topic
from worker.summary.next_lesson import NextReason
from worker.summary.read import get_summary
from worker.summary.rules import Summary

DAY = 86_400
LEDGER = "SELECT topic_id, lesson_id, status::text FROM user_course_progress ORDER BY topic_id, lesson_id"
BEFORE = outlined(3, [(1, 11, "A"), (1, 12, "B"), (2, 21, "C")])
MOVED = outlined(3, [(1, 11, "A"), (2, 12, "B", [(1, 12)]), (2, 21, "C")], seconds=DAY)
COMPLETED = [completed(1, 1, 11, seconds=10), completed(1, 1, 12, seconds=20), completed(1, 2, 21, seconds=30)]


def record(engine: Engine, *events: Event) -> Summary:
    """Have the events recorded one by one; the summary of enrollment 1, which a refresh and the audit must agree on."""
    for event in (enrolled(1), *events):
        ingest(engine, entries([event]))
    summary = get_summary(engine, 1).summary
    refresh_all(engine)
    assert stored_summaries(engine)[1] == summary
    assert audited(engine) == []
    return summary


def statuses(engine: Engine) -> dict[Lesson, str]:
    """Of each lesson in the list."""
    return {(each.topic_id, each.lesson_id): each.status.value for each in get_lessons(engine, 1).lessons}


def counts(summary: Summary) -> tuple[int, int]:
    return summary.completed_lessons, summary.total_lessons


def test_a_completed_lesson_that_moves_to_another_topic_stays_completed_everywhere(engine: Engine) -> None:
    record(engine, BEFORE, *COMPLETED)
    stored = rows(engine, LEDGER)
    summary = record(engine, MOVED)

    assert counts(summary) == (3, 3)
    assert summary.completion_percentage == 100
    assert summary.following is None
    assert rows(engine, LEDGER) == stored
    assert set(statuses(engine).values()) == {"completed"}
    topic = get_topic(engine, 1, 2)
    assert (topic.completed_lessons, topic.total_lessons) == (2, 2)
    assert [(each.lesson_id, each.title, each.completed_at, each.last_viewed_at) for each in topic.lessons] == [
        (12, "B", at(20), at(20)),
        (21, "C", at(30), at(30)),
    ]
    statistics = stored_statistics(engine)[3]
    assert (statistics.course.completed, statistics.lessons[2, 12].completed) == (1, 1)
    assert statistics.lessons[2, 12].last_activity_at == at(20)
    analysis = analyze_learner(engine, 1, at(2 * DAY), AnalysisThresholds())
    assert [(each.topic_id, each.lesson_id, each.title, each.visits) for each in analysis.lessons] == [
        (1, 11, "A", 1),
        (2, 12, "B", 1),
        (2, 21, "C", 1),
    ]
    assert [(each.topic_id, each.spent.seconds) for each in analysis.topics] == [(1, 10), (2, 10)]
    assert {each.kind.value for each in analysis.achievements} == {"first_lesson", "topic", "course"}
    history = lesson_history(engine, 1, 2, 12, IDLE_CUTOFF.total_seconds())
    assert (history.title, history.status, history.completed_at) == ("B", ProgressStatus.COMPLETED, at(20))
    assert [each.began_at for each in history.history.last_visits] == [at(20)]


@pytest.mark.parametrize(
    ("outlines", "expected"),
    [
        ([MOVED, outlined(3, [(3, 12, "B", [(2, 12), (1, 12)])], seconds=2 * DAY)], {(3, 12): "completed"}),
        ([MOVED, outlined(3, [(1, 12, "B", [(2, 12)])], seconds=2 * DAY)], {(1, 12): "completed"}),
        ([MOVED, outlined(3, [(1, 12, "B")], seconds=2 * DAY)], {(1, 12): "completed"}),
        ([outlined(3, [(1, 99, "B", [(1, 12)])], seconds=DAY)], {(1, 99): "completed"}),
        ([outlined(3, [(4, 1, "A and B", [(1, 11), (1, 12)])], seconds=DAY)], {(4, 1): "completed"}),
        (
            [outlined(3, [(4, 1, "First", [(1, 12)]), (4, 2, "Second", [(1, 12)])], seconds=DAY)],
            {(4, 1): "completed", (4, 2): "not_started"},
        ),
        (
            [outlined(3, [(1, 12, "New"), (2, 12, "B", [(1, 12)])], seconds=DAY)],
            {(1, 12): "completed", (2, 12): "not_started"},
        ),
        ([MOVED, outlined(3, [(2, 12, "B")], seconds=2 * DAY)], {(2, 12): "not_started"}),
    ],
    ids=[
        "moved twice",
        "moved back",
        "moved back without a word",
        "moved within its topic",
        "merged",
        "claimed by two: the first has it",
        "the old place is listed: it stays that lesson's own",
        "not said any more",
    ],
)
def test_a_place_counts_for_the_lesson_that_says_it_came_from_there(
    engine: Engine, outlines: list[Event], expected: dict[Lesson, str]
) -> None:
    summary = record(engine, BEFORE, *COMPLETED, *outlines)
    assert statuses(engine) == expected
    assert counts(summary) == (list(expected.values()).count("completed"), len(expected))


def test_the_order_in_which_outlines_and_events_arrive_does_not_matter(engine: Engine) -> None:
    summary = record(engine, *COMPLETED, MOVED, BEFORE)
    assert counts(summary) == (3, 3)


def test_of_rows_at_both_places_the_highest_status_the_latest_view_and_the_earliest_completion_count(
    engine: Engine,
) -> None:
    there = [viewed(1, 2, 12, seconds=2 * DAY, duration_seconds=60), viewed(1, 2, 12, seconds=3 * DAY)]
    here: list[Event] = [viewed(1, 1, 12, seconds=20 - DAY, duration_seconds=30), completed(1, 1, 12, seconds=20)]
    summary = record(engine, BEFORE, *here, MOVED, *there)

    (lesson,) = [each for each in get_lessons(engine, 1).lessons if each.lesson_id == 12]
    (own,) = rows(engine, "SELECT id, updated_at FROM user_course_progress WHERE topic_id = 2")
    assert (lesson.status, lesson.last_viewed_at, lesson.completed_at) == ("completed", at(3 * DAY), at(20))
    assert (lesson.id, lesson.updated_at) == own
    assert counts(summary) == (1, 3)
    (visited,) = analyze_learner(engine, 1, at(4 * DAY), AnalysisThresholds()).lessons
    assert (visited.visits, visited.visits_to_complete, visited.spent) == (4, 2, TimeSpent(90, 90))
    assert (visited.first_visit_at, visited.last_visit_at) == (at(20 - DAY), at(3 * DAY))
    history = lesson_history(engine, 1, 2, 12, IDLE_CUTOFF.total_seconds()).history
    assert (history.visits, history.visits_to_complete, history.spent) == (4, 2, TimeSpent(90, 90))


def test_a_status_filter_goes_by_what_counts(engine: Engine) -> None:
    record(engine, BEFORE, *COMPLETED, MOVED, viewed(1, 2, 12, seconds=2 * DAY))
    found = get_lessons(engine, 1, status=ProgressStatus.COMPLETED).lessons
    assert [each.lesson_id for each in found] == [11, 12, 21]
    assert get_lessons(engine, 1, status=ProgressStatus.IN_PROGRESS).lessons == []


def test_a_position_at_the_old_place_is_one_at_the_new(engine: Engine) -> None:
    new_order = outlined(3, [(2, 21, "C"), (2, 12, "B", [(1, 12)]), (1, 11, "A"), (1, 13, "D")], seconds=DAY)
    summary = record(
        engine, BEFORE, completed(1, 1, 11, seconds=10), completed(1, 1, 12, seconds=20, section_id=3), new_order
    )
    assert (summary.current_topic_id, summary.current_lesson_id, summary.current_section_id) == (2, 12, 3)
    assert (summary.next_topic_id, summary.next_lesson_id) == (1, 13)
    assert summary.next_reason is NextReason.AFTER_CURRENT
    assert rows(engine, "SELECT current_topic, current_lesson FROM user_course") == [(1, 12)]
    assert get_summary(engine, 1).titles[2, 12] == "B"
    recommended = analyze_learner(engine, 1, at(2 * DAY), AnalysisThresholds()).recommendations
    assert [(each.topic_id, each.lesson_id) for each in recommended] == [(1, 13)]


def test_an_open_lesson_that_moved_is_the_next_one(engine: Engine) -> None:
    summary = record(engine, BEFORE, completed(1, 1, 11, seconds=10), viewed(1, 1, 12, seconds=20), MOVED)
    assert (summary.next_topic_id, summary.next_lesson_id, summary.next_reason) == (2, 12, NextReason.CURRENT)


def test_what_is_set_by_hand_at_the_old_place_counts_and_what_is_taken_back_there_does_not(engine: Engine) -> None:
    assert counts(record(engine, BEFORE, viewed(1, 1, 12, seconds=20), MOVED)) == (0, 3)
    update_progress(engine, (1, 1, 12), {"status": ProgressStatus.COMPLETED})
    assert counts(get_summary(engine, 1).summary) == (1, 3)
    update_progress(engine, (1, 1, 12), {"status": ProgressStatus.NOT_STARTED})
    assert counts(record(engine)) == (0, 3)


def test_a_single_row_stays_that_of_its_place(engine: Engine) -> None:
    record(engine, BEFORE, completed(1, 1, 12, seconds=20), MOVED, viewed(1, 2, 12, seconds=2 * DAY))
    assert get_progress(engine, (1, 1, 12)).status is ProgressStatus.COMPLETED
    assert get_progress(engine, (1, 2, 12)).status is ProgressStatus.IN_PROGRESS
    before = lesson_history(engine, 1, 1, 12, IDLE_CUTOFF.total_seconds())
    assert (before.title, before.history.visits) == (None, 1)


def test_a_course_without_moves_and_enrollments_without_a_course_are_counted_beside_one_with(engine: Engine) -> None:
    ingest(engine, entries([enrolled(2, course_id=4), completed(2, 1, 12, seconds=5), outlined(4, [(1, 12), (2, 12)])]))
    execute(
        engine,
        "ALTER TABLE user_course ALTER course_id DROP NOT NULL",  # as an LMS may have it
        "INSERT INTO user_course (id, user_id) VALUES (9, 9)",
    )
    ingest(engine, entries([completed(9, 1, 12, seconds=5)]))
    record(engine, BEFORE, *COMPLETED, MOVED)
    assert {key: counts(each) for key, each in stored_summaries(engine).items()} == {1: (3, 3), 2: (1, 2), 9: (1, 1)}


def test_retention_and_a_rebuild_leave_it_completed(engine: Engine) -> None:
    record(engine, BEFORE, *COMPLETED)
    execute(engine, "UPDATE lesson_event SET recorded_at = recorded_at - interval '90 days'")
    assert delete_expired(engine, 30)
    assert counts(record(engine, MOVED)) == (3, 3)
    execute(engine, "UPDATE user_course_summary SET completed_lessons = 1", "DELETE FROM lesson_statistics")
    assert audited(engine) != []
    list(rebuild_scope(engine, Scope(), 60, AnalysisThresholds().stuck, IDLE_CUTOFF.total_seconds()))
    assert audited(engine) == []
    assert stored_summaries(engine)[1].completed_lessons == 3


def test_refreshing_again_writes_nothing(engine: Engine) -> None:
    record(engine, BEFORE, *COMPLETED, MOVED, viewed(1, 2, 12, seconds=2 * DAY))
    before = snapshot(engine)
    refresh_all(engine)
    assert snapshot(engine) == before


def test_the_faces_show_the_lesson_where_it_is(engine: Engine, settings: Settings) -> None:
    record(engine, BEFORE, *COMPLETED, MOVED)
    with served(settings) as api:
        answer: httpx.Response = api.get("/progress/course/1/topic/2")
        assert [(each["lesson_id"], each["status"]) for each in answer.json()["lessons"]] == [
            (12, "completed"),
            (21, "completed"),
        ]
        assert api.get("/progress/1/1/12").json()["status"] == "completed"
        assert api.get("/progress/1/2/12").status_code == 404
        lines = api.get("/reports/learner/1/lessons.csv").text.splitlines()
        assert any(line.startswith("2,12,B,completed") for line in lines), lines
        assert api.get("/analytics/learner/1/topic/2/lesson/12").json()["history"]["visits"] == 1
