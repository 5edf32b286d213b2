"""What the learners of a course show together: of each lesson, week by week, and in all.

PostgreSQL computes the same set by set (`worker/analytics/statistics_claims.py`); here each definition stands once.
Everything follows from the rows and the activity of the course's enrollments and from its outline, and from no clock.
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
    """One enrollment of the course: its rows, what it did, as both count for the lessons, and where that was."""

    history: History
    activity: Activity
    zones: Zones


@dataclass(frozen=True, slots=True)
class LessonFigures:
    """Of a lesson that counts, over all enrollments of the course; a median is None where nobody has a figure.

    `stopped` are those whom it stopped, `stuck` those who are stuck on it, both as in `rules.stuck`. `spent` is
    the sum over the learners. The medians are over those who completed it: their seconds of all time, where any is
    known; their visits up to the completion, where there was one; and the days from their first visit to their
    completion, where both are known and in this order.
    """

    stopped: int
    stuck: int
    visits: int
    spent: TimeSpent
    median_seconds: float | None
    median_visits_to_complete: float | None
    median_days: float | None


@dataclass(frozen=True, slots=True)
class WeekFigures:
    """The sums of the learners' weeks, as in `worker.analytics.rules.weeks`; active is who has an event in it."""

    completed: int
    learners: int
    spent: TimeSpent


@dataclass(frozen=True, slots=True)
class CourseFigures:
    """Of a course. The time spent, the sessions and the hours are the sums of its enrollments'.

    `median_days` is over those who completed the course: the days from their first event, of whatever lesson, to the
    last completion of a lesson of the outline, where all these times are known and in this order. A week in which
    nothing was completed, done or spent is left out.
    """

    spent: TimeSpent
    sessions: int
    session_seconds: float
    events_by_hour: list[int]
    median_days: float | None
    weeks: dict[date, WeekFigures]
    """By the Monday."""
    lessons: dict[Lesson, LessonFigures]


@dataclass(slots=True)
class _Count:
    """Of a lesson, or of a week: what adds up. Microseconds are whole, so that no order changes a sum."""

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
    """Of a lesson: what its medians are over, eight bytes each, and the efforts of those who may be stuck."""

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

    def figures(self, rules: StuckThresholds) -> LessonFigures:
        median_seconds = median(self.seconds)
        return LessonFigures(
            stopped=self.count.stopped,
            stuck=sum(bool(effort(each, median_seconds or 0, rules)) for each in self.unfinished),
            visits=self.count.visits,
            spent=self.count.spent,
            median_seconds=median_seconds,
            median_visits_to_complete=median(self.visits_to_complete),
            median_days=median(self.days),
        )


class FiguresTally:
    """The figures of one course, gathered enrollment by enrollment.

    Without an outline each lesson counts that has a row, by topic and lesson, but nobody has completed the course.
    """

    def __init__(self, outline: Sequence[Lesson] | None) -> None:
        """The course's outline, None where it has none."""
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

    def figures(self, rules: StuckThresholds) -> CourseFigures:
        """Those of all that were added."""
        return CourseFigures(
            spent=self._course.spent,
            sessions=self._sessions,
            session_seconds=self._session_us / 1e6,
            events_by_hour=self._events_by_hour,
            median_days=median(self._days),
            weeks={week: WeekFigures(its.completed, its.learners, its.spent) for week, its in self._weeks.items()},
            lessons={lesson: its.figures(rules) for lesson, its in self._lessons.items()},
        )


def course_figures(
    enrolled: Iterable[Enrolled], outline: Sequence[Lesson] | None, rules: StuckThresholds
) -> CourseFigures:
    """The figures of a course from all of its enrollments."""
    tally = FiguresTally(outline)
    for each in enrolled:
        tally.add(each)
    return tally.figures(rules)


def figures_by_course(
    state: State, activities: Mapping[int, Activity], rules: StuckThresholds
) -> dict[int, CourseFigures]:
    """The figures of every course that has an outline or an enrollment, whose own activity is given."""
    known = learners(state, activities)
    enrolled: dict[int, list[Enrolled]] = {course_id: [] for course_id in state.outlines}
    for key, event in state.enrollments.items():
        learner = Enrolled(*known[key], enrollment_zones(state.snapshots[key]))
        enrolled.setdefault(event.data.course_id, []).append(learner)
    return {
        course_id: course_figures(its, live_lessons(state, course_id), rules) for course_id, its in enrolled.items()
    }


def median(values: Iterable[float]) -> float | None:
    """The middle one, or of an even number the middle of the middle two, as PostgreSQL's `percentile_cont` has it."""
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
