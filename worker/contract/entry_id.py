"""A stream entry's id as two numbers, the millisecond of Redis' clock and a sequence within it. They sort like ids."""

from datetime import UTC, datetime

EntryId = tuple[int, int]

BEGINNING: EntryId = (0, 0)
"""Before every entry."""


def parse_id(text: str) -> EntryId:
    """Parse an id as written by Redis."""
    milliseconds, _, sequence = text.partition("-")
    return int(milliseconds), int(sequence)


def format_id(entry_id: EntryId) -> str:
    """Return the id as written by Redis."""
    return f"{entry_id[0]}-{entry_id[1]}"


def moment(entry_id: EntryId) -> datetime | None:
    """Return the id's time; None for the beginning and for ids that are no valid time."""
    if entry_id == BEGINNING:
        return None
    try:
        return datetime.fromtimestamp(entry_id[0] / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None
