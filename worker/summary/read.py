"""Read summaries: the stored one if it is current, else one computed on the spot."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import Connection, Engine

from worker.contract.id_ranges import require_enrollment_id
from worker.contract.lesson import Lesson
from worker.database.engine import snapshot
from worker.errors import InputError, unknown_enrollment
from worker.progress.stored_outline import read_outlines
from worker.summary.rules import Summary, summarize
from worker.summary.stored_summary import StoredSummary, read_states, read_stored


@dataclass(frozen=True, slots=True)
class TitledSummary:
    """A summary, when it was computed, and titles of lessons."""

    summary: Summary
    refreshed_at: datetime
    titles: dict[Lesson, str | None]


@dataclass(frozen=True, slots=True)
class RefreshedSummary(Summary):
    """A summary, and when it was computed."""

    refreshed_at: datetime


MAX_SUMMARIES = 200
"""Maximum number of summaries read at once: up to that many may have to be computed on the spot."""

COMPUTED_AT_ONCE = 50
"""Between two such parts an event loop serves others."""

_MEMBERS = [member.name for member in fields(Summary)]


def get_refreshed_summary(engine: Engine, user_course_id: int) -> RefreshedSummary:
    """Return the same as `get_summary`, without titles."""
    return refreshed(get_summary(engine, user_course_id, titled=False))


def get_refreshed_summaries(engine: Engine, user_course_ids: Collection[int]) -> dict[int, RefreshedSummary]:
    """Return the summaries of those of these enrollments that exist, by id; the same as `get_refreshed_summary`.

    Raises InputError for more than 200 ids.
    """
    if len(user_course_ids) > MAX_SUMMARIES:
        raise InputError(f"{len(user_course_ids)} enrollments are too many at once; ask for up to {MAX_SUMMARIES}.")
    with snapshot(engine) as connection:
        found = read_summaries(connection, list(user_course_ids), titled=False)
    return {each.summary.user_course_id: refreshed(each) for each in found}


def refreshed(found: TitledSummary) -> RefreshedSummary:
    """Return the summary without titles."""
    members = {name: getattr(found.summary, name) for name in _MEMBERS}  # `asdict` would copy each value deeply
    return RefreshedSummary(**members, refreshed_at=found.refreshed_at)


def get_summary(engine: Engine, user_course_id: int, *, titled: bool = True) -> TitledSummary:
    """Return the summary of one enrollment, in one query if the stored one is current; cheaper without titles.

    Raises InputError for an invalid id, and NotFoundError if the enrollment does not exist.
    """
    require_enrollment_id(user_course_id)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # One statement is a snapshot by itself, without the two extra round trips of a transaction.
        current = [_current(stored) for stored in read_stored(connection, [user_course_id], titled=titled)]
    if current and current[0]:
        return current[0]
    with snapshot(engine) as connection:
        found = _computed(connection, [user_course_id])
    if not found:
        raise unknown_enrollment(user_course_id)
    return found[0]


def read_summaries(
    connection: Connection, user_course_ids: Sequence[int], *, titled: bool = True
) -> list[TitledSummary]:
    """Return the summaries of those of these enrollments that exist, by id; cheaper without titles.

    One query, and two for each 50 that are stale, in the caller's transaction, which must be REPEATABLE READ.
    """
    found: dict[int, TitledSummary] = {}
    stale: list[int] = []
    for stored in read_stored(connection, user_course_ids, titled=titled):
        if current := _current(stored):
            found[stored.user_course_id] = current
        else:
            stale.append(stored.user_course_id)
    for start in range(0, len(stale), COMPUTED_AT_ONCE):
        part = _computed(connection, stale[start : start + COMPUTED_AT_ONCE])
        found |= {each.summary.user_course_id: each for each in part}
    return [found[each] for each in sorted(found)]


def _current(stored: StoredSummary) -> TitledSummary | None:
    if stored.is_current and stored.summary and stored.refreshed_at:
        return TitledSummary(stored.summary, stored.refreshed_at, stored.titles)
    return None


def _computed(connection: Connection, user_course_ids: Sequence[int]) -> list[TitledSummary]:
    """Compute summaries from rows and outlines, by id. Two queries."""
    states = read_states(connection, user_course_ids)
    outlines = read_outlines(connection, {state.course_id for state in states}) if states else {}
    found = []
    for state in states:
        outline = outlines.get(state.course_id)
        lessons, moved = (outline.lessons, outline.moved) if outline else (None, {})
        summary = summarize(state.user_course_id, lessons, state.rows, state.current_lesson, moved)
        found.append(TitledSummary(summary, state.read_at, outline.titles if outline else {}))
    return found
