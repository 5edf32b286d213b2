"""The analysis of a course as plain Python computes it from the events, beside no database."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

from tests.support.learner_analysis import titles_of
from tests.support.zones import active_days
from worker.analytics.analysis import DORMANT, WEEKS, AnalyzedLesson, CourseAnalysis, DormantLearner, Week
from worker.analytics.rules.activity import Activity, TimeSpent
from worker.analytics.rules.completion_statistics import tallies
from worker.analytics.rules.difficulty import Signs, difficulties
from worker.analytics.rules.local_day import enrollment_zones, local_day
from worker.analytics.rules.streaks import is_dormant, last_seen
from worker.analytics.rules.stuck import drop_off
from worker.analytics.rules.time_statistics import CourseTimeStatistics, WeekTimeStatistics, time_statistics_by_course
from worker.analytics.thresholds import AnalysisThresholds
from worker.contract.event import LessonEvent
from worker.contract.progress_status import ProgressStatus
from worker.progress.reference import State
from worker.summary.rules import summaries


def expected_course(
    state: State,
    activities: Mapping[int, Activity],
    course_id: int,
    thresholds: AnalysisThresholds,
    now: datetime,
    as_of: datetime | None,
) -> CourseAnalysis:
    """The analysis of a course from events and activity; `as_of` is given."""
    figures, tally = (
        time_statistics_by_course(state, activities, thresholds.stuck)[course_id],
        tallies(state)[course_id],
    )
    titles = titles_of(state, course_id)
    order = list(titles) if course_id in state.outlines else sorted(tally.lessons())
    dormant = _dormant(state, course_id, thresholds, now)
    dormant.sort(key=lambda each: (-each.last_seen_on.toordinal(), each.user_course_id))
    signs = {
        lesson: Signs(
            tally.lessons()[lesson].started,
            figures.lessons[lesson].median_seconds,
            figures.lessons[lesson].median_visits_to_complete,
            drop_off(tally.lessons()[lesson].started, figures.lessons[lesson].stopped),
        )
        for lesson in order
    }
    difficult = difficulties(signs, thresholds.min_learners)
    return CourseAnalysis(
        course_id=course_id,
        total_is_known=course_id in state.outlines,
        statistics=tally.course(),
        spent=figures.spent,
        sessions=figures.sessions,
        session_seconds=figures.session_seconds,
        median_days=figures.median_days,
        events_by_weekday=[[figures.events_by_hour[24 * weekday + hour] for hour in range(24)] for weekday in range(7)],
        weeks=_weeks(figures, now.astimezone(UTC).date()),
        lessons=[
            AnalyzedLesson(
                *lesson,
                title=titles.get(lesson),
                statistics=tally.lessons()[lesson],
                visits=its.visits,
                spent=its.spent,
                median_seconds=its.median_seconds,
                median_visits_to_complete=its.median_visits_to_complete,
                median_days=its.median_days,
                stopped=its.stopped,
                stuck=its.stuck,
                drop_off=signs[lesson].drop_off,
                is_blocker=its.stopped >= thresholds.blocker_ratio * signs[lesson].learners > 0
                and signs[lesson].learners >= thresholds.min_learners,
                difficulty=difficult.get(lesson),
            )
            for lesson in order
            for its in [figures.lessons[lesson]]
        ],
        dormant_learners=len(dormant),
        dormant=dormant[:DORMANT],
        as_of=as_of,
        pending=0,
    )


def _weeks(figures: CourseTimeStatistics, today: date) -> list[Week]:
    found, nothing = [], WeekTimeStatistics(0, 0, TimeSpent(0, 0))
    monday = min(figures.weeks, default=date.max)
    while monday <= max([*figures.weeks, today]):
        its = figures.weeks.get(monday, nothing)
        found.append(Week(monday, its.completed, its.learners, its.spent))
        monday += timedelta(days=7)
    return found[-WEEKS:]


def _dormant(state: State, course_id: int, thresholds: AnalysisThresholds, now: datetime) -> list[DormantLearner]:
    found = []
    times: dict[int, list[datetime]] = {key: [] for key in state.enrollments}
    for (key, _), event in state.ledger.items():
        if isinstance(event, LessonEvent):
            times[key].append(event.time)
    percentages = {key: each.completion_percentage for key, each in summaries(state).items()}
    lessons = list(titles_of(state, course_id))
    for key, told in state.enrollments.items():
        if told.data.course_id != course_id:
            continue
        zones = enrollment_zones(state.snapshots[key])
        today = local_day(now, zones)
        seen_on = last_seen(active_days(times[key], zones), today)
        rows = [state.progress.get((key, *lesson)) for lesson in lessons]
        is_finished = lessons and all(row and row.status is ProgressStatus.COMPLETED for row in rows)
        if seen_on and not is_finished and is_dormant(seen_on, today, thresholds.dormant_days):
            found.append(DormantLearner(key, seen_on, percentages[key]))
    return found
