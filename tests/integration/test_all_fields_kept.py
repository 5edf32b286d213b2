"""An entry keeps all its fields and their bytes, in whatever way it becomes a dead letter, is shown or comes again."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine

from tests.support.commands import invoke
from tests.support.doors import consume
from tests.support.events import body, enrolled, viewed
from tests.support.tables import execute, rows
from worker.consume.consumer import Consumer
from worker.contract.entry_id import BEGINNING
from worker.failover.replay import read_again
from worker.streams import publish
from worker.streams.connection import Redis
from worker.streams.read import read_range

VIEW = body(viewed())
ODD = b"\xff\x00\x1b[2J"
SENT: dict[str, list[bytes]] = {
    "no event": [b"data", VIEW, b"source", b"moodle"],
    "several events": [b"event", VIEW, b"event", VIEW, b"trace", b"1"],
    "no text": [ODD, b"\xfe", b"data", b""],
    "beside an event": [b"trace", ODD, b"event", VIEW, b"trace", b"again"],
}
KEPT = "SELECT body, fields FROM dead_letter ORDER BY id"


def xadd(redis: Redis, stream: str, fields: list[bytes]) -> None:
    untyped: Any = redis
    untyped.execute_command("XADD", stream, "*", *fields)


def kept(engine: Engine) -> list[tuple[bytes | None, list[bytes]]]:
    return [
        (None if content is None else bytes(content), [bytes(each) for each in fields or ()])
        for content, fields in rows(engine, KEPT)
    ]


EXPECTED: list[tuple[bytes | None, list[bytes]]] = [
    *((None, SENT[name]) for name in ("no event", "several events", "no text")),
    (VIEW, [b"trace", ODD, b"trace", b"again"]),
]


def test_they_are_kept_shown_and_tried_again(
    engine: Engine, redis: Redis, consumer: Consumer, environment: Mapping[str, str]
) -> None:
    for fields in SENT.values():
        xadd(redis, consumer.keys.stream_key, fields)
    consume(consumer)
    assert kept(engine) == EXPECTED
    reasons = [reason for (reason,) in rows(engine, "SELECT reason FROM dead_letter ORDER BY id")]
    assert reasons == ["missing_field", "invalid_event", "missing_field", "unknown_enrollment"]

    listed = json.loads(invoke(environment, "dead-letters", "list", "--json").stdout)
    assert [each["fields"] for each in listed] == [
        ["data", "source"],
        ["event", "event", "trace"],
        [r"\xff\x00\x1b[2J", "data"],
        ["trace", "trace"],
    ]
    as_table = invoke({**environment, "COLUMNS": "300"}, "dead-letters", "list").stdout
    assert "(other fields: trace, trace)" in as_table
    assert "only: data, source" in as_table
    shown = [
        json.loads(invoke(environment, "dead-letters", "show", str(each["id"]), "--json").stdout) for each in listed
    ]
    assert shown[0]["fields"] == [
        {"name": "data", "value": VIEW.decode()},
        {"name": "source", "value": "moodle"},
    ]
    assert shown[2]["fields"][0] == {"name_base64": "/wAbWzJK", "value_base64": "/g=="}
    assert (shown[1]["body"], shown[3]["body"]) == (None, VIEW.decode())
    for each in listed:
        text = invoke(environment, "dead-letters", "show", str(each["id"])).stdout
        assert "\x1b" not in text
        assert all(f"Field {name}:" in text for name in each["fields"])

    assert "still refused: 4" in invoke(environment, "dead-letters", "redrive", "--all").stdout
    assert kept(engine) == EXPECTED
    xadd(redis, consumer.keys.stream_key, [b"event", body(enrolled())])
    consume(consumer)
    assert kept(engine) == EXPECTED[:3]


def test_a_replay_sees_the_same_entries_as_the_first_reading(
    engine: Engine, redis: Redis, new_consumer: Any, environment: Mapping[str, str]
) -> None:
    consumer = new_consumer(replay_window_seconds=600)
    for fields in SENT.values():
        xadd(redis, consumer.keys.stream_key, fields)
    consume(consumer)
    (again,) = read_again(redis, consumer.keys, 100, BEGINNING)
    assert [(each.body, list(each.fields)) for each in again] == EXPECTED
    execute(engine, "DELETE FROM dead_letter")
    done = json.loads(invoke(environment, "replay", "--json").stdout)
    assert (done["entries"], done["rejected"], done["parked"], done["superseded"]) == (4, 3, 1, 0)
    assert kept(engine) == EXPECTED


def test_what_is_appended_again_has_them_all(redis: Redis, consumer: Consumer) -> None:
    stream = consumer.keys.stream_key
    for fields in SENT.values():
        xadd(redis, stream, fields)
    publish.append_again(redis, read_range(redis, stream, "-", "+", 10))
    assert [(each.body, list(each.fields)) for each in read_range(redis, stream, "-", "+", 10)] == EXPECTED * 2
