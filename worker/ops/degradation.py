"""What keeps a part of the work from being done while everything else goes on: named, so that somebody mends it."""

from sqlalchemy import Connection

from worker.ops import rollup_lag
from worker.streams.stray_streams import Strays

_SUBJECTS = {
    "summaries": ("summary", "enrollment"),
    "course_statistics": ("statistics", "course"),
    "activity": ("activity", "enrollment"),
}
"""By rollup what it could not compute, and of what."""


def find_degradation(connection: Connection, strays: Strays) -> dict[str, str]:
    """By the part that suffers (`redis_keys`, or a rollup) a sentence; nothing when all is well."""
    found = {"redis_keys": strays.complaint} if strays.complaint else {}
    for name, failed in rollup_lag.failures(connection).items():
        what, of = _SUBJECTS[name]
        ids = ", ".join(map(str, failed.ids)) + (", …" if failed.number > len(failed.ids) else "")
        found[name] = (
            f"The {what} of {failed.number:,} {of}{'' if failed.number == 1 else 's'} could not be computed: {ids}. "
            "The others go on, and these are tried again later. Why: PostgreSQL's log; its statement_timeout, often."
        )
    return found
