"""One stream entry as it was read, and a rejection with its reason."""

from enum import StrEnum

from msgspec import Struct

FIELD = "event"
"""The field of an entry that holds the event."""
GROUP = "progress"
"""The consumer group of the default stream key."""
_MAX_DETAIL = 500


class Reason(StrEnum):
    """Why an entry is a dead letter."""

    MISSING_FIELD = "missing_field"
    TOO_LARGE = "too_large"
    INVALID_JSON = "invalid_json"
    UNKNOWN_TYPE = "unknown_type"
    INVALID_EVENT = "invalid_event"
    TIME_OUT_OF_RANGE = "time_out_of_range"
    UNKNOWN_ENROLLMENT = "unknown_enrollment"
    UNKNOWN_REFERENCE = "unknown_reference"
    UNKNOWN_LESSON = "unknown_lesson"
    UNMAPPED = "unmapped"
    NOT_TRANSLATED = "not_translated"
    IDENTITY_CONFLICT = "identity_conflict"
    ENROLLMENT_CONFLICT = "enrollment_conflict"
    DATA_ERROR = "data_error"
    CRASHES_WORKER = "crashes_worker"


PARKED = frozenset({Reason.UNKNOWN_ENROLLMENT, Reason.UNKNOWN_REFERENCE, Reason.UNKNOWN_LESSON})
"""The reasons of parked entries, which wait for their enrollment, their lesson or a row that a foreign key requires."""


class Entry(Struct, frozen=True, gc=False):
    """A stream entry: its stream, its id (`milliseconds-sequence`) and the bytes of its field `event`, if any.

    `fields`: its other fields (name, value, name, value, …), kept if it becomes a dead letter.
    """

    stream: str
    id: str
    body: bytes | None
    fields: tuple[bytes, ...] = ()

    @property
    def other_fields(self) -> list[tuple[bytes, bytes]]:
        """Names and values of the fields other than the event."""
        return list(zip(self.fields[::2], self.fields[1::2], strict=True))

    @property
    def milliseconds(self) -> int:
        """The time in the entry's id, by Redis's clock; 0 for an id that is not Redis's."""
        milliseconds = self.id.partition("-")[0]
        return int(milliseconds) if milliseconds.isdecimal() else 0

    @property
    def arrival(self) -> int:
        """The id as one number, greater for later entries of the same Redis; a part that is no number counts as 0."""
        sequence = self.id.partition("-")[2]
        last = int(sequence) if sequence.isdecimal() else 0
        return min(self.milliseconds, 2**42 - 1) << 20 | min(last, 2**20 - 1)


class Rejection(Exception):  # noqa: N818 - a verdict on input, not a failure
    """The event can never be applied as it is."""

    def __init__(self, reason: Reason, detail: str) -> None:
        """Keep the reason, and the detail as text that is safe for any database and terminal."""
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = "".join(c if c.isprintable() else "?" for c in detail[:_MAX_DETAIL])
