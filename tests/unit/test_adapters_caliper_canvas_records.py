"""Each shipped record of Caliper and Canvas gives its outcomes, those of an envelope or list each its own."""

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
CASES = [
    (name, json.loads(line))
    for name in ("caliper", "canvas")
    for line in (DATA / f"{name}.jsonl").read_text().splitlines()
]
LESSON_MEMBERS = ("topic", "lesson", "duration_seconds", "enrols")


@pytest.mark.parametrize(("name", "case"), CASES, ids=[f"{name}-{case['case']}" for name, case in CASES])
def test_outcomes(name: str, case: dict[str, Any]) -> None:
    found: list[dict[str, Any]] = []
    for number, record in enumerate(FORMATS[name].split(case["record"])):
        done = translate(
            record, name, FORMATS[name].translate, Connection(name=f"{name}-test"), datetime(2026, 11, 30, tzinfo=UTC)
        )
        for event in done.events:
            assert NAMED_EVENT.validate_json(event.to_json()) == event
        found += [{"n": number, "event": _flat(event)} for event in done.events]
        if done.ignored:
            found.append({"n": number, "ignored": done.ignored})
        if done.rejected:
            found.append({"n": number, "rejected": done.rejected.data.reason})
    assert found == case["outcomes"]


def test_there_are_enough() -> None:
    assert len(CASES) == 14


def _flat(event: NamedEvent) -> dict[str, Any]:
    data = event.data.model_dump()
    members = ("learner", "course", *(LESSON_MEMBERS if "lesson" in data else ()))
    return {
        "type": event.type,
        "id": event.event_id,
        "source": event.source,
        "time": f"{event.time:%Y-%m-%dT%H:%M:%S.%fZ}",
    } | {member: data[member] for member in members}
