"""What the document tells people, but JSON Schema has no word for.

A time is from 1980 on and not ahead of the clock; ids are not written as 8.0; no lesson is twice in an outline.
"""

import json
import math
from datetime import datetime, timedelta, timezone
from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis.core.parameters import ParameterLocation

from worker.api.event_bodies import SINGLE
from worker.contract.entry import Rejection
from worker.contract.parse import parse

OFFSETS = st.sampled_from([timezone(timedelta(hours=hours)) for hours in (0, -8, 5.75)])
TIMES = st.datetimes(datetime(1980, 1, 2), datetime(2025, 7, 14), timezones=OFFSETS)  # noqa: DTZ001 - OFFSETS adds it

schemathesis.openapi.format("date-time", TIMES.map(datetime.isoformat))


@schemathesis.hook
def filter_case(_: schemathesis.HookContext, case: "schemathesis.Case[Any]") -> bool:
    """Leave out the bodies that JSON Schema judges otherwise than the document."""
    if case.media_type == SINGLE:
        return _is_judged_alike(case)
    members = case.body if isinstance(case.body, dict) else {}
    return not any(name.endswith("_id") and _is_whole_float(value) for name, value in members.items())


def _is_judged_alike(case: "schemathesis.Case[Any]") -> bool:
    """Whether our own parser, on a single event, is of the opinion with which it was made."""
    part = case.meta and case.meta.components.get(ParameterLocation.BODY)
    if not part:
        return True
    try:
        parse(json.dumps(case.body).encode(), math.inf)
    except Rejection:
        return part.mode.is_negative
    except TypeError:  # no JSON at all
        return True
    return part.mode.is_positive


def _is_whole_float(value: object) -> bool:
    return isinstance(value, float) and value.is_integer()
