"""`send_task` while no worker runs: what happened keeps its time, or is set aside; it never gets the worker's."""

from celery import Celery

from tests.support.events import at, enrolled, viewed
from tests.support.system import System
from tests.support.tables import rows


def test_what_was_sent_without_a_time_is_set_aside_and_what_carries_one_keeps_it(system: System) -> None:
    known = [enrolled(1)]
    system.publish(known)
    lesson = {"user_course_id": 1, "topic_id": 2, "lesson_id": 3}
    app = Celery(broker=system.settings.redis_url)
    for members in (lesson, lesson | {"occurred_at": None}):
        app.send_task("progress.lesson_completed", kwargs=members, queue=system.settings.queue)
    timed = app.send_task(
        "progress.lesson_viewed", kwargs=lesson | {"occurred_at": at(5).isoformat()}, queue=system.settings.queue
    )
    app.close()
    system.start_worker(2)
    expected = [*known, viewed(1, 2, 3, id=timed.id, source="celery", time=at(5))]
    system.assert_exact(expected, rejected={"invalid_event": 2})
    details = rows(system.engine, "SELECT DISTINCT detail FROM dead_letter")
    assert details == [
        ("time: missing. Send when it happened, such as 2025-07-14T10:30:00Z; a Celery task sends it as occurred_at",)
    ]
