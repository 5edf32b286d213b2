"""The activity that counts for each lesson: that of its own place and of those where it was before."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from worker.analytics.rules.activity import Activity, TimeSpent, Visits
from worker.contract.lesson import Lesson
from worker.progress.moved_lessons import Moved
from worker.progress.reference import Progress
from worker.summary.counted_lessons import counted_rows, places_of


def counted_activity(activity: Activity, rows: Mapping[Lesson, Progress], moved: Moved) -> Activity:
    """The activity, with the times and the visits of all places of a lesson added up; `rows` are those of each place.

    So what went on over a move is a visit at either place, and a moment that was told of two places counts for both.
    The time in a topic that a lesson left or came to is the sum of its lessons'.

    The visits to complete are those of the place where the lesson was completed first, and all of another place where
    the last had begun by then.
    """
    completed_at = {lesson: row.completed_at for lesson, row in counted_rows(rows, moved).items()}

    def to_complete(lesson: Lesson, place: Lesson) -> int:
        visits, at = activity.lessons[place][1], completed_at[lesson]
        if rows[place].completed_at == at:
            return visits.visits_to_complete or 0
        return visits.visits if at and visits.last_visit_at <= at else 0

    lessons = {}
    for lesson, its in places_of(activity.lessons, moved).items():
        visits = [activity.lessons[place][1] for place in its]
        lessons[lesson] = (
            _sum(activity.lessons[place][0] for place in its),
            Visits(
                sum(each.visits for each in visits),
                min(each.first_visit_at for each in visits),
                max(each.last_visit_at for each in visits),
                sum(to_complete(lesson, place) for place in its) if completed_at[lesson] else None,
            ),
        )
    between = {
        topic_id
        for old, new in moved.items()
        if old in activity.lessons and old[0] != new[0]
        for topic_id in (old[0], new[0])
    }
    topics = {topic_id: spent for topic_id, spent in activity.topics.items() if topic_id not in between}
    for topic_id in between & {lesson[0] for lesson in lessons}:
        topics[topic_id] = _sum(spent for lesson, (spent, _) in lessons.items() if lesson[0] == topic_id)
    return replace(activity, lessons=lessons, topics=dict(sorted(topics.items())))


def _sum(spent: Iterable[TimeSpent]) -> TimeSpent:
    """Of whole microseconds, so that no order changes it."""
    its = list(spent)
    seconds = sum(round(1e6 * each.seconds) for each in its) / 1e6
    return TimeSpent(seconds, sum(round(1e6 * each.measured_seconds) for each in its) / 1e6)
