"""The analysis of an enrollment: what it shows before and after its activity is computed, and what it costs."""

from dataclasses import replace
from datetime import date
from itertools import product

import pytest
from sqlalchemy import Engine

from tests.support.events import completed, enrolled, entries, outlined, viewed
from tests.support.learners import NOW, ago
from tests.support.rollups import record, refresh_all
from tests.support.tables import counted_statements, insert_as_lms, rows
from worker.analytics import stored_learner
from worker.analytics.learner_analysis import analyze_learner
from worker.analytics.phrases import lesson_phrase
from worker.analytics.rules.activity import TimeSpent
from worker.analytics.rules.recommendations import RecommendationKind
from worker.analytics.rules.stuck import StuckThresholds
from worker.analytics.thresholds import AnalysisThresholds
from worker.errors import InputError, NotFoundError
from worker.progress.ingest import ingest

RULES = AnalysisThresholds()


def test_what_it_says_of_a_learner_is_what_one_would(engine: Engine) -> None:
    record(engine, [outlined(3, [(1, 1, "One"), (1, 2, "Two"), (2, 3)], seconds=-9), enrolled(5)])
    again = [viewed(5, 1, 2, time=ago(days=day)) for day in (4, 3, 2, 1)]
    record(engine, [completed(5, 1, 1, time=ago(days=9), duration_seconds=600), *again])

    found = analyze_learner(engine, 5, NOW, RULES)

    assert found.spent == TimeSpent(600, 600)
    assert [(each.title, each.visits, each.visits_to_complete) for each in found.lessons] == [
        ("One", 1, 1),
        ("Two", 4, None),
    ]
    assert (found.streaks.current, found.last_seen_on, found.is_dormant) == (4, ago(days=1).date(), False)
    assert [lesson_phrase(each) for each in found.stuck] == [
        "not completed after 4 visits, nor any later lesson since the first visit"
    ]
    assert [(each.kind, each.lesson_id) for each in found.recommendations] == [(RecommendationKind.NEXT, 2)]
    assert [each.kind for each in found.achievements] == ["first_lesson"]
    assert found.projection.completed_on
    assert found.projection.completed_on > NOW.date()
    assert (found.is_finished, found.completed_at, found.completed_on, found.pending) == (False, None, None, 0)
    assert found.as_of
    assert rows(engine, "SELECT refreshed_at < :read FROM enrollment_activity", read=found.as_of) == [(True,)]


def test_activity_that_is_not_computed_yet_or_stale_is_computed_on_the_spot(engine: Engine) -> None:
    events = [completed(5, 1, 1, time=ago(days=1)), viewed(5, 1, 2, time=ago(days=1, seconds=-60))]
    ingest(engine, entries([outlined(3, [(1, 1), (1, 2)], seconds=-9), enrolled(5), events[0]]))
    found = analyze_learner(engine, 5, NOW, RULES)
    assert (len(found.lessons), found.last_seen_on, found.sessions) == (1, ago(days=1).date(), 1)
    assert (found.pending, found.course_as_of) == (0, None)
    assert [each.kind for each in found.achievements] == ["first_lesson"]
    assert found.velocity.overall == 1
    refresh_all(engine)
    ingest(engine, entries(events[1:]))
    stale = analyze_learner(engine, 5, NOW, RULES)
    refresh_all(engine)
    current = analyze_learner(engine, 5, NOW, RULES)
    assert len(current.lessons) == 2
    assert replace(stale, as_of=None, course_as_of=None) == replace(current, as_of=None, course_as_of=None)


def test_stale_activity_of_very_many_events_is_shown_as_it_is_stored(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_learner, "MAX_EVENTS", 1)
    ingest(engine, entries([enrolled(5), viewed(5, 1, 1, time=ago(days=2)), viewed(5, 1, 2, time=ago(days=1))]))
    never = analyze_learner(engine, 5, NOW, RULES)
    assert (never.as_of, never.pending, never.lessons) == (None, 1, [])
    refresh_all(engine)
    ingest(engine, entries([viewed(5, 1, 3, time=NOW)]))
    found = analyze_learner(engine, 5, NOW, RULES)
    assert (found.pending, len(found.lessons)) == (1, 2)
    assert rows(engine, "SELECT stale_since FROM user_course") == [(found.as_of,)]


def test_an_enrollment_without_any_event_is_analyzed_too(engine: Engine) -> None:
    insert_as_lms(engine, 7)
    found = analyze_learner(engine, 7, NOW, RULES)
    assert (found.stuck, found.recommendations, found.achievements, found.is_dormant) == ([], [], [], False)
    assert sum(map(sum, found.events_by_weekday)) == 0


def test_the_rules_are_those_given(engine: Engine) -> None:
    days = [viewed(5, 1, 1, time=ago(days=each)) for each in (2, 3, 4)]  # Thursday to Saturday, before a Monday
    record(engine, [enrolled(5), *days])
    usual = analyze_learner(engine, 5, NOW, RULES)
    assert (usual.streaks.current, usual.is_dormant, len(usual.stuck)) == (0, False, 1)
    other = analyze_learner(
        engine, 5, NOW, AnalysisThresholds(grace_weekends=True, dormant_days=2, stuck=StuckThresholds(4, 2))
    )
    assert (other.streaks.current, other.is_dormant, len(other.stuck)) == (3, True, 0)


def test_days_are_those_of_where_the_learner_is(engine: Engine) -> None:
    done = [completed(5, 1, each, time=ago(days=10.5)) for each in (1, 2)]
    record(engine, [outlined(3, [(1, 1), (1, 2), (1, 3)]), enrolled(5, timezone="Pacific/Auckland"), *done])
    found = analyze_learner(engine, 5, NOW, RULES)
    assert (found.days[-1].day, found.last_seen_on) == (date(2025, 7, 14), date(2025, 7, 4))
    assert found.projection.completed_on == date(2025, 7, 20)  # in 5.25 days: at 16:30 UTC of the day before


@pytest.mark.parametrize("lessons", [1, 60])
def test_it_takes_ten_queries_whatever_there_is(engine: Engine, lessons: int) -> None:
    outline = [(1, each) for each in range(1, lessons + 1)]
    events = [completed(5, *lesson, time=ago(days=day, seconds=lesson[1])) for lesson, day in product(outline, (1, 2))]
    record(engine, [outlined(3, outline), enrolled(5), *events])
    with counted_statements(engine) as statements:
        analyze_learner(engine, 5, NOW, RULES)
    assert len([each for each in statements if each not in {"BEGIN", "COMMIT", "ROLLBACK"}]) == 10


def test_an_id_that_is_no_enrollment_is_told_so(engine: Engine) -> None:
    with pytest.raises(NotFoundError, match="There is no enrollment 404"):
        analyze_learner(engine, 404, NOW, RULES)
    for wrong in (0, 2**63):
        with pytest.raises(InputError, match="is not an enrollment id"):
            analyze_learner(engine, wrong, NOW, RULES)
