"""What a learner has achieved in a course, always recomputed from the whole history."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from worker.analytics.rules.learner_history import History, LessonHistory
from worker.analytics.rules.local_day import Zones, local_day
from worker.analytics.rules.streaks import runs
from worker.contract.lesson import Lesson


class AchievementKind(StrEnum):
    """What was achieved."""

    FIRST_LESSON = "first_lesson"
    TOPIC = "topic"
    COURSE = "course"
    STREAK_7 = "streak_7"
    STREAK_30 = "streak_30"


_STREAKS = {AchievementKind.STREAK_7: 7, AchievementKind.STREAK_30: 30}


@dataclass(frozen=True, slots=True)
class Achievement:
    """What was earned and when: the date is the learner's own.

    A streak is earned on a day and at no moment of it. Both are None where what earned it was set by hand without its
    moment. Only a topic has a `topic_id`.
    """

    kind: AchievementKind
    earned_on: date | None
    earned_at: datetime | None = None
    topic_id: int | None = None


def achievements(
    history: History,
    outline: Sequence[Lesson] | None,
    days: Iterable[date],
    *,
    zones: Zones,
    grace_weekends: bool,
) -> list[Achievement]:
    """What history and active days have earned, by kind, topics in outline order.

    * The first lesson: with the earliest known completion of any lesson, also of one that left the outline.
    * A topic and the course: with the last completion of their lessons in the outline, at least one; without an outline
      nobody knows what all of them are.
    * A streak: on its 7th or 30th active day, whether it went on or broke, for the first that came so far.

    Nothing is remembered: what a correction or a longer outline takes back is not achieved any more.
    """

    def earned(kind: AchievementKind, at: datetime | None, topic_id: int | None = None) -> Achievement:
        return Achievement(kind, local_day(at, zones) if at else None, at, topic_id)

    found = []
    completed = [each for each in history.values() if each.completed]
    if completed:
        first = min((each.completed_at for each in completed if each.completed_at), default=None)
        found.append(earned(AchievementKind.FIRST_LESSON, first))
    topics: dict[int, list[LessonHistory]] = {}
    for lesson in outline or ():
        topics.setdefault(lesson[0], []).append(history.get(lesson, LessonHistory()))
    for topic_id, lessons in topics.items():
        if _all_completed(lessons):
            found.append(earned(AchievementKind.TOPIC, _last(lessons), topic_id))
    course = [each for lessons in topics.values() for each in lessons]
    if course and _all_completed(course):
        found.append(earned(AchievementKind.COURSE, _last(course)))
    parted = runs(days, grace_weekends=grace_weekends)
    for kind, length in _STREAKS.items():
        reached = [run[length - 1] for run in parted if len(run) >= length]
        if reached:
            found.append(Achievement(kind, reached[0]))
    return found


def _all_completed(lessons: Iterable[LessonHistory]) -> bool:
    return all(each.completed for each in lessons)


def _last(lessons: Sequence[LessonHistory]) -> datetime | None:
    moments = [each.completed_at for each in lessons if each.completed_at]
    return max(moments) if len(moments) == len(lessons) else None
