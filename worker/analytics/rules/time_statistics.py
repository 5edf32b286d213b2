"""Time statistics of a course over all its learners: by lesson, by week, and in total.

The definitions in plain Python; production computes the same in SQL (`worker/analytics/statistics_statement.py`).
They depend on the rows and activity of the course's enrollments and on its outline, never on a clock.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from worker.analytics.rules.activity import HOURS_OF_A_WEEK, Activity, TimeSpent
from worker.analytics.rules.learner_history import History, LessonHistory, learners
from worker.analytics.rules.local_day import Zones, enrollment_zones
from worker.analytics.rules.stuck import StuckThresholds, effort, stopped_at, unfinished
from worker.analytics.rules.weeks import learner_weeks
from worker.contract.lesson import Lesson
from worker.progress.reference import State
from worker.summary.rules import live_lessons

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """One enrollment of the course: its counted history and activity, and its time zones."""

    history: History
    activity: Activity
    zones: Zones


@dataclass(frozen=True, slots=True)
class LessonTimeStatistics:
    """Statistics of a counted lesson over all enrollments of the course; a median of nothing is None.

    `stopped` and `stuck` count learners as defined in `rules.stuck`. `spent` is the sum over the learners. The medians
    are over the learners who completed it: their seconds in total, if any; their visits up to the completion, if any;
    and the days from the first visit to the completion, if both are known and in this order.
    """

    stopped: int
    stuck: int
    visits: int
    spent: TimeSpent
    median_seconds: float | None
    median_visits_to_complete: float | None
    median_days: float | None


@dataclass(frozen=True, slots=True)
class WeekTimeStatistics:
    """Sums of the learners' weeks (`worker.analytics.rules.weeks`); `learners` have an event in the week."""

    completed: int
    learners: int
    spent: TimeSpent


@dataclass(frozen=True, slots=True)
class CourseTimeStatistics:
    """Statistics of a course; time spent, sessions and hours are sums over its enrollments.

    `median_days` is over the learners who completed the course: the days from their first event, of any lesson, to the
    last completion in the outline, if these times are known and in this order. Empty weeks are left out.
    """

    spent: TimeSpent
    sessions: int
    session_seconds: float
    events_by_hour: list[int]
    median_days: float | None
    weeks: dict[date, WeekTimeStatistics]
    """By Monday."""
    lessons: dict[Lesson, LessonTimeStatistics]


@dataclass(slots=True)
class _Count:
    """The sums of a lesson or a week, in whole microseconds so that they do not depend on the order."""

    visits: int = 0
    stopped: int = 0
    completed: int = 0
    learners: int = 0
    spent_us: int = 0
    measured_us: int = 0

    def spend(self, spent: TimeSpent) -> None:
        self.spent_us += _microseconds(spent.seconds)
        self.measured_us += _microseconds(spent.measured_seconds)

    @property
    def spent(self) -> TimeSpent:
        return TimeSpent(self.spent_us / 1e6, self.measured_us / 1e6)


class _Values:
    """The values of a lesson's medians, eight bytes each, and the histories of learners who may be stuck."""

    def __init__(self) -> None:
        self.count = _Count()
        self.seconds, self.visits_to_complete, self.days = array("d"), array("d"), array("d")
        self.unfinished: list[LessonHistory] = []

    def add(self, its: LessonHistory) -> None:
        self.count.visits += its.visits
        if not its.completed:
            return
        if its.seconds:
            self.seconds.append(its.seconds)
        if its.visits_to_complete:
            self.visits_to_complete.append(its.visits_to_complete)
        if its.first_visit_at and its.completed_at and its.first_visit_at <= its.completed_at:
            self.days.append(_days(its.first_visit_at, its.completed_at))

    def statistics(self, thresholds: StuckThresholds) -> LessonTimeStatistics:
        median_seconds = median(self.seconds)
        return LessonTimeStatistics(
            stopped=self.count.stopped,
            stuck=sum(bool(effort(each, median_seconds or 0, thresholds)) for each in self.unfinished),
            visits=self.count.visits,
            spent=self.count.spent,
            median_seconds=median_seconds,
            median_visits_to_complete=median(self.visits_to_complete),
            median_days=median(self.days),
        )


class TimeTally:
    """Gathers the time statistics of one course, enrollment by enrollment.

    Without an outline, every lesson that has a row counts, by topic and lesson, but the course is never completed.
    """

    def __init__(self, outline: Sequence[Lesson] | None) -> None:
        """Take the course's outline, None if it has none."""
        self._outline = outline
        self._lessons = {lesson: _Values() for lesson in outline or ()}
        self._weeks: dict[date, _Count] = defaultdict(_Count)
        self._course = _Count()
        self._days = array("d")
        self._sessions = self._session_us = 0
        self._events_by_hour = [0] * HOURS_OF_A_WEEK

    def add(self, enrolled: Enrolled) -> None:
        """Count one enrollment."""
        history, activity = enrolled.history, enrolled.activity
        if self._outline is None:
            for lesson in history:
                self._lessons.setdefault(lesson, _Values())
        lessons = sorted(history) if self._outline is None else self._outline
        for lesson in self._lessons.keys() & history.keys():
            self._lessons[lesson].add(history[lesson])
        for lesson in self._lessons.keys() & activity.lessons.keys():
            self._lessons[lesson].count.spend(activity.lessons[lesson][0])
        if stopped := stopped_at(history, lessons):
            self._lessons[stopped].count.stopped += 1
        for lesson in unfinished(history, lessons):
            self._lessons[lesson].unfinished.append(history[lesson])
        if (days := _days_to_complete(enrolled, self._outline or ())) is not None:
            self._days.append(days)
        self._course.spend(activity.spent)
        self._sessions += activity.sessions
        self._session_us += _microseconds(activity.session_seconds)
        self._events_by_hour = [a + b for a, b in zip(self._events_by_hour, activity.events_by_hour, strict=True)]
        self._add_weeks(enrolled)

    def _add_weeks(self, enrolled: Enrolled) -> None:
        weeks = learner_weeks(enrolled.history, enrolled.activity.days, self._lessons, enrolled.zones)
        for monday, week in weeks.items():
            count = self._weeks[monday]
            count.completed += week.completed
            count.learners += bool(week.events)
            count.spend(week.spent)

    def statistics(self, thresholds: StuckThresholds) -> CourseTimeStatistics:
        """Return the statistics of the enrollments added."""
        return CourseTimeStatistics(
            spent=self._course.spent,
            sessions=self._sessions,
            session_seconds=self._session_us / 1e6,
            events_by_hour=self._events_by_hour,
            median_days=median(self._days),
            weeks={
                week: WeekTimeStatistics(its.completed, its.learners, its.spent) for week, its in self._weeks.items()
            },
            lessons={lesson: its.statistics(thresholds) for lesson, its in self._lessons.items()},
        )


def course_time_statistics(
    enrolled: Iterable[Enrolled], outline: Sequence[Lesson] | None, thresholds: StuckThresholds
) -> CourseTimeStatistics:
    """Return the time statistics of a course from all of its enrollments."""
    tally = TimeTally(outline)
    for each in enrolled:
        tally.add(each)
    return tally.statistics(thresholds)


def time_statistics_by_course(
    state: State, activities: Mapping[int, Activity], thresholds: StuckThresholds
) -> dict[int, CourseTimeStatistics]:
    """Return the time statistics of every course that has an outline or an enrollment."""
    known = learners(state, activities)
    enrolled: dict[int, list[Enrolled]] = {course_id: [] for course_id in state.outlines}
    for key, event in state.enrollments.items():
        learner = Enrolled(*known[key], enrollment_zones(state.snapshots[key]))
        enrolled.setdefault(event.data.course_id, []).append(learner)
    return {
        course_id: course_time_statistics(its, live_lessons(state, course_id), thresholds)
        for course_id, its in enrolled.items()
    }


def median(values: Iterable[float]) -> float | None:
    """Return the median, computed like PostgreSQL's `percentile_cont(0.5)`."""
    ordered = sorted(values)
    if not ordered:
        return None
    lower, upper = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return float(lower + 0.5 * (upper - lower))


def _days_to_complete(learner: Enrolled, lessons: Sequence[Lesson]) -> float | None:
    began = learner.activity.first_at
    found = [learner.history.get(lesson) for lesson in lessons]
    times = [each.completed_at for each in found if each and each.completed and each.completed_at]
    if not began or not times or len(times) < len(lessons) or max(times) < began:
        return None
    return _days(began, max(times))


def _days(earlier: datetime, later: datetime) -> float:
    return (later - earlier).total_seconds() / _DAY.total_seconds()


def _microseconds(seconds: float) -> int:
    return round(1e6 * seconds)
