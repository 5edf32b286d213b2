"""Each shipped record of a learning system gives its outcomes, those of an envelope or list each its own."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from worker.adapters.formats import FORMATS
from worker.adapters.translation import translate
from worker.contract.connection import Connection
from worker.contract.named_event import NAMED_EVENT, NamedEvent

DATA = Path(__file__).parents[1] / "data/lms"
ARRIVED = datetime(2026, 11, 30, tzinfo=UTC)
RECORDS = {"xapi": 192, "edx": 8, "caliper": 7, "canvas": 7, "moodle": 14, "frappe": 9}
ZONES = {"moodle": "Europe/London", "frappe": "Asia/Kolkata"}
CASES = [
    (name, json.loads(line)) for name in RECORDS for line in (DATA / f"{name}.jsonl").read_text("utf-8").splitlines()
]
LESSON_MEMBERS = ("topic", "lesson", "duration_seconds", "enrols")
FOR_RECORDING = ("parked", "course_by_outline")


@pytest.mark.parametrize(("name", "case"), CASES, ids=[f"{name}-{case['case']}" for name, case in CASES])
def test_outcomes(name: str, case: dict[str, Any]) -> None:
    connection = Connection(name=f"{name}-test", timezone=ZONES.get(name))
    found: list[dict[str, Any]] = []
    for number, record in enumerate(FORMATS[name].split(case["record"])):
        done = translate(record, name, FORMATS[name].translate, connection, ARRIVED)
        for event in done.events:
            assert NAMED_EVENT.validate_json(event.to_json()) == event
        found += [{"n": number, "event": _flat(event)} for event in done.events]
        if done.ignored:
            found.append({"n": number, "ignored": done.ignored})
        if done.rejected:
            found.append({"n": number, "rejected": done.rejected.data.reason})
    told = [{key: value for key, value in each.items() if key not in FOR_RECORDING} for each in case["outcomes"]]
    assert found == told


def test_all_are_there() -> None:
    assert {name: sum(each == name for each, _ in CASES) for name in RECORDS} == RECORDS


def _flat(event: NamedEvent) -> dict[str, Any]:
    data = event.data.model_dump()
    members = ("learner", "course", *(LESSON_MEMBERS if "lesson" in data else ()))
    return {
        "type": event.type,
        "id": event.event_id,
        "source": event.source,
        "time": f"{event.time:%Y-%m-%dT%H:%M:%S.%fZ}",
    } | {member: data[member] for member in members}
