"""Fragments of SQL that define activity, each as `rules.activity` does: what an event covers and what begins a visit.

The statement that uses them has lesson events in order of `ORDER`, each with the time of the enrollment's next event as
`next_at`, and the idle cut-off as `idle`.
"""

ORDER = "occurred_at, sequence, type DESC, event_id"
"""The order of an enrollment's events."""

IDLE = "make_interval(secs => :idle_cutoff_seconds) AS idle"

COVERED = """duration_seconds IS NOT NULL AS is_measured,
               occurred_at - make_interval(secs => coalesce(duration_seconds, 0)) AS starts_at,
               CASE WHEN duration_seconds IS NULL AND next_at - occurred_at <= idle
                    THEN next_at ELSE occurred_at END AS ends_at"""
"""What an event covers, from `starts_at` to `ends_at`."""

STRETCHES = """range_agg(tstzrange(starts_at, ends_at)) AS stretches,
               range_agg(tstzrange(starts_at, ends_at)) FILTER (WHERE is_measured) AS measured_stretches"""
"""The union of what some events cover."""

_SECONDS = "SELECT coalesce(extract(epoch FROM sum(upper(each) - lower(each))), 0)::float8 FROM unnest"
SPENT = f"({_SECONDS}(stretches) AS each) AS seconds, ({_SECONDS}(measured_stretches) AS each) AS measured_seconds"
"""The lengths of the unions of `STRETCHES`."""


def weekday(at: str) -> str:
    """Return the weekday of a date or local time, from 0 for Monday."""
    return f"(extract(isodow FROM {at})::int - 1)"


def monday(day: str) -> str:
    """Return the Monday of the date's week."""
    return f"{day} - {weekday(day)}"


def begins_after(previous_at: str) -> str:
    """Return the condition that an event begins a visit or a session, given the column of the event before it."""
    return f"coalesce(occurred_at - {previous_at} >= idle, true)"
