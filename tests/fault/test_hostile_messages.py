"""Whatever stands in Celery's queue: nothing but JSON is read, the worker lives on, and no message comes again."""

import json
import os
import pickle
import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection, Producer

from tests.support.events import enrolled, viewed
from tests.support.system import System
from tests.support.tables import rows
from tests.support.wait import wait_until
from tests.support.worker_process import CeleryProcess

MARK = "hostile-message"
MEGABYTES = 5_000_000
VIEWED = "progress.lesson_viewed"
NO_ARGUMENTS: list[Any] = [[], {}, {}]
PICKLE = "application/x-python-serialize"


class CreatesFile:
    """Unpickled, it runs a command."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self._path}",)


def published(system: System, body: object, content_type: str = "application/json", **headers: object) -> None:
    """Put a message on the queue, headers like a task's, the body as it is if it is bytes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    task = {"id": MARK, "task": VIEWED, "lang": "py", "root_id": MARK, "parent_id": None, **headers}
    task = {name: value for name, value in task.items() if value is not None}
    with Connection(str(system.settings.redis_url)) as connection, connection.channel() as channel:
        Producer(channel, routing_key=system.settings.queue).publish(
            content, content_type=content_type, content_encoding="utf-8", headers=task, correlation_id=MARK
        )


def published_first(system: System, **members: object) -> None:
    """A message of Celery's first protocol, which says everything in the body."""
    published(system, {"id": MARK, "task": VIEWED, "args": [], "kwargs": {}, **members}, task=None)


def pushed(system: System, content: bytes) -> None:
    """Put bytes on the queue that no Celery wrote."""
    system.redis.lpush(system.settings.queue, content)


def enveloped(body: str, **changes: Any) -> bytes:
    """A message as kombu writes it, with this body, parts of it replaced."""
    properties = {"body_encoding": "base64", "delivery_tag": MARK, "delivery_info": {"exchange": "", "routing_key": ""}}
    envelope = {
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {"id": MARK, "task": VIEWED},
    }
    return json.dumps({"body": body, **envelope, "properties": properties, **changes}).encode()


EMPTY = b64encode(json.dumps(NO_ARGUMENTS).encode()).decode()
REFUSED: dict[str, Callable[[System], None]] = {
    "an unknown task": lambda system: published(system, NO_ARGUMENTS, task="no.such.task"),
    "an unknown task, large": lambda system: published(system, [["x" * MEGABYTES], {}, {}], task="no.such.task"),
    "a task without a name": lambda system: published(system, NO_ARGUMENTS, task=None),
    "a list as a task's name": lambda system: published(system, NO_ARGUMENTS, task=[VIEWED]),
    "text": lambda system: published(system, b"hello", "text/plain"),
    "bytes of no type": lambda system: published(system, b"\xff\x00", "application/data"),
    "no JSON": lambda system: published(system, b"{not json"),
    "no UTF-8": lambda system: published(system, b'"\xff"'),
    "nested deeply": lambda system: published(system, b"[" * 100_000),
    "no arguments": lambda system: published(system, "x"),
    "arguments that are none": lambda system: published(system, [1, 2, 3]),
    "too few parts": lambda system: published(system, [[]]),
    "positional arguments": lambda system: published(system, [[1, 2], {}, {}]),
    "no ids": lambda system: published(system, NO_ARGUMENTS, id=None, root_id=None),
    "a time that is none": lambda system: published(system, NO_ARGUMENTS, eta="garbage"),
    "a time far away": lambda system: published(system, NO_ARGUMENTS, eta="9999-12-31T23:59:59-14:00"),
    "an end that is none": lambda system: published(system, NO_ARGUMENTS, expires="garbage"),
    "a limit that is none": lambda system: published(system, NO_ARGUMENTS, timelimit="x"),
    "compressed, but not": lambda system: published(system, NO_ARGUMENTS, compression="gzip"),
    "a chain that is none": lambda system: published(system, [[], {}, {"chain": [7]}]),
    "callbacks that are none": lambda system: published(system, [[], {}, {"callbacks": "x"}]),
    "a retry that is none": lambda system: published(system, NO_ARGUMENTS, retries="x"),
    "a header of many megabytes": lambda system: published(system, NO_ARGUMENTS, task="x" * MEGABYTES),
    "the first protocol, no arguments": lambda system: published_first(system, args=7),
    "the first protocol, a limit that is none": lambda system: published_first(system, timelimit="x"),
    "garbage": lambda system: pushed(system, b"garbage"),
    "bytes": lambda system: pushed(system, b"\xff\x00" + MARK.encode()),
    "null": lambda system: pushed(system, b"null"),
    "a number": lambda system: pushed(system, b"9" * 5_000),
    "brackets": lambda system: pushed(system, b"[" * 100_000),
    "an empty object": lambda system: pushed(system, b"{}"),
    "no properties": lambda system: pushed(system, enveloped(EMPTY, properties=None)),
    "headers that are none": lambda system: pushed(system, enveloped(EMPTY, headers=7)),
    "no base64": lambda system: pushed(system, enveloped("é***")),
    "an unknown character set": lambda system: pushed(system, enveloped(EMPTY, **{"content-encoding": "nonsense"})),
    "an unknown encoding": lambda system: pushed(
        system, enveloped(EMPTY, properties={"body_encoding": "rot13", "delivery_tag": MARK, "delivery_info": {}})
    ),
}


LEFT_TO_CELERY = {
    "positional arguments",
    "a time that is none",
    "a time far away",
    "an end that is none",
    "an unknown character set",
}
"""Celery refuses them itself, or fails the task."""


def left(system: System) -> list[bytes]:
    """The messages of ours that somebody still keeps, in the queue or taken and not acknowledged."""
    kept: list[Any] = [*system.redis.lrange(system.settings.queue, 0, -1), *system.redis.hvals("unacked")]
    return [each[:500] for each in kept if MARK.encode() in each]


@pytest.fixture
def worker(system: System) -> Iterator[CeleryProcess]:
    """A worker with beat; at the end it is the same, its pool too, and still applies what is published."""
    worker = system.start_worker(2, slice_seconds=0.5)
    pool = {each.pid for each in wait_until(lambda: worker.pool_processes()[1:] and worker.pool_processes(), 20)}
    yield worker
    system.start_beat()
    system.publish([enrolled(1), viewed(1)])
    wait_until(lambda: system.recorded() == 1 or not worker.is_running(), 20, "the row")
    assert worker.is_running(), worker.tail()
    wait_until(lambda: left(system) == [], 20, "the end of every message")
    assert {each.pid for each in worker.pool_processes()} >= pool


def test_what_is_no_task_is_refused_and_neither_stops_the_worker_nor_comes_again(
    system: System, worker: CeleryProcess
) -> None:
    for put in REFUSED.values():
        put(system)
    worker.wait_for_line("message_refused", count=len(REFUSED) - len(LEFT_TO_CELERY))
    assert not re.search("x{1000}", worker.log.read_text(errors="replace"))


def test_what_is_no_message_to_all_workers_is_refused_too(system: System, worker: CeleryProcess) -> None:
    database = system.redis.connection_pool.connection_kwargs["db"]
    channel = f"/{database}.{system.settings.stream_key}.pidbox"
    for content in (b"garbage", b"\xff\x00", b"7", b"[]", b"{}", b"[" * 100_000, enveloped(EMPTY, properties=None)):
        wait_until(partial(system.redis.publish, channel, content), 20, "a worker that listens")
    worker.wait_for_line("message_refused")


def test_pickle_and_yaml_are_never_loaded(system: System, worker: CeleryProcess, tmp_path: Path) -> None:
    owned = tmp_path / "owned"
    pickled = pickle.dumps([[], {"user_course_id": CreatesFile(owned)}, {}])
    document = f'!!python/object/apply:os.system ["touch {owned}"]'.encode()
    for content_type in (PICKLE, "application/json", "application/data", "application/x-yaml"):
        published(system, pickled, content_type)
        published(system, document, content_type)
    assert len(worker.wait_for_line("message_refused", count=8)) == 8
    assert not owned.exists()
    pickle.loads(pickled)  # noqa: S301 - to see that it would have
    assert owned.exists(), "the payload does nothing, so nothing was tested"


def test_a_task_with_megabytes_ends_in_dead_letter_with_its_bytes(system: System, worker: CeleryProcess) -> None:
    members = {"user_course_id": 1, "topic_id": 1, "lesson_id": 1, "section_id": "x" * MEGABYTES}
    published(system, [[], members, {}])
    wait_until(system.dead_letters, 20, f"the dead letter; {worker.tail()}")
    ((reason, body),) = rows(system.engine, "SELECT reason, body FROM dead_letter")
    assert (reason, json.loads(body)["data"]) == ("too_large", members)


def test_celerys_first_protocol_is_taken_as_well(system: System, worker: CeleryProcess) -> None:
    published_first(
        system,
        kwargs={
            "user_course_id": 2,
            "topic_id": 1,
            "lesson_id": 1,
            "event_id": "e",
            "occurred_at": "2025-07-14T10:30:00Z",
        },
    )
    wait_until(system.dead_letters, 20, f"the event; {worker.tail()}")
    assert system.dead_letters() == {"unknown_enrollment": 1}
