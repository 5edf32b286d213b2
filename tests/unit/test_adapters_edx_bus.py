"""Entries of Open edX's event bus: the bytes that it sends, what they become, and bytes that are something else."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.edx_bus import (
    ID,
    boolean,
    emitted,
    enrolled,
    enrollment,
    entry,
    long,
    optional,
    string,
    tracking_log,
)
from tests.support.tracking import CCX, COURSE, HTML, TIME, become, event_of, logged, outcome, tracked
from worker.adapters.avro import AvroError, AvroReader
from worker.adapters.edx_bus import EMITTED, ENROLLED, PAYLOAD, read_entry
from worker.contract.identity import identity


class TestAvro:
    @pytest.mark.parametrize(
        ("value", "encoded"),
        [(0, "00"), (-1, "01"), (1, "02"), (-2, "03"), (2, "04"), (-64, "7f"), (64, "8001"), (8192, "808001")],
    )
    def test_the_examples_of_the_specification(self, value: int, encoded: str) -> None:
        assert long(value).hex() == encoded
        assert AvroReader(bytes.fromhex(encoded)).read_long() == value
        assert string("foo").hex() == "06666f6f"

    @given(value=st.integers(-(2**63), 2**63 - 1), text=st.text(), truth=st.booleans(), perhaps=st.none() | st.text())
    def test_what_is_written_is_read(self, value: int, text: str, truth: bool, perhaps: str | None) -> None:
        reader = AvroReader(long(value) + string(text) + boolean(truth) + optional(perhaps) + b"more")
        assert (reader.read_long(), reader.read_string()) == (value, text)
        assert (reader.read_boolean(), reader.read_optional_string()) == (truth, perhaps)

    @pytest.mark.parametrize("content", [b"", b"\x80", b"\xff" * 11, b"\x06fo", b"\x01", b"\x02\xff", long(2**40)])
    def test_no_string(self, content: bytes) -> None:
        with pytest.raises(AvroError):
            AvroReader(content).read_string()

    def test_no_boolean_and_no_branch(self) -> None:
        with pytest.raises(AvroError):
            AvroReader(b"\x02").read_boolean()
        with pytest.raises(AvroError):
            AvroReader(b"\x04").read_optional_string()


class TestTracking:
    @pytest.mark.parametrize("in_text", [False, True])
    def test_one_event_with_the_line_of_the_log(self, in_text: bool) -> None:
        event = tracked(data={"user_id": 4, "course_id": COURSE, "block_id": HTML, "completion": 0.5, "x": "é"})
        assert become(read_entry(emitted(event))) == become(logged(event, in_text=in_text)) == become(event)

    def test_whatever_the_header_says(self) -> None:
        assert become(read_entry(emitted(tracked(), "another"))) == become(tracked())

    def test_the_options_count(self) -> None:
        record = read_entry(emitted(tracked("stop_video", {"id": HTML})))
        assert outcome(record) == "lesson.viewed"
        assert outcome(record, infer=True) == "lesson.completed"

    def test_a_payload_that_grew(self) -> None:
        fields = entry(EMITTED, tracking_log(tracked()) + string("a new field"))
        assert become(read_entry(fields)) == become(tracked())


class TestEnrollment:
    @pytest.mark.parametrize("changes", [{}, {"start": TIME}, {"created_by": 9}, {"course": CCX}])
    def test_created(self, changes: dict[str, Any]) -> None:
        event = event_of(read_entry(enrolled(**changes)), timezone="Asia/Tokyo")
        assert event.data.model_dump() == {
            "learner": "user:4",
            "course": changes.get("course", COURSE),
            "timezone": "Asia/Tokyo",
        }
        assert (event.event_id, event.time.isoformat()) == (ID, TIME)
        assert b"ann" not in event.to_json().lower()

    def test_an_id_that_is_no_uuid(self) -> None:
        assert event_of(read_entry(enrolled("e-7"))).event_id == identity("edx-test", "e-7")

    @pytest.mark.parametrize("header_id", ["", "00000000-0000-0000-0000-000000000000"])
    def test_no_id(self, header_id: str) -> None:
        first, again = (event_of(read_entry(enrolled(header_id))) for _ in range(2))
        assert first == again
        assert first.id.startswith("sha256:")
        assert event_of(read_entry(enrolled(header_id, user_id=5))).id != first.id

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"is_active": False}, "unenrolment"),
            ({"user_id": 0}, "anonymous"),
            ({"course": ""}, "rejected: missing_member"),
            ({"created": "soon"}, "rejected: bad_time"),
        ],
        ids=str,
    )
    def test_none(self, changes: dict[str, Any], expected: str) -> None:
        assert outcome(read_entry(enrolled(**changes))) == expected


class TestOther:
    def test_other_types_are_ignored_unread(self) -> None:
        fields = entry("org.openedx.content_authoring.xblock.published.v1", b"\xff")
        assert outcome(read_entry(fields)) == "event_type"

    @pytest.mark.parametrize("event_type", [EMITTED, ENROLLED])
    def test_cut_anywhere(self, event_type: str) -> None:
        payload = tracking_log(tracked()) if event_type == EMITTED else enrollment()
        needed = payload if event_type == EMITTED else payload[:-1]  # the last field is not read
        for length in range(len(needed)):
            assert outcome(read_entry(entry(event_type, payload[:length]))) == "rejected: bad_payload"

    @pytest.mark.parametrize("fields", [{}, {b"event_data": b"x"}, {b"type": b""}], ids=str)
    def test_no_type(self, fields: dict[bytes, bytes]) -> None:
        assert outcome(read_entry(fields)) == "rejected: missing_member"

    @pytest.mark.parametrize("payload", [None, 5, "0", "xy", "a\n"])
    def test_no_hexadecimal(self, payload: object) -> None:
        assert outcome(read_entry(emitted(tracked())) | {PAYLOAD: payload}) == "rejected: bad_payload"
