"""What is read from random histories of a learner: order-free, monotone, bounded, and equal to plainer definitions."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial

from hypothesis import assume, given
from hypothesis import strategies as st

from tests.support.learners import NOW, ago
from tests.support.zones import only
from worker.analytics.rules.achievements import achievements
from worker.analytics.rules.learner_history import LessonHistory
from worker.analytics.rules.recommendations import RecommendationKind, recommendations
from worker.analytics.rules.stuck import drop_off, stopped_at, stuck
from worker.analytics.rules.velocity import ProjectionState, projection, velocity
from worker.analytics.thresholds import AnalysisThresholds
from worker.contract.lesson import Lesson
from worker.contract.progress_status import ProgressStatus
from worker.summary.next_lesson import next_lesson

Histories = dict[Lesson, LessonHistory]

LESSONS = [(topic, lesson) for topic in (1, 2) for lesson in (1, 2, 3)]
MEDIANS = dict.fromkeys(LESSONS, 100.0)
TODAY = date(2025, 7, 31)

recommended = partial(recommendations, hurried_ratio=0.25, revisits=3)

days = st.lists(st.integers(0, 40).map(lambda before: TODAY - timedelta(days=before)), max_size=40)
moments = st.integers(0, 40).map(lambda before: ago(days=before))
outlines = st.lists(st.sampled_from(LESSONS), unique=True)
graces = st.booleans()


@st.composite
def lesson_histories(draw: st.DrawFn) -> LessonHistory:
    visits = draw(st.integers(0, 6))
    return LessonHistory(
        status=draw(st.sampled_from(ProgressStatus)),
        completed_at=draw(st.none() | moments),
        seconds=draw(st.integers(0, 500)),
        visits=visits,
        first_visit_at=draw(moments) if visits else None,
        visits_to_complete=draw(st.none() | st.integers(1, 6)),
    )


histories = st.dictionaries(st.sampled_from(LESSONS), lesson_histories())


@given(history=histories, outline=st.none() | outlines)
def test_a_learner_of_four_weeks_has_one_rate(history: Histories, outline: list[Lesson] | None) -> None:
    began = [at for each in history.values() for at in (each.first_visit_at, each.completed_at) if at]
    assume(all(at >= ago(days=28) for at in began))
    rates = velocity(history, outline, NOW)
    assert rates.overall == rates.recent


@given(history=histories, outline=outlines)
def test_at_the_projected_date_the_rate_has_completed_what_is_left(history: Histories, outline: list[Lesson]) -> None:
    found = projection(history, outline, NOW, only(None), last_at=NOW, course_days=365)
    rates = velocity(history, outline, NOW)
    left = len(outline) - len([lesson for lesson in outline if lesson in history and history[lesson].completed])
    assert (found.state is ProjectionState.FINISHED) == (left == 0 < len(outline))
    assert (found.state is ProjectionState.PROJECTED) == (left > 0 < rates.overall)
    if found.completed_on and found.rate:
        assert found.rate == (rates.recent or rates.overall)
        days = (found.completed_on - NOW.date()).days
        assert (days - 1) * found.rate / 7 <= left <= (days + 1) * found.rate / 7


@given(history=histories, lesson=st.sampled_from(LESSONS))
def test_one_more_lesson_completed_now_makes_nobody_slower(history: Histories, lesson: Lesson) -> None:
    before = velocity(history | {lesson: LessonHistory()}, LESSONS, NOW)
    after = velocity(history | {lesson: LessonHistory(ProgressStatus.COMPLETED, NOW)}, LESSONS, NOW)
    assert after.overall >= before.overall
    assert after.recent >= before.recent


@given(history=histories, outline=outlines, active=days, data=st.data(), grace_weekends=graces)
def test_the_order_of_a_history_does_not_matter(
    history: Histories, outline: list[Lesson], active: list[date], data: st.DataObject, grace_weekends: bool
) -> None:
    following = next_lesson(outline, None, [])
    readings: list[Callable[[Histories, list[date]], object]] = [
        lambda its, on: achievements(its, outline, on, zones=only(None), grace_weekends=grace_weekends),
        lambda its, _: velocity(its, outline, NOW),
        lambda its, _: projection(its, outline, NOW, only(None), last_at=None, course_days=None),
        lambda its, _: stuck(its, outline, MEDIANS, AnalysisThresholds().stuck),
        lambda its, _: stopped_at(its, outline),
        lambda its, _: recommended(following, its, outline, MEDIANS),
    ]
    shuffled = dict(data.draw(st.permutations(list(history.items()))))
    again = data.draw(st.permutations(active + active))
    for read in readings:
        assert read(shuffled, again) == read(history, active)


@given(history=histories, outline=outlines, lesson=st.sampled_from(LESSONS), at=moments)
def test_a_completion_takes_no_achievement_away(
    history: Histories, outline: list[Lesson], lesson: Lesson, at: datetime
) -> None:
    def earned(its: Histories) -> set[object]:
        found = achievements(its, outline, [], zones=only(None), grace_weekends=False)
        return {(each.kind, each.topic_id) for each in found}

    assert earned(history) <= earned(history | {lesson: LessonHistory(ProgressStatus.COMPLETED, at)})


@given(history=histories, outline=outlines, lesson=st.sampled_from(LESSONS))
def test_stuck_is_as_the_definition_says(history: Histories, outline: list[Lesson], lesson: Lesson) -> None:
    found = [(each.topic_id, each.lesson_id) for each in stuck(history, outline, MEDIANS, AnalysisThresholds().stuck)]
    its = history.get(lesson)
    if its is None or its.first_visit_at is None or lesson not in outline:
        assert lesson not in found
        return
    later = [history[each] for each in outline[outline.index(lesson) + 1 :] if each in history]
    completions = [each.completed_at for each in later if each.completed and each.completed_at]
    went_on = [at for at in completions if at >= its.first_visit_at]
    hard = its.visits >= 3 or its.seconds > 200
    assert (lesson in found) == (its.status == "in_progress" and hard and not went_on)


def stuck_on(history: Histories) -> set[Lesson]:
    return {(each.topic_id, each.lesson_id) for each in stuck(history, LESSONS, MEDIANS, AnalysisThresholds().stuck)}


@given(history=histories, lesson=st.sampled_from(LESSONS), visits=st.integers(1, 6), seconds=st.integers(0, 500))
def test_another_visit_or_more_time_frees_nobody(history: Histories, lesson: Lesson, visits: int, seconds: int) -> None:
    its = LessonHistory(ProgressStatus.IN_PROGRESS, None, seconds, visits, NOW)
    before = stuck_on(history | {lesson: its})
    for more in (replace(its, visits=visits + 1), replace(its, seconds=seconds + 1)):
        after = stuck_on(history | {lesson: more})
        assert before <= after


@given(learners=st.lists(histories), outline=outlines)
def test_a_lesson_stops_only_those_who_started_it_and_nobody_twice(
    learners: list[Histories], outline: list[Lesson]
) -> None:
    stops = [stopped_at(history, outline) for history in learners]
    for lesson in outline:
        started = [its[lesson] for its in learners if lesson in its and its[lesson].status != "not_started"]
        stopped = stops.count(lesson)
        share = drop_off(len(started), stopped)
        assert share is None if not started else share is not None and 0 <= share <= 1
        plainly = 0
        for its in learners:
            rest = outline[outline.index(lesson) :]
            here, *later = [its[each].status if each in its else "not_started" for each in rest]
            plainly += here == "in_progress" and all(status == "not_started" for status in later)
        assert stopped == plainly


@given(history=histories, outline=outlines, limit=st.integers(0, 8))
def test_recommendations_are_bounded_distinct_and_the_beginning_of_the_whole_list(
    history: Histories, outline: list[Lesson], limit: int
) -> None:
    following = next_lesson(outline, None, {lesson for lesson, each in history.items() if each.completed})
    found = recommended(following, history, outline, MEDIANS, limit=limit)
    lessons = [(each.topic_id, each.lesson_id) for each in found]
    assert len(set(lessons)) == len(lessons) <= limit
    assert set(lessons) <= set(outline)
    assert found == recommended(following, history, outline, MEDIANS, limit=99)[:limit]
    assert all(
        history[each.topic_id, each.lesson_id].completed
        for each in found
        if each.kind is RecommendationKind.SECOND_LOOK
    )
