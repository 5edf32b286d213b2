"""The analysis of a course: what it shows, what it costs, and that no change to what it rests on is forgotten."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine

from tests.support.activity import IDLE_CUTOFF
from tests.support.events import completed, corrected, enrolled, entries, outlined, viewed
from tests.support.learners import NOW, ago
from tests.support.rollups import assert_rollups_equal_model, record, refresh_activity, refresh_all
from tests.support.tables import contents, counted_statements, execute, rows
from worker.analytics.analysis import DormantLearner
from worker.analytics.course_analysis import analyze_course
from worker.analytics.rules.activity import TimeSpent
from worker.analytics.rules.stuck import StuckThresholds
from worker.analytics.thresholds import AnalysisThresholds
from worker.contract.event import Event
from worker.errors import InputError, NotFoundError
from worker.progress.ingest import ingest
from worker.progress.reference import fold
from worker.summary.refresh import refresh_summaries

RULES = AnalysisThresholds()


def a_class(learners: int = 12) -> list[Event]:
    """Course 3 of three lessons: all complete the first; the second stops all but two, who complete the third."""
    events: list[Event] = [outlined(3, [(1, 1, "One"), (1, 2, "Two"), (2, 1)], time=ago(days=40))]
    for key in range(1, learners + 1):
        events.append(enrolled(key, time=ago(days=40)))
        events.append(completed(key, 1, 1, time=ago(days=20 + key), duration_seconds=60 * key))
        events += [viewed(key, 1, 2, time=ago(days=20 + key - visit)) for visit in (1, 2)]
    events += [completed(key, 2, 1, time=ago(days=10)) for key in (1, 2)]
    return events


def test_what_it_says_of_a_course_is_what_one_would(engine: Engine) -> None:
    record(engine, a_class())
    found = analyze_course(engine, 3, NOW, RULES)
    assert found.statistics
    assert (found.statistics.enrollments, found.statistics.completed, found.median_days) == (12, 0, None)
    one, two, three = found.lessons
    assert [each.title for each in found.lessons] == ["One", "Two", None]
    assert (one.median_seconds, one.median_visits_to_complete, one.drop_off, one.is_blocker) == (390, 1, 0, False)
    assert (two.stopped, two.drop_off, two.is_blocker, two.visits) == (10, 10 / 12, True, 24)
    assert one.difficulty
    assert two.difficulty
    assert two.difficulty.value > one.difficulty.value
    assert two.difficulty.learners == 12
    assert (three.difficulty, three.is_blocker) == (None, False)
    assert found.spent == TimeSpent(60 * sum(range(1, 13)), 60 * sum(range(1, 13)))
    assert sum(each.completed for each in found.weeks) == 14
    assert found.dormant_learners == 10
    assert found.dormant[0] == DormantLearner(3, date(2025, 6, 23), found.dormant[0].completion_percentage)
    assert found.pending == 0
    assert found.as_of
    assert rows(engine, "SELECT as_of < :read FROM course_statistics", read=found.as_of) == [(True,)]


def test_the_rules_are_those_given(engine: Engine) -> None:
    record(engine, a_class())
    few = AnalysisThresholds(min_learners=13, dormant_days=1)
    found = analyze_course(engine, 3, NOW, few)
    assert {(each.difficulty, each.is_blocker) for each in found.lessons} == {(None, False)}
    assert found.dormant_learners == 12
    hard = AnalysisThresholds(blocker_ratio=0.9)
    assert not any(each.is_blocker for each in analyze_course(engine, 3, NOW, hard).lessons)
    execute(engine, "INSERT INTO course_change (course_id) VALUES (3)")
    refresh_all(engine, thresholds=StuckThresholds(2, 2))
    assert [each.stuck for each in analyze_course(engine, 3, NOW, RULES).lessons] == [0, 10, 0]


def test_before_it_is_computed_a_course_has_no_figures_and_says_so(engine: Engine) -> None:
    ingest(engine, entries(a_class()))
    found = analyze_course(engine, 3, NOW, RULES)
    assert (found.as_of, found.statistics, found.lessons, found.weeks) == (None, None, [], [])
    assert (sum(map(sum, found.events_by_weekday)), found.dormant_learners, found.pending) == (0, 0, 12)


def test_lessons_are_those_that_counted_when_it_was_computed_in_the_outline_as_it_is(engine: Engine) -> None:
    record(engine, a_class())
    ingest(engine, entries([outlined(3, [(7, 7), (1, 2, "Two"), (1, 1, "One")])]))
    assert [each.title for each in analyze_course(engine, 3, NOW, RULES).lessons] == ["Two", "One"]
    refresh_all(engine)
    assert [each.topic_id for each in analyze_course(engine, 3, NOW, RULES).lessons] == [7, 1, 1]


def test_weeks_without_anything_are_shown_between_others(engine: Engine) -> None:
    record(engine, [enrolled(1), *(viewed(1, time=ago(days=day)) for day in (0, 14))])
    assert [(each.monday.day, each.learners) for each in analyze_course(engine, 3, NOW, RULES).weeks] == [
        (30, 1),
        (7, 0),
        (14, 1),
    ]


def test_of_very_many_weeks_the_last_are_shown(engine: Engine) -> None:
    record(engine, [enrolled(1), *(viewed(1, time=ago(days=7 * week)) for week in (0, 103, 104, 900))])
    found = analyze_course(engine, 3, NOW, RULES).weeks
    assert (len(found), found[0].learners, sum(each.learners for each in found)) == (104, 1, 2)


def test_who_was_last_seen_tomorrow_was_seen_before_that(engine: Engine) -> None:
    # Half past ten in the morning of the 14th, a Monday, is half past twelve at night of the 15th on Kiritimati.
    record(engine, [enrolled(1, timezone="Pacific/Kiritimati"), viewed(1, time=ago(days=20)), viewed(1, time=NOW)])
    assert rows(engine, "SELECT max(day) FROM daily_activity") == [(date(2025, 7, 15),)]
    assert analyze_course(engine, 3, NOW, RULES).dormant_learners == 0
    an_hour_ago = ago(seconds=3_600)  # not yet the 15th there
    assert [each.last_seen_on for each in analyze_course(engine, 3, an_hour_ago, RULES).dormant] == [date(2025, 6, 25)]


def test_where_clocks_went_back_over_midnight_the_later_day_is_the_last_seen(engine: Engine) -> None:
    # At 00:01 of 29 October 2006 it became 23:01 of the 28th in St. John's.
    set_back = datetime(2006, 10, 29, 2, 31, tzinfo=UTC)
    views = [viewed(1, time=set_back - timedelta(seconds=30)), viewed(1, time=set_back + timedelta(minutes=20))]
    record(engine, [enrolled(1, timezone="America/St_Johns", time=set_back), *views])
    found = analyze_course(engine, 3, NOW, RULES)
    assert [each.last_seen_on for each in found.dormant] == [date(2006, 10, 29)]


def test_at_the_edges_of_the_definitions_the_figures_are_those_of_the_rules(engine: Engine) -> None:
    events: list[Event] = [outlined(3, [(1, 1), (1, 2), (2, 1)], time=ago(days=99))]
    zones = {1: "Pacific/Auckland", 2: None, 3: None, 4: None, 5: None, 6: None}
    events += [enrolled(key, timezone=zone, time=ago(days=99)) for key, zone in zones.items()]
    sunday_night = datetime(2025, 7, 13, 23, tzinfo=UTC)
    events += [
        completed(1, 1, 1, time=sunday_night, duration_seconds=100),  # Monday where the learner is
        # Begun at the very moment at which something later was completed; and for just twice the median.
        *(viewed(2, 1, 1, time=ago(days=day)) for day in (1, 2, 3)),
        completed(2, 2, 1, time=ago(days=3)),
        viewed(3, 1, 1, time=ago(days=5), duration_seconds=200),
        # Time on a Sunday, with no event in that week.
        viewed(4, 2, 1, time=datetime(2025, 6, 30, 0, 10, tzinfo=UTC), duration_seconds=3_600),
        # All completed: one of them nobody knows when; and all of it before the first event.
        *(completed(5, *lesson, time=ago(days=9)) for lesson in ((1, 1), (1, 2))),
        corrected(5, 2, 1, time=ago(days=8), status="completed", completed_at=None),
        *(completed(6, *lesson, time=ago(days=9)) for lesson in ((1, 1), (1, 2), (2, 1))),
        *(
            corrected(6, *lesson, time=ago(days=8), status="completed", completed_at=ago(days=50))
            for lesson in ((1, 1), (1, 2), (2, 1))
        ),
    ]
    record(engine, events)
    assert_rollups_equal_model(engine, fold(events))
    found = analyze_course(engine, 3, NOW, RULES)
    assert [each.stuck for each in found.lessons] == [0, 0, 0]
    assert found.lessons[0].median_seconds == 100
    assert found.median_days is None
    assert [(each.learners, each.spent.seconds) for each in found.weeks if each.monday == date(2025, 6, 23)] == [
        (0, 3_000)
    ]


LATE: dict[str, Event] = {
    "a view before all others": viewed(1, 1, 1, time=ago(days=39)),
    "a view that starts a lesson": viewed(3, 2, 1, time=ago(days=1)),
    "a view of a lesson outside the outline": viewed(3, 8, 8, time=ago(days=1)),
    "a duration": viewed(2, 1, 1, time=ago(days=3), duration_seconds=4_000),
    "a completion": completed(3, 1, 2, time=ago(days=9)),
    "an earlier completion": completed(1, 1, 1, time=ago(days=38)),
    "a correction": corrected(1, 1, 1, time=ago(days=1), status="completed", completed_at=ago(days=30)),
    "a correction that takes back": corrected(1, 1, 1, time=ago(days=1), status="in_progress"),
    "another time zone": enrolled(1, timezone="Asia/Tokyo", time=ago(days=39)),
    "another course": enrolled(1, course_id=4, time=ago(days=39)),
    "another enrollment": enrolled(99, time=ago(days=39)),
    "another outline": outlined(3, [(2, 1), (1, 2)], time=ago(days=39)),
    "an empty outline": outlined(3, [], time=ago(days=39)),
}


@pytest.mark.parametrize("late", LATE.values(), ids=LATE)
def test_what_follows_from_a_late_event_equals_a_full_computation(engine: Engine, late: Event) -> None:
    events = [*a_class(4), late]
    record(engine, events[:-1])
    before = contents(engine)
    record(engine, [late])
    assert_rollups_equal_model(engine, fold(events))
    incremental = contents(engine)
    assert incremental != before
    execute(
        engine,
        "DELETE FROM enrollment_activity",
        "DELETE FROM course_statistics",
        "INSERT INTO activity_change (user_course_id) SELECT id FROM user_course",
        "INSERT INTO course_change (course_id) SELECT course_id FROM user_course UNION SELECT 3",
    )
    refresh_all(engine)
    assert contents(engine) == incremental


def test_an_enrollment_that_the_lms_deletes_leaves_the_figures(engine: Engine) -> None:
    record(engine, a_class(4))
    execute(engine, "DELETE FROM user_course WHERE id = 4")
    refresh_all(engine)
    found = analyze_course(engine, 3, NOW, RULES)
    assert (found.lessons[0].median_seconds, found.lessons[0].visits, found.dormant_learners) == (120, 3, 1)


def test_activity_that_is_refreshed_marks_its_course_as_of_its_change(engine: Engine) -> None:
    record(engine, a_class(2))
    ingest(engine, entries([viewed(1, time=ago(days=1))]))
    refresh_summaries(engine, 500)
    execute(engine, "DELETE FROM course_change", "UPDATE activity_change SET changed_at = '2020-01-01T00:00Z'")
    refresh_activity(engine, 500, IDLE_CUTOFF.total_seconds())
    assert rows(engine, "SELECT course_id, changed_at FROM course_change") == [(3, datetime(2020, 1, 1, tzinfo=UTC))]


def test_an_id_that_is_no_course_is_told_so(engine: Engine) -> None:
    with pytest.raises(NotFoundError, match="Course 404 is unknown"):
        analyze_course(engine, 404, NOW, RULES)
    for wrong in (0, 2**63):
        with pytest.raises(InputError, match="is not a course id"):
            analyze_course(engine, wrong, NOW, RULES)


@pytest.mark.parametrize("learners", [1, 30])
def test_it_takes_nine_queries_whatever_there_is(engine: Engine, learners: int) -> None:
    record(engine, a_class(learners))
    with counted_statements(engine) as statements:
        analyze_course(engine, 3, NOW, RULES)
    assert len([each for each in statements if each not in {"BEGIN", "COMMIT", "ROLLBACK"}]) == 9
