"""What the learners of a course show together: of each lesson, week by week, and in all.

PostgreSQL computes the same set by set (`worker/storage/statistics_refresh.py`); here each definition stands once.
Everything follows from the rows and the activity of the course's enrolments and from its outline, and from no clock.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from worker.domain.activity import HOURS_OF_A_WEEK, Activity, TimeSpent
from worker.domain.learner import History, LessonHistory, histories
from worker.domain.local_day import local_day
from worker.domain.outline import Lesson
from worker.domain.progress import State
from worker.domain.stuck import StuckRules, stopped_at, stuck
from worker.domain.summary import live_lessons

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """One enrolment of the course: its rows, what it did, and where that was."""

    history: History
    activity: Activity
    timezone: str | None


@dataclass(frozen=True, slots=True)
class LessonFigures:
    """Of a lesson that counts, over all enrolments of the course; a median is None where nobody has a figure.

    `stopped` are those whom it stopped, `stuck` those who are stuck on it, both as in `worker.domain.stuck`. `spent` is
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
    """Of a week, Monday to Sunday where each learner is: lessons completed in it, learners active, time spent.

    Only lessons that count are completed, and only at a known time. Active is who has an event, of whatever lesson.
    """

    completed: int
    learners: int
    spent: TimeSpent


@dataclass(frozen=True, slots=True)
class CourseFigures:
    """Of a course. The time spent, the sessions and the hours are the sums of its enrolments'.

    `median_days` is over those who completed the course: the days from their first event, of whatever lesson, to the
    last completion of a lesson that counts, where all these times are known and in this order. A week in which nothing
    was completed, done or spent is left out.
    """

    spent: TimeSpent
    sessions: int
    session_seconds: float
    events_by_hour: list[int]
    median_days: float | None
    weeks: dict[date, WeekFigures]
    """By the Monday."""
    lessons: dict[Lesson, LessonFigures]


def course_figures(enrolled: Sequence[Enrolled], outline: Sequence[Lesson] | None, rules: StuckRules) -> CourseFigures:
    """The figures of a course from all of its enrolments.

    Without an outline each lesson counts that has a row, by topic and lesson; but then a learner has completed the
    course with all of the own rows.
    """
    lessons = sorted({lesson for each in enrolled for lesson in each.history}) if outline is None else outline
    completed = {lesson: _completed(enrolled, lesson) for lesson in lessons}
    medians = {
        lesson: middle
        for lesson, its in completed.items()
        if (middle := median(each.seconds for each in its if each.seconds)) is not None
    }
    stops = [stopped_at(each.history, lessons) for each in enrolled]
    stuck_on = [
        (each.topic_id, each.lesson_id) for its in enrolled for each in stuck(its.history, lessons, medians, rules)
    ]
    return CourseFigures(
        spent=total(each.activity.spent for each in enrolled),
        sessions=sum(each.activity.sessions for each in enrolled),
        session_seconds=_sum(each.activity.session_seconds for each in enrolled),
        events_by_hour=[
            sum(each.activity.events_by_hour[hour] for each in enrolled) for hour in range(HOURS_OF_A_WEEK)
        ],
        median_days=median(
            days
            for each in enrolled
            if (days := _days_to_complete(each, sorted(each.history) if outline is None else outline)) is not None
        ),
        weeks=_weeks(enrolled, set(lessons)),
        lessons={
            lesson: LessonFigures(
                stopped=stops.count(lesson),
                stuck=stuck_on.count(lesson),
                visits=sum(each.history[lesson].visits for each in enrolled if lesson in each.history),
                spent=total(each.activity.lessons[lesson][0] for each in enrolled if lesson in each.activity.lessons),
                median_seconds=medians.get(lesson),
                median_visits_to_complete=median(
                    each.visits_to_complete for each in completed[lesson] if each.visits_to_complete
                ),
                median_days=median(
                    _days(each.first_visit_at, each.completed_at)
                    for each in completed[lesson]
                    if each.first_visit_at and each.completed_at and each.first_visit_at <= each.completed_at
                ),
            )
            for lesson in lessons
        },
    )


def figures_by_course(state: State, activities: Mapping[int, Activity], rules: StuckRules) -> dict[int, CourseFigures]:
    """The figures of every course that has an outline or an enrolment, whose activity is given."""
    its_histories = histories(state, activities)
    enrolled: dict[int, list[Enrolled]] = {course_id: [] for course_id in state.outlines}
    for key, event in state.enrollments.items():
        learner = Enrolled(its_histories[key], activities[key], event.data.timezone)
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


def total(spent: Iterable[TimeSpent]) -> TimeSpent:
    """The sum, exact to the microsecond whatever the order."""
    every = list(spent)
    return TimeSpent(_sum(each.seconds for each in every), _sum(each.measured_seconds for each in every))


def _completed(enrolled: Iterable[Enrolled], lesson: Lesson) -> list[LessonHistory]:
    found = (each.history.get(lesson) for each in enrolled)
    return [each for each in found if each and each.completed]


def _days_to_complete(learner: Enrolled, lessons: Sequence[Lesson]) -> float | None:
    began = learner.activity.first_at
    found = [learner.history.get(lesson) for lesson in lessons]
    times = [each.completed_at for each in found if each and each.completed and each.completed_at]
    if not began or not times or len(times) < len(lessons) or max(times) < began:
        return None
    return _days(began, max(times))


def _days(earlier: datetime, later: datetime) -> float:
    return (later - earlier).total_seconds() / _DAY.total_seconds()


def _weeks(enrolled: Iterable[Enrolled], lessons: set[Lesson]) -> dict[date, WeekFigures]:
    completed: dict[date, int] = defaultdict(int)
    learners: dict[date, int] = defaultdict(int)
    spent: dict[date, list[TimeSpent]] = defaultdict(list)
    for each in enrolled:
        for lesson, its in each.history.items():
            if lesson in lessons and its.completed and its.completed_at:
                completed[monday(local_day(its.completed_at, each.timezone))] += 1
        for day, of_day in each.activity.days.items():
            spent[monday(day)].append(of_day.spent)
        for week in {monday(day) for day, of_day in each.activity.days.items() if of_day.events}:
            learners[week] += 1
    return {
        week: WeekFigures(completed[week], learners[week], total(spent[week]))
        for week in {*completed, *learners, *spent}
    }


def monday(day: date) -> date:
    """The first day of its week."""
    return day - day.weekday() * _DAY


def _sum(seconds: Iterable[float]) -> float:
    return sum(round(1e6 * each) for each in seconds) / 1e6
