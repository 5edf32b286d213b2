"""The shipped records of learning systems, published twice and shuffled: the rows are those of the rules."""

import json
import random
from pathlib import Path

from tests.support.named import rows_by_name
from tests.support.named_model import NamedModel
from tests.support.statements import CONNECTION, become
from tests.support.system import System
from tests.support.wait import wait_until
from worker.adapters.outcome import Ignored, Rejected
from worker.adapters.outlines.document import OutlineDocument
from worker.adapters.outlines.formats import READERS
from worker.contract.named_event import NAMED_EVENT, NamedEvent

SAMPLES = Path(__file__).parents[1] / "data/lms"


def translated() -> list[NamedEvent]:
    events: list[NamedEvent] = []
    for line in (SAMPLES / "xapi.jsonl").read_text("utf-8").splitlines():
        try:
            events += become(json.loads(line)["record"])
        except (Ignored, Rejected):
            continue
    for line in (SAMPLES / "completions.expected.jsonl").read_text("utf-8").splitlines():
        if event := json.loads(line).get("event"):
            envelope = {key: event.pop(key) for key in ("type", "id", "source", "time")}
            events.append(NAMED_EVENT.validate_python({**envelope, "data": event}))
    first: dict[tuple[str, str], NamedEvent] = {}
    for event in events:  # some published samples share an id
        first.setdefault((event.source, event.event_id), event)
    return list(first.values())


def outlines() -> list[NamedEvent]:
    found: list[NamedEvent] = []
    for number, file in enumerate(sorted((SAMPLES / "outline").glob("*.xml"))):
        for outline in READERS["cmi5"](OutlineDocument(file.read_bytes(), file.name, CONNECTION)):
            members = {"id": file.name, "source": "xapi-test", "time": f"2010-01-01T00:00:{number:02}Z"}
            found.append(NAMED_EVENT.validate_python({**members, "type": "course.outlined", "data": outline}))
    return found


def test_the_rows_of_all_samples_are_those_of_the_rules(system: System) -> None:
    named, events = outlines(), translated()
    model = NamedModel()
    for batch in (named, events):
        model.deliver(batch)
    model.sweep()
    shuffled = events * 2
    random.Random(7).shuffle(shuffled)

    system.start_worker(2)
    system.publish(named)
    system.wait_until_drained()
    system.publish(shuffled)
    system.wait_until_drained()

    expected = model.rows()
    assert len(expected) > 30
    assert {source for source, *_ in expected} == {"xapi-test", "csv-test"}
    system.start_beat()  # whose maintenance applies what waited for a lesson that another event named
    wait_until(lambda: rows_by_name(system.engine) == expected, 30, "the rows of the rules")
    assert set(system.dead_letters()) <= {"unknown_lesson"}
    assert system.dead_letters().get("unknown_lesson") == 2 * len(model.unknown)
