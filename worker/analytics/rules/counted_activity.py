"""The activity that counts for a lesson: that of its present and its earlier places."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from worker.analytics.rules.activity import Activity, TimeSpent, Visits
from worker.contract.lesson import Lesson
from worker.progress.moved_lessons import Moved
from worker.progress.reference import Progress
from worker.summary.counted_lessons import counted_rows, places_of


def counted_activity(activity: Activity, rows: Mapping[Lesson, Progress], moved: Moved) -> Activity:
    """Return the activity with the times and visits of all places of a lesson added up; `rows` are by place.

    A visit that continues over a move counts at both places, and so does time reported at both. The time in a topic
    that a lesson left or joined is the sum of its lessons' times.

    Visits to complete are those at the place completed first, plus all at another place if the last had begun by then.
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
    """Return the sum in whole microseconds, so that it does not depend on the order."""
    its = list(spent)
    seconds = sum(round(1e6 * each.seconds) for each in its) / 1e6
    return TimeSpent(seconds, sum(round(1e6 * each.measured_seconds) for each in its) / 1e6)
