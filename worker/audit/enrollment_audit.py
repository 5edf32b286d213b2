"""Audit enrollments: compare their progress, position, summary and activity with their ledger.

The expected rows come from the rules in Python, not from the SQL that stored the rows.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta

from sqlalchemy import Connection

from worker.analytics import stored_activity
from worker.analytics.rules.activity import Activity, activity, in_order
from worker.analytics.rules.activity_rows import ActivityRows, activity_rows
from worker.analytics.rules.local_day import Zones
from worker.analytics.zone_history import EnrollmentZones, read_zones
from worker.audit import stored_rows
from worker.audit.difference import NO_ROW, WHOLE_ROW, Difference, differences
from worker.audit.expected import expected_position, expected_progress, position_columns
from worker.audit.stored_rows import StoredEnrollment
from worker.contract.event import LedgerEvent, LessonEvent, ProgressCorrected
from worker.contract.lesson import Lesson
from worker.progress.current_lesson import CurrentLesson
from worker.progress.ledger_events import read_ledger
from worker.progress.reference import Position, Progress, latest_event, lesson_of, lesson_progress, order, position
from worker.progress.stored_outline import StoredOutline, read_outlines
from worker.summary.rules import Summary, summarize
from worker.summary.stored_summary import StoredSummary, read_stored


@dataclass(frozen=True, slots=True)
class AuditedEnrollment:
    """What an enrollment's rows must be, and every difference from that."""

    id: int
    zones: Zones
    rows: dict[Lesson, Progress]
    position: Position | None
    summary: Summary
    differences: list[Difference]
    """Those of progress rows, position and summary."""
    activity: Activity | None
    """None when the stored one is stale or was not compared."""
    activity_differences: list[Difference]
    unprovable: int
    """Number of rows for which retention left too few events to prove them."""
    is_bare: bool
    """The LMS created it and the ledger has no event of it."""


@dataclass(frozen=True, slots=True)
class _Stored:
    enrollment: StoredEnrollment
    outline: StoredOutline | None
    summary: StoredSummary
    is_unmarked: bool
    zones: EnrollmentZones
    activity: ActivityRows | None
    """None when it is not compared."""


def audit_enrollments(
    connection: Connection, ids: Sequence[int], idle_cutoff_seconds: float | None
) -> list[AuditedEnrollment]:
    """Compare these enrollments with their ledger in the caller's transaction, which must be a snapshot or hold locks.

    Stale activity is not compared; without a cut-off none is. The number of queries is fixed; memory grows with the
    enrollments, their lessons and days, and the events of one enrollment.
    """
    enrollments = stored_rows.read_enrollments(connection, ids)
    outlines = read_outlines(connection, {each.course_id for each in enrollments})
    summaries = {each.user_course_id: each for each in read_stored(connection, ids)}
    unmarked = set(stored_rows.unmarked(connection, ids))
    zones = read_zones(connection, ids)
    settled = [] if idle_cutoff_seconds is None else stored_activity.settled(connection, ids)
    activities = stored_activity.read_rows(connection, settled)
    idle_cutoff = timedelta(seconds=idle_cutoff_seconds or 0)
    page = {
        each.id: _Stored(
            each,
            outlines.get(each.course_id),
            summaries[each.id],
            each.id in unmarked,
            zones[each.id],
            activities.get(each.id),
        )
        for each in enrollments
    }
    found = {key: _audit_enrollment(page[key], its, idle_cutoff) for key, its in read_ledger(connection, list(page))}
    return [found[key] if key in found else _audit_enrollment(each, [], idle_cutoff) for key, each in page.items()]


def _audit_enrollment(stored: _Stored, ledger: Sequence[LedgerEvent], idle_cutoff: timedelta) -> AuditedEnrollment:
    ours, complete = stored.enrollment, stored.enrollment.history_from is None
    events = in_order(event for event in ledger if not isinstance(event, ProgressCorrected))
    recorded = _recorded_rows(ledger)
    found: list[Difference] = []
    rows: dict[Lesson, Progress] = {}
    unprovable = 0
    for lesson in sorted(ours.rows.keys() | recorded.keys()):
        row, known = ours.rows.get(lesson), recorded.get(lesson)
        expected = expected_progress(row, known, complete=complete)
        if expected is not None:
            rows[lesson] = expected
            # Events later than a correction may have been deleted before it was recorded.
            unprovable += not complete and (expected != known or expected.corrected_at is not None)
        if row != expected:
            found += differences("user_course_progress", (ours.id, *lesson), _columns(row), _columns(expected))

    recorded_position = _recorded_position(stored, events, rows) if events else None
    where = expected_position(ours.position, recorded_position, complete=complete)
    unprovable += where != recorded_position
    if where or ours.position:
        found += differences("user_course", (ours.id,), ours.columns, position_columns(where))

    current = (
        CurrentLesson(where.topic_id, where.lesson_id, where.section_id, where.occurred_at)
        if where
        else ours.current_lesson
    )
    lessons, moved = (stored.outline.lessons, stored.outline.moved) if stored.outline else (None, {})
    summary = summarize(ours.id, lessons, {lesson: row.status for lesson, row in rows.items()}, current, moved)
    found += _summary_differences(stored, summary)
    its = None if stored.activity is None else _activity(stored, events, rows, idle_cutoff)
    differing = list(_activity_differences(stored, its))
    is_bare = ours.is_of_lms and complete and not ledger
    return AuditedEnrollment(
        ours.id, stored.zones.zones, rows, where, summary, found, its, differing, unprovable, is_bare
    )


def _recorded_position(
    stored: _Stored, events: Sequence[LessonEvent], rows: Mapping[Lesson, Progress]
) -> Position | None:
    """Between tied events the outline decides, but only once the summary shows the outline."""
    latest, is_tied = latest_event(events, stored.outline.ordinals if stored.outline else {})
    ours = stored.enrollment.position
    if is_tied and ours and not stored.summary.is_current:
        same = {event.event_id: event for event in events if order(event)[:3] == order(latest)[:3]}
        latest = same.get(ours.event_id, latest)
    return position(latest, rows[lesson_of(latest)], is_tied=is_tied)


def _recorded_rows(ledger: Sequence[LedgerEvent]) -> dict[Lesson, Progress]:
    by_lesson: dict[Lesson, list[LedgerEvent]] = defaultdict(list)
    for event in ledger:
        by_lesson[event.data.topic_id, event.data.lesson_id].append(event)
    return {lesson: lesson_progress(its) for lesson, its in by_lesson.items()}


def _summary_differences(stored: _Stored, expected: Summary) -> Iterator[Difference]:
    held = asdict(stored.summary.summary) if stored.summary.summary else None
    if stored.is_unmarked:
        key = (stored.enrollment.id,)
        yield Difference("user_course_summary", key, WHOLE_ROW, held or NO_ROW, asdict(expected))
    elif stored.summary.is_current and held:
        yield from differences("user_course_summary", (stored.enrollment.id,), held, asdict(expected))


def _activity(
    stored: _Stored, events: Sequence[LessonEvent], rows: dict[Lesson, Progress], idle_cutoff: timedelta
) -> Activity:
    """Return the activity that the expected rows imply, so that a wrong `completed_at` is reported only once."""
    completed_at = {lesson: row.completed_at for lesson, row in rows.items()}
    return activity(events, completed_at, stored.zones.zones, idle_cutoff, stored.zones.made_at)


def _activity_differences(stored: _Stored, its: Activity | None) -> Iterator[Difference]:
    if stored.activity is None or its is None:
        return
    expected = activity_rows(stored.enrollment.id, its)
    for table, key in sorted(stored.activity.keys() | expected.keys()):
        yield from differences(table, key, stored.activity.get((table, key)), expected.get((table, key)))


def _columns(row: Progress | None) -> dict[str, object] | None:
    return None if row is None else asdict(row)
