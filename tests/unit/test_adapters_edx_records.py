"""Each shipped record of Open edX gives its outcome."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.tracking import become
from worker.adapters.outcome import Ignored, Rejected
from worker.cli.translation_outcomes import flattened
from worker.contract.named_event import NAMED_EVENT

RECORDS = [
    json.loads(line) for line in (Path(__file__).parents[1] / "data/lms/edx.jsonl").read_text("utf-8").splitlines()
]


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
    assert len(RECORDS) == 8


def _outcomes(record: object) -> list[dict[str, Any]]:
    try:
        return [{"event": flattened(event)} for event in become(record)]
    except Ignored as ignored:
        return [{"ignored": ignored.reason}]
    except Rejected as rejected:
        return [{"rejected": rejected.reason}]
