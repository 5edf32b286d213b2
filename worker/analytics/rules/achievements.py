"""A learner's achievements in a course, always recomputed from the whole history."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from worker.analytics.rules.completion import completion
from worker.analytics.rules.learner_history import History
from worker.analytics.rules.local_day import Zones, local_day
from worker.analytics.rules.streaks import runs
from worker.contract.lesson import Lesson


class AchievementKind(StrEnum):
    """The kinds of achievement."""

    FIRST_LESSON = "first_lesson"
    TOPIC = "topic"
    COURSE = "course"
    STREAK_7 = "streak_7"
    STREAK_30 = "streak_30"


_STREAKS = {AchievementKind.STREAK_7: 7, AchievementKind.STREAK_30: 30}


@dataclass(frozen=True, slots=True)
class Achievement:
    """An achievement, with the learner's local date.

    A streak has a day but no time. Both are None if the completion was set by hand without a time. Only a topic has a
    `topic_id`.
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
    """Return the achievements by kind, topics in outline order.

    * The first lesson is earned with the earliest known completion of any lesson, in the outline or not.
    * A topic and the course are earned with the last completion of their lessons in the outline, of which there must be
      one; without an outline their lessons are unknown.
    * A streak is earned on its 7th or 30th active day, by the first streak of that length.

    A correction or a longer outline can take an achievement back.
    """

    def earned(kind: AchievementKind, at: datetime | None, topic_id: int | None = None) -> Achievement:
        return Achievement(kind, local_day(at, zones) if at else None, at, topic_id)

    found = []
    completed = [each for each in history.values() if each.completed]
    if completed:
        first = min((each.completed_at for each in completed if each.completed_at), default=None)
        found.append(earned(AchievementKind.FIRST_LESSON, first))
    topics: dict[int, list[Lesson]] = {}
    for lesson in outline or ():
        topics.setdefault(lesson[0], []).append(lesson)
    for topic_id, lessons in topics.items():
        if topic := completion(history, lessons):
            found.append(earned(AchievementKind.TOPIC, topic.completed_at, topic_id))
    if course := completion(history, outline):
        found.append(earned(AchievementKind.COURSE, course.completed_at))
    streaks = runs(days, grace_weekends=grace_weekends)
    for kind, length in _STREAKS.items():
        reached = [run[length - 1] for run in streaks if len(run) >= length]
        if reached:
            found.append(Achievement(kind, reached[0]))
    return found
