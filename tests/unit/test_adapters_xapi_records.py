"""Each shipped statement, most of them published by standards bodies and learning systems, gives its outcome."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.statements import become
from worker.adapters.outcome import Ignored, Rejected
from worker.contract.named_event import NAMED_EVENT, NamedEvent

RECORDS = [
    json.loads(line) for line in (Path(__file__).parents[1] / "data/lms/xapi.jsonl").read_text("utf-8").splitlines()
]
LESSON_MEMBERS = ("topic", "lesson", "duration_seconds", "enrols")


@pytest.mark.parametrize("case", RECORDS, ids=[each["case"] for each in RECORDS])
def test_outcome(case: dict[str, Any]) -> None:
    told = {"event", "ignored", "rejected"}
    expected = [{key: value for key, value in each.items() if key in told} for each in case["outcomes"]]
    assert _outcomes(case["record"]) == expected


@pytest.mark.parametrize("case", RECORDS, ids=[each["case"] for each in RECORDS])
def test_an_event_is_read_back_as_it_was_published(case: dict[str, Any]) -> None:
    if any("event" in each for each in case["outcomes"]):
        for event in become(case["record"]):
            assert NAMED_EVENT.validate_json(event.to_json()) == event


def test_there_are_enough() -> None:
    assert len(RECORDS) == 192


def _outcomes(record: object) -> list[dict[str, Any]]:
    try:
        return [{"event": _flat(event)} for event in become(record)]
    except Ignored as ignored:
        return [{"ignored": ignored.reason}]
    except Rejected as rejected:
        return [{"rejected": rejected.reason}]


def _flat(event: NamedEvent) -> dict[str, Any]:
    data = event.data.model_dump()
    members = ("learner", "course", *(LESSON_MEMBERS if "lesson" in data else ()))
    return {
        "type": event.type,
        "id": event.event_id,
        "source": event.source,
        "time": f"{event.time:%Y-%m-%dT%H:%M:%S.%fZ}",
    } | {member: data[member] for member in members}
