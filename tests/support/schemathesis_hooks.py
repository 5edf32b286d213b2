"""What the document tells people of a time, but JSON Schema has no word for: from 1980 on, not ahead of the clock."""

from datetime import datetime, timedelta, timezone

import schemathesis
from hypothesis import strategies as st

OFFSETS = st.sampled_from([timezone(timedelta(hours=hours)) for hours in (0, -8, 5.75)])
TIMES = st.datetimes(datetime(1980, 1, 2), datetime(2025, 7, 14), timezones=OFFSETS)  # noqa: DTZ001 - OFFSETS adds it

schemathesis.openapi.format("date-time", TIMES.map(datetime.isoformat))
