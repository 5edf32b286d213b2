"""Read durations as ISO 8601 writes them."""

import re
from decimal import Decimal

from worker.contract.value_types import MAX_DURATION_SECONDS

_NUMBER = r"([0-9]{1,9}(?:[.,][0-9]+)?)"
_DURATION = re.compile(
    rf"P(?:{_NUMBER}W|(?=.)(?:{_NUMBER}D)?(?:T(?=.)(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}S)?)?)", re.ASCII
)
_SECONDS = (604_800, 86_400, 3_600, 60, 1)


def read_duration(value: object) -> int | None:
    """Return whole seconds, 0 to 86,400, of PnW or PnDTnHnMnS, whose last number may have a fraction; else None.

    Years and months, which have no fixed length, negative and longer durations are not clamped: that would invent time.
    """
    if not isinstance(value, str) or not (match := _DURATION.fullmatch(value)):
        return None
    parts = [
        (Decimal(part.replace(",", ".")), unit) for part, unit in zip(match.groups(), _SECONDS, strict=True) if part
    ]
    if any(part % 1 for part, _ in parts[:-1]):
        return None
    seconds = int(sum(part * unit for part, unit in parts))
    return seconds if seconds <= MAX_DURATION_SECONDS else None
