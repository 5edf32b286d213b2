"""Find the parts of the work that fail while everything else goes on, so that operators can fix them."""

from sqlalchemy import Connection

from worker.database import rollup_lag
from worker.streams.stray_streams import Strays

_SUBJECTS = {
    "summaries": ("summary", "enrollment"),
    "course_statistics": ("statistics", "course"),
    "activity": ("activity", "enrollment"),
}
"""By rollup: what it computes, and for what."""


def find_degradation(connection: Connection, strays: Strays) -> dict[str, str]:
    """Return a sentence for each failing part, `redis_keys` or the name of a rollup."""
    found = {"redis_keys": strays.complaint} if strays.complaint else {}
    for name, failed in rollup_lag.failed_refreshes(connection).items():
        what, noun = _SUBJECTS[name]
        ids = ", ".join(map(str, failed.ids)) + (", …" if failed.number > len(failed.ids) else "")
        found[name] = (
            f"The {what} of {failed.number:,} {noun}{'' if failed.number == 1 else 's'} could not be computed: {ids}. "
            "It is retried later; all others continue. See PostgreSQL's log for the cause, often its statement_timeout."
        )
    return found
