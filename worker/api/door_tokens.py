"""Find the token of a request without the header Authorization, from senders that can only put it elsewhere."""

from pydantic_core import from_json

from worker.api.form_records import read_form

PATHS = frozenset({"/moodle", "/frappe", "/caliper", "/canvas"})
"""Of `worker.api.record_doors`."""
IN_BODY = frozenset({"/moodle"})
"""Paths whose records may have the token as a member `token`. Adapters drop it: no dead letter has it."""
IN_PATH = "/canvas/"
"""What a path begins with that has the token as its rest. It must stay out of every log."""


def token_in_path(path: str) -> str | None:
    """Return the token that the path has."""
    return path.removeprefix(IN_PATH) if path.startswith(IN_PATH) else None


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
