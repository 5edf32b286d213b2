"""An LMS that already speaks Celery sends `progress.lesson_viewed`, `lesson_completed` and `lesson_reopened`."""

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from celery import Celery

from tests.support.events import at, completed, enrolled, reopened, viewed
from tests.support.named import rows_by_name
from tests.support.own_servers import OwnServers, own_servers
from tests.support.system import System
from tests.support.tables import rows
from tests.support.wait import wait_until
from worker.contract.event import CloudEvent
from worker.contract.parse import AMBIGUOUS
from worker.settings import Settings
from worker.streams import connection


@pytest.fixture
def lms(system: System) -> Iterator[Celery]:
    """The LMS's own Celery application: it knows the broker, the queue and the task's name."""
    app = Celery(broker=system.settings.redis_url)
    app.conf.task_default_queue = system.settings.queue
    yield app
    app.close()


def test_a_task_routed_by_name_or_with_positional_ids_arrives_and_an_ambiguous_one_is_kept(
    system: System, lms: Celery
) -> None:
    """As an LMS's own application sends it, whose default queue is another."""
    queue = system.settings.queue
    lms.conf.task_default_queue = f"{system.settings.stream_key}-of-the-lms"
    lms.conf.task_routes = {"progress.*": {"queue": queue}}
    lms.send_task("progress.lesson_viewed", queue="celery")
    worker = system.start_worker(2)
    (misrouted,) = worker.wait_for_line("misrouted_tasks")
    assert misrouted["warning"].startswith("Celery's queue celery holds progress.lesson_viewed tasks")
    system.redis.delete("celery")
    known = [enrolled(1)]
    system.publish(known)
    when = {"occurred_at": at(1).isoformat()}
    ids = {"user_course_id": 1, "topic_id": 2}
    sent = [
        lms.send_task("progress.lesson_viewed", args=[1, 2, 3], kwargs=when),
        lms.send_task("progress.lesson_completed", args=[1, 2], kwargs={**when, "lesson_id": 4, "section_id": 5}),
        lms.send_task("progress.lesson_reopened", args=[1, 2, 4], kwargs={"occurred_at": at(2).isoformat()}),
    ]
    lms.send_task("progress.lesson_viewed", args=[1, 2, 3, when["occurred_at"]])
    lms.send_task("progress.lesson_viewed", args=[1, 2], kwargs={**when, **ids, "lesson_id": 3})
    lms.send_task("progress.lesson_viewed", args=[1, 2], kwargs=when)
    wait_until(lambda: system.dead_letters() == {"invalid_event": 3}, what="the dead letters")
    wait_until(lambda: system.recorded() == 3, what="the rows")
    assert len(worker.wait_for_line("task_arguments_ambiguous", count=2)) == 2
    dead_letters = rows(system.engine, "SELECT body, detail FROM dead_letter ORDER BY id")
    kept = [json.loads(body)["data"] for body, _ in dead_letters]
    assert {"args": [1, 2, 3, when["occurred_at"]], "kwargs": {}} in kept
    assert [detail for _, detail in dead_letters].count(f"data: {AMBIGUOUS}") == 2
    assert {"args": [1, 2], "kwargs": {**ids, "lesson_id": 3}} in kept
    assert ids in kept
    system.start_beat()
    expected: list[CloudEvent] = [
        *known,
        viewed(1, 2, 3, id=sent[0].id, source="celery", time=at(1)),
        completed(1, 2, 4, section_id=5, id=sent[1].id, source="celery", time=at(1)),
        reopened(1, 2, 4, id=sent[2].id, source="celery", time=at(2)),
    ]
    system.assert_exact(expected, rejected={"invalid_event": 3})


def test_a_task_becomes_an_event_whose_identity_is_the_tasks(system: System, lms: Celery) -> None:
    system.start_worker(2)
    system.start_beat()
    known = [enrolled(1)]
    system.publish(known)
    activity = {"user_course_id": 1, "topic_id": 2, "lesson_id": 3, "occurred_at": at(1).isoformat()}
    plain = lms.send_task("progress.lesson_viewed", kwargs=activity | {"duration_seconds": -1, "section_id": "x"})
    wait_until(lambda: system.recorded() == 1, what="the row")
    assert rows(system.engine, "SELECT event_id, occurred_at FROM lesson_event") == [(UUID(plain.id), at(1))]
    said = {**activity, "section_id": 4, "duration_seconds": 60, "occurred_at": at(9).isoformat(), "event_id": "e-9"}
    for _ in range(3):
        lms.send_task("progress.lesson_completed", kwargs=said)
    lms.send_task("progress.lesson_viewed", kwargs=activity | {"event_id": str(UUID(int=7)), "occurred_at": "garbage"})
    wait_until(lambda: system.dead_letters() == {"invalid_event": 1}, what="the dead letter")
    expected: list[CloudEvent] = [
        *known,
        viewed(1, 2, 3, id=plain.id, source="celery", time=at(1)),
        completed(1, 2, 3, seconds=9, section_id=4, duration_seconds=60, id="e-9", source="celery"),
    ]
    wait_until(lambda: system.recorded() == 2, what="the completion")
    system.assert_exact(expected, rejected={"invalid_event": 1})


def test_a_task_in_names_is_of_its_source_and_may_be_repeated(system: System, lms: Celery) -> None:
    system.start_worker(2)
    names = {"learner": "user:4", "course": "course:5", "lesson": "cm:8"}
    for source in ("moodle", None):
        for kind, seconds in (("completed", 1), ("reopened", 2), ("viewed", 0)):
            said = {**names, "occurred_at": at(seconds).isoformat(), "event_id": f"e-{seconds}", "source": source}
            for _ in range(2):
                lms.send_task(f"progress.lesson_{kind}", kwargs=said)
    wait_until(lambda: system.recorded() == 6, what="the rows")
    expected = ("in_progress", at(2), None)
    assert rows_by_name(system.engine) == {(source, *names.values()): expected for source in ("moodle", "celery")}
    assert system.dead_letters() == {}


@pytest.mark.second_tier
def test_a_task_of_a_misspelt_name_is_kept_with_its_content(system: System, lms: Celery) -> None:
    worker = system.start_worker(1)
    members = {"user_course_id": 1, "topic_id": 2, "lesson_id": 3}
    sent = lms.send_task("progress.lesson_viewd", kwargs={**members, "occurred_at": at(1).isoformat()})
    wait_until(lambda: system.dead_letters() == {"unknown_type": 1}, what="the dead letter")
    ((body,),) = rows(system.engine, "SELECT body FROM dead_letter")
    kept = json.loads(body)
    assert (kept["id"], kept["type"], kept["data"]) == (sent.id, "progress.lesson_viewd", members)
    (line,) = worker.wait_for_line("message_refused")
    assert f"progress.lesson_viewd, id {sent.id}. Did you mean progress.lesson_viewed?" in line["detail"]


@pytest.mark.second_tier
@pytest.mark.parametrize(
    "members",
    [
        {},
        {"user_course_id": 1, "topic_id": 2},
        {"user_course_id": "one", "topic_id": 2, "lesson_id": 3},
        {"user_course_id": 1, "topic_id": 2, "lesson_id": 3, "event_id": ""},
        {"user_course_id": 1, "topic_id": 2, "lesson_id": 3, "event_id": "0" * 32},
        {"user_course_id": 1, "topic_id": 2, "lesson_id": 3, "event_id": 5},
        {"user_course_id": -1, "topic_id": 2, "lesson_id": 3, "occurred_at": "2025-07-14T10:30:00Z"},
    ],
    ids=["none", "one missing", "not a number", "empty id", "nil id", "id not a string", "negative id"],
)
def test_wrong_members_end_in_dead_letter_where_they_can_be_seen(
    system: System, lms: Celery, members: dict[str, object]
) -> None:
    lms.send_task("progress.lesson_viewed", kwargs={"occurred_at": at(1).isoformat()} | members)
    system.start_worker(1, slice_seconds=0.5)
    system.start_beat()
    wait_until(system.dead_letters, what="the dead letter")
    assert system.dead_letters() == {"invalid_event": 1}


@pytest.fixture
def second_redis() -> Iterator[OwnServers]:
    """A Redis for the streams alone."""
    with own_servers() as servers:
        yield servers


@pytest.mark.second_tier
def test_a_task_that_meets_a_full_redis_is_retried_and_keeps_its_time(
    settings: Settings, lms: Celery, second_redis: OwnServers, tmp_path: Path
) -> None:
    settings = settings.model_copy(update={"redis_url": second_redis.redis_url, "broker_url": settings.redis_url})
    redis = connection.connect(settings)
    system = System(settings, redis, tmp_path)
    try:
        known = [enrolled(1)]
        system.publish(known)
        system.start_worker(2, slice_seconds=1)
        system.start_beat()
        system.assert_exact(known)
        redis.config_set("maxmemory", 1)
        activity = {"user_course_id": 1, "topic_id": 2, "lesson_id": 3, "occurred_at": at(1).isoformat()}
        sent = lms.send_task("progress.lesson_viewed", kwargs=activity)

        def refusals() -> int:
            return int(redis.info("commandstats").get("cmdstat_xadd", {}).get("rejected_calls", 0))

        wait_until(lambda: refusals() >= 2, 20, "a second attempt")
        redis.config_set("maxmemory", 0)
        wait_until(lambda: system.recorded() == 1, 20, "the row")
        system.assert_exact([*known, viewed(1, 2, 3, id=sent.id, source="celery", time=at(1))])
    finally:
        system.close()
        redis.close()
