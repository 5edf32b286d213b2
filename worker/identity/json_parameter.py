"""Lists of names as one parameter of a statement, whatever their number."""

from collections.abc import Iterable

import msgspec


def json_parameter(values: Iterable[object]) -> str:
    """Return the values as a JSON array, for `jsonb_array_elements`."""
    return msgspec.json.encode(list(values)).decode()
