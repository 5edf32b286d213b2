"""Analyses of a course and of a learner, made up for reports: what follows from a seed, and those of nothing."""

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from worker.analytics.analysis import (
    AnalyzedLesson,
    CourseAnalysis,
    DayTime,
    DormantLearner,
    LearnerAnalysis,
    TopicTime,
    VisitedLesson,
    Week,
    WeekTime,
)
from worker.analytics.class_list import ClassMember, LearnerState
from worker.analytics.rules.achievements import Achievement, AchievementKind
from worker.analytics.rules.activity import TimeSpent
from worker.analytics.rules.completion_statistics import Statistics
from worker.analytics.rules.difficulty import Difficulty
from worker.analytics.rules.reasons import Reason, Rule
from worker.analytics.rules.recommendations import Recommendation, RecommendationKind
from worker.analytics.rules.streaks import Streaks
from worker.analytics.rules.stuck import Stuck
from worker.analytics.rules.velocity import Basis, Projection, ProjectionState, Velocity
from worker.contract.progress_status import ProgressStatus
from worker.summary.next_lesson import NextReason

AS_OF = datetime(2025, 7, 14, 10, 30, tzinfo=UTC)
TODAY = AS_OF.date()
NOTHING = TimeSpent(0, 0)
NO_HOURS = [[0] * 24 for _ in range(7)]


def course(*, enrollments: int = 120, topics: int = 3, lessons: int = 4, seed: int = 1) -> CourseAnalysis:
    """A course of so many topics of so many lessons each, whose learners get fewer and stop at some."""
    chance = random.Random(seed)
    found, started = [], float(enrollments - 7)
    for topic_id in range(1, topics + 1):
        for lesson_id in range(1, lessons + 1):
            is_blocker = chance.random() < 0.06
            stopped = int(started * (chance.uniform(0.2, 0.5) if is_blocker else chance.uniform(0, 0.02)))
            found.append(_lesson(chance, topic_id, lesson_id, enrollments, int(started), stopped, is_blocker))
            started -= stopped
    return CourseAnalysis(
        course_id=3,
        total_is_known=True,
        statistics=Statistics(enrollments, enrollments - 7, int(started), _rate(int(started), enrollments), AS_OF),
        spent=TimeSpent(sum(each.spent.seconds for each in found), sum(each.spent.measured_seconds for each in found)),
        sessions=31 * enrollments,
        session_seconds=31 * enrollments * 1_450.5,
        median_days=61.25,
        events_by_weekday=[[_events(chance, weekday, hour, enrollments) for hour in range(24)] for weekday in range(7)],
        weeks=[_week(chance, number, enrollments, topics * lessons) for number in range(40)],
        lessons=found,
        dormant_learners=120,
        dormant=[DormantLearner(number, TODAY - timedelta(days=13 + number), Decimal(7)) for number in range(1, 101)],
        as_of=AS_OF,
        pending=0,
    )


def class_list(*, enrollments: int = 120, seed: int = 1) -> list[ClassMember]:
    """The course's enrollments: some dormant, not started, stuck or finished."""
    chance = random.Random(seed)
    states = sorted(chance.choices(list(LearnerState), (2, 1, 6, 3), k=enrollments), key=list(LearnerState).index)
    return [_member(chance, number, state) for number, state in enumerate(states, 1)]


def empty_course() -> CourseAnalysis:
    """A course before its analysis is first computed."""
    return CourseAnalysis(3, False, None, NOTHING, 0, 0, None, NO_HOURS, [], [], 0, [], None, 0)


def learner(*, topics: int = 3, lessons: int = 4, title: str = "Fractions", seed: int = 1) -> LearnerAnalysis:
    """A learner who visited these lessons, all but the last completed."""
    chance = random.Random(seed)
    visited = [
        VisitedLesson(
            topic_id,
            lesson_id,
            f"{title} {topic_id}.{lesson_id}",
            ProgressStatus.IN_PROGRESS if (topic_id, lesson_id) == (topics, lessons) else ProgressStatus.COMPLETED,
            _time(chance, chance.uniform(120, 4_000)),
            visits := chance.randint(1, 6),
            None if (topic_id, lesson_id) == (topics, lessons) else visits,
            AS_OF - timedelta(days=100 - topic_id, minutes=lesson_id),
            AS_OF - timedelta(days=30 - topic_id, minutes=lesson_id),
        )
        for topic_id in range(1, topics + 1)
        for lesson_id in range(1, lessons + 1)
    ]
    times = [_time(chance, chance.choice([0, 0, 900, 3_000, 5_400])) for _ in range(28)]
    return LearnerAnalysis(
        user_course_id=5,
        course_id=3,
        total_lessons=topics * lessons + 2,
        total_is_known=True,
        completed_lessons=topics * lessons - 1,
        completion_percentage=_rate(topics * lessons - 1, topics * lessons + 2),
        spent=TimeSpent(90_500, 60_500.5),
        topics=[TopicTime(topic_id, _time(chance, 4_000 * topic_id)) for topic_id in range(1, topics + 1)],
        lessons=visited,
        days=[
            DayTime(TODAY - timedelta(days=27 - number), spent, int(spent.seconds) // 300)
            for number, spent in enumerate(times)
        ],
        weeks=[_week_of_one(chance, number) for number in range(15)],
        sessions=48,
        session_seconds=93_000.5,
        events_by_weekday=[[_events(chance, weekday, hour, 2) for hour in range(24)] for weekday in range(7)],
        doubtful_events=2,
        streaks=Streaks(3, 12, date(2025, 5, 5), date(2025, 5, 16)),
        last_seen_on=TODAY,
        is_dormant=False,
        velocity=Velocity(2.4, 3.25),
        is_finished=False,
        completed_at=None,
        completed_on=None,
        projection=Projection(ProjectionState.PROJECTED, date(2025, 9, 30), 3.25, Basis.RECENT),
        stuck=[
            Stuck(
                topics,
                lessons,
                (Reason(Rule.MANY_VISITS, visits=4),),
                f"{title} {topics}.{lessons}",
            )
        ],
        recommendations=[
            Recommendation(RecommendationKind.NEXT, topics + 1, 1, (Reason(NextReason.AFTER_CURRENT),)),
            Recommendation(RecommendationKind.SECOND_LOOK, 1, 2, (Reason(Rule.REVISITED, visits=4),), visited[1].title),
        ],
        achievements=[
            Achievement(AchievementKind.FIRST_LESSON, date(2025, 4, 6), AS_OF - timedelta(days=99)),
            Achievement(AchievementKind.TOPIC, date(2025, 5, 6), AS_OF - timedelta(days=69), 1),
            Achievement(AchievementKind.STREAK_7, date(2025, 5, 11)),
        ],
        as_of=AS_OF,
        pending=0,
        course_as_of=AS_OF,
    )


def new_learner() -> LearnerAnalysis:
    """A learner without any event."""
    days = [DayTime(TODAY - timedelta(days=27 - number), NOTHING, 0) for number in range(28)]
    return LearnerAnalysis(
        user_course_id=5,
        course_id=None,
        total_lessons=0,
        total_is_known=False,
        completed_lessons=0,
        completion_percentage=Decimal(0),
        spent=NOTHING,
        topics=[],
        lessons=[],
        days=days,
        weeks=[],
        sessions=0,
        session_seconds=0,
        events_by_weekday=NO_HOURS,
        doubtful_events=0,
        streaks=Streaks(0, 0, None, None),
        last_seen_on=None,
        is_dormant=False,
        velocity=Velocity(0, 0),
        is_finished=False,
        completed_at=None,
        completed_on=None,
        projection=Projection(ProjectionState.UNKNOWN),
        stuck=[],
        recommendations=[],
        achievements=[],
        as_of=None,
        pending=0,
        course_as_of=None,
    )


def _lesson(
    chance: random.Random, topic_id: int, lesson_id: int, enrollments: int, started: int, stopped: int, is_blocker: bool
) -> AnalyzedLesson:
    completed = started - stopped - int(started * chance.uniform(0, 0.1))
    minutes = chance.choice([3, 6, 8, 12, 15, 25, 40])
    return AnalyzedLesson(
        topic_id=topic_id,
        lesson_id=100 * topic_id + lesson_id,
        title=f"{chance.choice(['Practice', 'Reading', 'Video', 'Quiz'])} {topic_id}.{lesson_id}",
        statistics=Statistics(enrollments, started, completed, _rate(completed, enrollments), AS_OF),
        visits=3 * started,
        spent=_time(chance, started * minutes * 75.5),
        median_seconds=minutes * 60.5,
        median_visits_to_complete=chance.choice([1.0, 1.5, 2.0, 3.0]),
        median_days=chance.choice([0.01, 0.5, 2.25, 9.0]),
        stopped=stopped,
        stuck=stopped // 3,
        drop_off=stopped / started if started else None,
        is_blocker=is_blocker and started > 20,
        difficulty=Difficulty(chance.uniform(0.2, 0.9), started) if started > 10 else None,
    )


def _member(chance: random.Random, number: int, state: LearnerState) -> ClassMember:
    is_finished, is_new = state is LearnerState.FINISHED, state is LearnerState.NOT_STARTED
    completed = 12 if is_finished else 0 if is_new else chance.randint(0, 11)
    is_stuck = not (is_finished or is_new) and chance.random() < 0.2
    stuck = Stuck(2, 201, (Reason(Rule.MANY_VISITS, visits=4),), "Adding fractions") if is_stuck else None
    ago = chance.randint(15, 60) if state is LearnerState.DORMANT else chance.randint(0, 13)
    return ClassMember(
        user_course_id=number,
        user_id=1_000 + number,
        state=state,
        completed_lessons=completed,
        total_lessons=12,
        total_is_known=True,
        completion_percentage=_rate(completed, 12),
        last_seen_on=None if is_new else TODAY - timedelta(days=ago),
        completed_at=AS_OF - timedelta(days=ago) if is_finished else None,
        completed_on=TODAY - timedelta(days=ago) if is_finished else None,
        stuck=[stuck] if stuck else [],
        is_pending=False,
    )


def _time(chance: random.Random, seconds: float) -> TimeSpent:
    return TimeSpent(seconds, round(seconds * chance.uniform(0.3, 1), 3))


def _rate(part: int, whole: int) -> Decimal:
    return round(Decimal(100 * part) / whole, 2)


def _events(chance: random.Random, weekday: int, hour: int, many: int) -> int:
    waking = max(0, 1 - abs(hour - 15) / 9) * (0.4 if weekday > 4 else 1)
    return int(many * waking * chance.uniform(0, 14))


def _week(chance: random.Random, number: int, enrollments: int, lessons: int) -> Week:
    active = int(enrollments * max(0.05, 1 - number / 45) * chance.uniform(0.4, 0.9))
    monday = date(2024, 9, 2) + timedelta(weeks=number)
    return Week(monday, active * lessons // 60, active, _time(chance, active * 5_000.5))


def _week_of_one(chance: random.Random, number: int) -> WeekTime:
    monday = date(2025, 4, 7) + timedelta(weeks=number)
    events = chance.choice([0, 3, 20, 45])
    return WeekTime(monday, events // 15, _time(chance, events * 300.5), events)
