"""Any JSON has one of the outcomes of a record of Open edX, which depends on it alone and tells no address."""

import json
from random import Random
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.tracking import (
    AGGREGATE,
    ARRIVED,
    CCX,
    COMPLETION,
    COURSE,
    HTML,
    OLD_COURSE,
    SEQUENCE,
    TIME,
    logged,
    tracked,
)
from worker.adapters.edx import translate
from worker.adapters.edx_bus import EMITTED, ENROLLED, HEADERS, PAYLOAD, read_entry
from worker.adapters.outcome import Ignored, Rejected
from worker.contract.connection import Connection
from worker.contract.named_event import NAMED_EVENT, NamedEvent

REASONS = {
    *("event_type", "unenrolment", "course_level", "anonymous", "other_level", "not_started", "not_a_lesson"),
    *("not_json", "not_an_object", "missing_member", "bad_payload", "no_offset", "bad_time", "time_out_of_range"),
}
NAMES = [
    *(COMPLETION, AGGREGATE + "vertical", AGGREGATE + "course", "edx.course.enrollment.activated", "seq_next"),
    *("edx.course.enrollment.deactivated", "edx.ui.lms.outline.selected", "play_video", "edx.video.stopped", "/x"),
    *("problem_check", "edx.grades.problem.submitted", "edx.ui.lms.sequence.tab_selected", "page_close"),
]
KEYS = [
    *("name", "event_type", "data", "event", "context", "timestamp", "time", "username", "event_source", "user_id"),
    *("course_id", "block_id", "id", "module_id", "problem_id", "target_url", "completion", "percent", "is_new"),
    *(HEADERS, PAYLOAD, "type", "\ud800"),
]
TEXTS = [
    *NAMES,
    *("", "0", "4", "server", COURSE, CCX, OLD_COURSE, HTML, SEQUENCE, TIME, "i4x-edX-Demo_X-video-v", "i4x-a-b-c-d"),
    *("i4x://a/b/c/d", "%", "%ff", "\0", "\ud800", "{", '{"user_id": 4}', '"\\ud800"', "[" * 2_000, "1" * 400),
    *(f"/courses/{COURSE}/jump_to/{HTML}", "/courseware/a/b/", "/jump_to/", "ann@example.org", EMITTED, ENROLLED),
    *("00", "0001", "ff" * 12, "2024-03-04T10:30:00"),
]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from([1, 0.5, 0, 10**400])
    | st.text(max_size=5)
    | st.sampled_from(TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=14,
)
CONNECTIONS = st.builds(
    Connection,
    name=st.just("edx-test"),
    edx_level=st.sampled_from(["block", "vertical", "sequential"]),
    infer=st.booleans(),
    timezone=st.sampled_from([None, "Europe/London"]),
)


@st.composite
def _nearly(draw: st.DrawFn) -> Any:
    """Return an event of which a few members, at any depth, are something else or gone."""
    event = tracked(draw(st.sampled_from(NAMES)), data=None, context={"user_id": draw(st.sampled_from([3, None]))})
    event["data"] |= {"id": SEQUENCE, "problem_id": HTML, "target_url": "/courseware/a/b/", "percent": 0.5}
    record: Any = json.loads(json.dumps(event if draw(st.booleans()) else logged(event, in_text=draw(st.booleans()))))
    for _ in range(draw(st.integers(0, 3))):
        place, key = record, draw(st.sampled_from(sorted(record)))
        while isinstance(place[key], dict) and place[key] and draw(st.booleans()):
            place = place[key]
            key = draw(st.sampled_from(sorted(place)))
        place[key] = draw(JSON)
    return record


ENTRIES = st.builds(
    read_entry,
    st.dictionaries(
        st.sampled_from([b"type", b"id", b"time", b"event_data", b"\xff"]),
        st.sampled_from([EMITTED.encode(), ENROLLED.encode(), b"\x02a", b"\x00" * 14]) | st.binary(max_size=60),
    ),
)
RECORDS = JSON | _nearly() | ENTRIES | st.binary(max_size=40)


def _outcome(record: object, connection: Connection) -> list[NamedEvent] | str:
    try:
        return translate(record, connection, ARRIVED)
    except (Ignored, Rejected) as verdict:
        return verdict.reason


@given(record=RECORDS, connection=CONNECTIONS)
@example({"name": COMPLETION, "data": "[" * 100_000, "context": {"user_id": 1}}, Connection(name="edx-test"))
@example({PAYLOAD: "0" * 3, HEADERS: {"type": EMITTED}}, Connection(name="edx-test"))
def test_any_json_has_an_outcome(record: Any, connection: Connection) -> None:
    outcome = _outcome(record, connection)
    if isinstance(outcome, str):
        assert outcome in REASONS
        return
    (event,) = outcome
    assert NAMED_EVENT.validate_json(event.to_json()) == event
    assert event.source == "edx-test"
    assert b"ann@example.org" not in event.to_json()
    assert b"192.0.2.7" not in event.to_json()


@given(records=st.lists(RECORDS, max_size=5), connection=CONNECTIONS, seed=st.integers())
def test_an_outcome_depends_on_the_record_alone(records: list[Any], connection: Connection, seed: int) -> None:
    alone = [_outcome(record, connection) for record in records]
    order = list(range(len(records)))
    Random(seed).shuffle(order)
    shuffled = {number: _outcome(records[number], connection) for number in order}
    assert [shuffled[number] for number in range(len(records))] == alone


@given(event=_nearly(), connection=CONNECTIONS)
def test_the_order_of_members_does_not_matter(event: Any, connection: Connection) -> None:
    def turned(value: Any) -> Any:
        return {key: turned(value[key]) for key in reversed(value)} if isinstance(value, dict) else value

    assert _outcome(turned(event), connection) == _outcome(event, connection)
