"""The ways by which an event comes in: each takes its very bytes, and tells what became of it."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from kombu.utils import json as kombu_json
from sqlalchemy import Engine

from tests.support.commands import invoke
from tests.support.streams import add
from tests.support.tables import rows
from worker import tasks
from worker.consume.consumer import Consumer
from worker.consume.recovery import Recovery
from worker.settings import get_settings
from worker.streams.connection import Redis

Verdict = str
"""`applied`, or the reason why it was set aside or refused; `refused` where a door gives none."""

BATCH = {"Content-Type": "application/cloudevents-batch+json"}
SINGLE = {"Content-Type": "application/cloudevents+json"}


def consume(consumer: Consumer) -> None:
    """Have a consumer record all that is in the streams."""
    Recovery(consumer).recover()
    while consumer.read(list(consumer.keys.streams), None).count:
        pass


def verdicts(engine: Engine, bodies: Sequence[bytes]) -> list[Verdict]:
    """Return each entry's verdict: the reason of the dead letter with its bytes, or "applied"."""
    dead_letters = {bytes(body): reason for body, reason in rows(engine, "SELECT body, reason FROM dead_letter")}
    return [dead_letters.get(body, "applied") for body in bodies]


class Doors:
    """All of them, onto one system."""

    def __init__(
        self,
        engine: Engine,
        redis: Redis,
        api: httpx.Client,
        consumer: Consumer,
        environment: Mapping[str, str],
        directory: Path,
    ) -> None:
        self._engine = engine
        self._redis = redis
        self._api = api
        self._consumer = consumer
        self._environment = environment
        self._file = directory / "events.jsonl"

    def stream(self, bodies: Sequence[bytes]) -> list[Verdict]:
        """XADD."""
        add(self._redis, self._consumer.keys.stream_key, bodies)
        consume(self._consumer)
        return verdicts(self._engine, bodies)

    def batch(self, bodies: Sequence[bytes]) -> list[Verdict]:
        """`POST /events`."""
        answer = self._api.post("/events", content=b"[" + b",".join(bodies) + b"]", headers=BATCH)
        assert answer.status_code == 200, answer.text
        return [each["reason"] or each["result"] for each in answer.json()["events"]]

    def single(self, bodies: Sequence[bytes]) -> list[Verdict]:
        """`POST /events`, one at a time."""
        answers = [self._api.post("/events", content=body, headers=SINGLE) for body in bodies]
        assert all(each.is_success == ("events" in each.json()) for each in answers)
        return [
            each.json()["events"][0]["result"] if each.is_success else each.json()["detail"].partition(":")[0]
            for each in answers
        ]

    def async_batch(self, bodies: Sequence[bytes]) -> list[Verdict]:
        """`POST /events` with `Prefer: respond-async`: what it lets through is judged from the stream."""
        headers = BATCH | {"Prefer": "respond-async"}
        answer = self._api.post("/events", content=b"[" + b",".join(bodies) + b"]", headers=headers)
        assert answer.status_code == 202, answer.text
        consume(self._consumer)
        found = zip(answer.json()["events"], verdicts(self._engine, bodies), strict=True)
        return [each["reason"] or verdict for each, verdict in found]

    def command_line(self, bodies: Sequence[bytes]) -> list[Verdict]:
        """`publish`, each in a file of its own, and `drain`."""
        refused = []
        for body in bodies:
            self._file.write_bytes(body + b"\n")
            done = invoke(self._environment, "publish", str(self._file))
            assert done.exit_code == 0 or "not JSON" in done.stderr
            refused.append(bool(done.exit_code))
        assert invoke(self._environment, "drain").exit_code == 0
        found = zip(refused, verdicts(self._engine, bodies), strict=True)
        return ["invalid_json" if is_refused else verdict for is_refused, verdict in found]


ANSWERED = ("batch", "single")
"""Doors that apply an event while its sender waits: nothing is set aside, as the sender still has it."""
ANY = ("stream", *ANSWERED, "async_batch", "command_line")
EACH_DOOR = [
    pytest.param(door, marks=[pytest.mark.second_tier] if door in {"single", "command_line"} else []) for door in ANY
]
"""For tests of many events: those that take them one by one are slow."""


def send_tasks(
    monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str], sent: Mapping[str, dict[str, Any]]
) -> None:
    """What `send_task` has a worker do, with the members as the broker brings them; `case` among them tells them."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    clear: list[Callable[[], None]] = [get_settings.cache_clear, tasks._publisher.cache_clear]
    for each in clear:
        each()
    for case, event in sent.items():
        members = {**event["data"], "event_id": event["id"], "occurred_at": event["time"], "case": case}
        if "learner" in members:
            members["source"] = event["source"]
        task = getattr(tasks, event["type"].replace(".", "_"))
        task.apply(kwargs=kombu_json.loads(kombu_json.dumps(members)), throw=True)
    for each in clear:
        each()


def is_task(event: Any) -> bool:
    """Whether `send_task` can say the same."""
    members = {"specversion", "id", "source", "type", "time", "data"}
    return (
        isinstance(event, dict)
        and event.keys() == members
        and event["type"] in {"lesson.viewed", "lesson.completed", "lesson.reopened"}
        and event["specversion"] == "1.0"
        and isinstance(event["data"], dict)
    )


def parsed(body: bytes) -> Any:
    """The JSON, None where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
