"""Find the token of a request without the header Authorization, from senders that can only put it elsewhere."""

from pydantic_core import from_json

from worker.api.form_records import read_form

PATHS = frozenset({"/moodle", "/frappe"})
"""Of `worker.api.record_doors`."""
IN_BODY = frozenset({"/moodle"})
"""Paths whose records may have the token as a member `token`. Adapters drop it: no dead letter has it."""


def token_in(body: bytes) -> str | None:
    """Return the token in a record, the only one of a body. Raises nothing."""
    record: object = read_form(body)
    if record is None:
        try:
            record = from_json(body)
        except ValueError:
            return None
    token = record.get("token") if isinstance(record, dict) else None
    return token if isinstance(token, str) and token else None
