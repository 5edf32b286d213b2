"""What the document tells people, but JSON Schema has no word for.

A time is from 1980 on, not ahead of the clock; 8.0 is no id, although JSON Schema takes it for an integer.
"""

from datetime import datetime, timedelta, timezone
from typing import Any

import schemathesis
from hypothesis import strategies as st

OFFSETS = st.sampled_from([timezone(timedelta(hours=hours)) for hours in (0, -8, 5.75)])
TIMES = st.datetimes(datetime(1980, 1, 2), datetime(2025, 7, 14), timezones=OFFSETS)  # noqa: DTZ001 - OFFSETS adds it

schemathesis.openapi.format("date-time", TIMES.map(datetime.isoformat))


@schemathesis.hook
def before_call(_context: object, case: Any, _kwargs: object) -> None:
    """Write whole numbers as such."""
    if isinstance(case.body, dict):
        case.body = {
            name: int(value) if isinstance(value, float) and value.is_integer() else value
            for name, value in case.body.items()
        }
