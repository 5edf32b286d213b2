"""What counts for a lesson that moved, in plain Python, by example."""

from datetime import timedelta

from tests.support.events import at, completed, viewed
from worker.analytics.rules.activity import Activity, TimeSpent, Visits, activity
from worker.analytics.rules.counted_activity import counted_activity
from worker.analytics.rules.local_day import Zones
from worker.contract.event import LessonEvent
from worker.contract.lesson import Lesson
from worker.contract.progress_status import ProgressStatus
from worker.progress.reference import Progress, lesson_of, lesson_progress
from worker.summary.counted_lessons import counted_rows

HOUR = 3_600
MOVED = {(1, 12): (2, 12)}


def counted(*events: LessonEvent, moved: dict[Lesson, Lesson] = MOVED) -> Activity:
    places = {lesson_of(event) for event in events}
    rows = {place: lesson_progress(event for event in events if lesson_of(event) == place) for place in places}
    its = activity(events, {place: row.completed_at for place, row in rows.items()}, Zones(), timedelta(minutes=30))
    return counted_activity(its, rows, moved)


def visits(*events: LessonEvent) -> Visits:
    return counted(*events).lessons[2, 12][1]


def test_the_highest_status_the_latest_view_and_the_earliest_completion_count() -> None:
    rows = {
        (1, 12): Progress(ProgressStatus.COMPLETED, at(5), at(5)),
        (2, 12): Progress(ProgressStatus.IN_PROGRESS, at(9)),
        (1, 11): Progress(),
    }
    assert counted_rows(rows, MOVED) == {
        (2, 12): Progress(ProgressStatus.COMPLETED, at(9), at(5)),
        (1, 11): Progress(),
    }


def test_visits_of_all_places_are_added_up() -> None:
    its = visits(viewed(1, 1, 12), viewed(1, 1, 12, seconds=HOUR), viewed(1, 2, 12, seconds=9 * HOUR))
    assert its == Visits(3, at(0), at(9 * HOUR), None)


def test_a_visit_that_goes_on_over_the_move_is_one_at_either_place() -> None:
    assert visits(viewed(1, 1, 12), viewed(1, 2, 12, seconds=60)).visits == 2


def test_visits_up_to_the_first_completion_complete_a_lesson_wherever_they_were() -> None:
    before: list[LessonEvent] = [viewed(1, 1, 12), viewed(1, 1, 12, seconds=HOUR)]
    there: list[LessonEvent] = [viewed(1, 2, 12, seconds=2 * HOUR), completed(1, 2, 12, seconds=3 * HOUR)]
    assert visits(*before, *there, viewed(1, 2, 12, seconds=9 * HOUR)).visits_to_complete == 4
    here = [*before, completed(1, 1, 12, seconds=2 * HOUR)]
    assert visits(*here, completed(1, 2, 12, seconds=9 * HOUR)).visits_to_complete == 3


def test_the_time_of_topics_that_a_lesson_left_or_came_to_is_that_of_their_lessons() -> None:
    events = [viewed(1, topic, lesson, duration_seconds=60) for topic, lesson in ((1, 11), (1, 12), (2, 21), (3, 31))]
    its = counted(*events)
    assert its.topics == {1: TimeSpent(60, 60), 2: TimeSpent(120, 120), 3: TimeSpent(60, 60)}
    assert its.spent == TimeSpent(60, 60)
    assert counted(events[1]).topics == {2: TimeSpent(60, 60)}


def test_within_its_topic_a_lesson_leaves_the_topics_time_as_it_is() -> None:
    events = [viewed(1, 1, 11, duration_seconds=60), viewed(1, 1, 12, duration_seconds=60)]
    assert counted(*events, moved={(1, 12): (1, 99)}).topics == {1: TimeSpent(60, 60)}
