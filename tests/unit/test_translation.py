"""Whatever a record is, its rejection is an event that a worker reads as `not_translated`."""

from typing import Any

import pytest

from tests.support.events import START
from worker.adapters.outcome import Rejected
from worker.adapters.translation import Translation, reject, translate
from worker.contract.connection import Connection
from worker.contract.entry import Reason, Rejection
from worker.contract.parse import parse
from worker.contract.record_rejected import MAX_RECORD_BYTES

CONNECTION = Connection(name="lms")


def nested(depth: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


@pytest.mark.parametrize(
    "record",
    [
        {"actor": 1},
        b'{"torn": ',
        b"\xff\xfe",
        "\ud800",
        {"\ud800": "\ud800"},
        nested(150),
        nested(50_000),
        float("nan"),
        {"text": "x" * MAX_RECORD_BYTES},
        b"x" * 1_000_000,
        None,
    ],
    ids=[
        "object",
        "torn",
        "no UTF-8",
        "surrogate",
        "surrogates",
        "deep",
        "too deep",
        "nan",
        "long",
        "megabyte",
        "null",
    ],
)
def test_a_rejected_record_of_any_kind_is_kept_as_not_translated(record: object) -> None:
    event = reject(record, "xapi", Rejected("missing_member", "no verb"), CONNECTION, START)
    with pytest.raises(Rejection) as caught:
        parse(event.to_json(), START.timestamp() * 1_000)
    assert (caught.value.reason, caught.value.detail) == (Reason.NOT_TRANSLATED, "xapi: missing_member: no verb")
    assert event.id == reject(record, "xapi", Rejected("x", "y"), CONNECTION, START).id


def test_a_long_record_is_cut() -> None:
    event = reject({"text": "x" * MAX_RECORD_BYTES}, "xapi", Rejected("verb", "none"), CONNECTION, START)
    assert len(event.to_json()) < MAX_RECORD_BYTES


def test_a_rejection_is_published_where_any_worker_reads_it() -> None:
    def refuse(*_: object) -> list[Any]:
        raise Rejected("no_learner", "nobody")

    found = translate({"actor": {}}, "xapi", refuse, CONNECTION, START)
    assert isinstance(found, Translation)
    ((key, body),) = found.messages
    assert (key, b'"no_learner"' in body) == (None, True)
