"""Hold every table against the plain-Python rules (`worker.progress.reference.fold`), row for row."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Engine

from tests.support.events import corrected, enrolled, outlined
from tests.support.tables import rows
from worker.contract.entry import Entry
from worker.contract.event import (
    CourseOutlined,
    EnrollmentCreated,
    Event,
    LedgerEvent,
    LessonCompleted,
    LessonViewed,
    ProgressCorrected,
)
from worker.contract.identity import sequence_key
from worker.contract.parse import parse_entry
from worker.progress.reference import Section, State, fold, in_order

EVERY_ID = (1, 2**63 - 1)

LmsRows = Mapping[int, tuple[int, int]]
"""What an LMS inserted into `user_course` itself: (user_id, course_id) by id."""


def assert_tables_equal_model(
    engine: Engine,
    events: Iterable[Event],
    *,
    lms_rows: LmsRows | None = None,
    rejected: Mapping[str, int] | None = None,
) -> None:
    """Every table holds exactly what follows from the events, in the order they were recorded.

    Events of enrollments that neither an event nor the LMS made must be parked, each entry of its own; beside them only
    the `rejected` dead letters, counted by reason, may be there.
    """
    events = list(events)
    state = expected_state(events, lms_rows)
    assert_rows_equal_model(engine, events, state, lms_rows=lms_rows)
    assert _dead_letters(engine) == _expected_dead_letters(events, state, rejected or {})


def assert_rows_equal_model(
    engine: Engine,
    events: Iterable[Event],
    state: State,
    *,
    lms_rows: LmsRows | None = None,
    enrollments: tuple[int, int] = EVERY_ID,
    courses: tuple[int, int] = EVERY_ID,
) -> None:
    """The rows of these enrollments and courses, from the first id to the last, are those of events and state."""
    assert _stored(engine, _USER_COURSE, enrollments) == _user_courses(state, lms_rows or {})
    assert _stored(engine, _PROGRESS, enrollments) == _progress(state)
    assert _stored(engine, _LEDGER, enrollments) == _ledger(state)
    assert _stored(engine, _COURSE, courses) == _courses(events)
    assert _stored(engine, _COURSE_LESSON, courses) == [
        (course_id, ordinal, lesson.topic_id, lesson.lesson_id, lesson.title)
        for course_id, lessons in sorted(state.outlines.items())
        for ordinal, lesson in enumerate(lessons, 1)
    ]


def expected_state(events: Iterable[Event], lms_rows: LmsRows | None = None) -> State:
    """What plain Python makes of the events and of the enrollments that an LMS inserted itself."""
    made = {key: _as_event(key, *row) for key, row in (lms_rows or {}).items()}
    state = fold([*made.values(), *events])
    for key, row in made.items():
        state.snapshots[key].remove(row)
    return state


def assert_progress_follows_from_ledger(engine: Engine) -> None:
    """Progress and positions are what the rules make of the ledger's own rows.

    Where an outline decides between lessons, the summaries must be current.
    """
    enrollments: list[Event] = [
        enrolled(key, course_id=course_id) for key, course_id in rows(engine, "SELECT id, course_id FROM user_course")
    ]
    state = fold([*enrollments, *_outlines(engine), *(_from_ledger(row) for row in _stored(engine, _LEDGER))])
    assert _stored(engine, _PROGRESS) == _progress(state)
    stored = rows(engine, "SELECT id, current_topic, current_lesson, current_section, position_at FROM user_course")
    assert {row[0]: tuple(row[1:]) for row in stored if row[4]} == {
        key: (position.topic_id, position.lesson_id, position.section_id, position.occurred_at)
        for key, position in state.positions.items()
    }


_USER_COURSE = """
    SELECT id, user_id, course_id, timezone, enrolled_at, enrolled_event_id,
           current_topic, current_lesson, current_section, position_at, position_sequence, position_type::text,
           position_event_id, position_tied
    FROM user_course WHERE id BETWEEN :first AND :last ORDER BY id
"""
_PROGRESS = """
    SELECT user_course_id, topic_id, lesson_id, status::text, last_viewed_at, completed_at, corrected_at,
           section_id, section_at, section_sequence, section_type::text, section_event_id
    FROM user_course_progress WHERE user_course_id BETWEEN :first AND :last
    ORDER BY user_course_id, topic_id, lesson_id
"""
_LEDGER = """
    SELECT user_course_id, event_id, occurred_at, type::text, topic_id, lesson_id, section_id, duration_seconds,
           corrected_status::text, corrected_last_viewed_at, corrected_completed_at, sequence
    FROM lesson_event WHERE user_course_id BETWEEN :first AND :last ORDER BY user_course_id, event_id
"""
_COURSE = "SELECT id, outlined_at, outline_event_id FROM course WHERE id BETWEEN :first AND :last ORDER BY id"
_COURSE_LESSON = """
    SELECT course_id, ordinal, topic_id, lesson_id, title FROM course_lesson
    WHERE course_id BETWEEN :first AND :last ORDER BY course_id, ordinal
"""


def _stored(engine: Engine, sql: str, ids: tuple[int, int] = EVERY_ID) -> list[tuple[Any, ...]]:
    return rows(engine, sql, first=ids[0], last=ids[1])


def _as_event(user_course_id: int, user_id: int, course_id: int) -> EnrollmentCreated:
    """A row of the LMS, as the event that no other can replace."""
    return enrolled(user_course_id, user_id=user_id, course_id=course_id, time="9998-12-31T23:59:59Z")


def _user_courses(state: State, lms_rows: LmsRows) -> list[tuple[Any, ...]]:
    expected = []
    for key, event in sorted(state.enrollments.items()):
        made: tuple[Any, ...] = (event.data.timezone, event.time, UUID(event.event_id))
        if key in lms_rows:
            made = (None, None, None)
        position: tuple[Any, ...] = (None,) * 8
        if latest := state.positions.get(key):
            at, sequence, is_view, event_id = latest.order
            where = (latest.topic_id, latest.lesson_id, latest.section_id, at, sequence)
            position = (*where, "viewed" if is_view else "completed", UUID(event_id), latest.is_tied)
        expected.append((key, event.data.user_id, event.data.course_id, *made, *position))
    return expected


def _progress(state: State) -> list[tuple[Any, ...]]:
    return [
        (*key, row.status.value, row.last_viewed_at, row.completed_at, row.corrected_at, *_section(row.section))
        for key, row in sorted(state.progress.items())
    ]


def _section(section: Section | None) -> tuple[Any, ...]:
    if section is None:
        return (None,) * 5
    at, sequence, is_view, event_id = section.order
    return section.section_id, at, sequence, "viewed" if is_view else "completed", UUID(event_id)


def _outlines(engine: Engine) -> list[Event]:
    moved: dict[tuple[int, int, int], list[tuple[int, int]]] = defaultdict(list)
    for course_id, *old, topic_id, lesson_id in rows(
        engine, "SELECT course_id, from_topic_id, from_lesson_id, topic_id, lesson_id FROM moved_lesson"
    ):
        moved[course_id, topic_id, lesson_id].append((old[0], old[1]))
    lessons: dict[int, list[Any]] = defaultdict(list)
    for course_id, _, topic_id, lesson_id, title in _stored(engine, _COURSE_LESSON):
        lessons[course_id].append((topic_id, lesson_id, title, moved[course_id, topic_id, lesson_id]))
    return [outlined(course_id, its) for course_id, its in lessons.items()]


def _ledger(state: State) -> list[tuple[Any, ...]]:
    expected: list[tuple[Any, ...]] = []
    for (user_course_id, event_id), event in state.ledger.items():
        data = event.data
        kind = event.type.rpartition(".")[2]
        row = (user_course_id, UUID(event_id), event.time, kind, data.topic_id, data.lesson_id)
        if isinstance(event, ProgressCorrected):
            snapshot = (event.data.status.value, event.data.last_viewed_at, event.data.completed_at)
            expected.append((*row, None, None, *snapshot, sequence_key(event.sequence)))
        else:
            activity = (event.data.section_id, event.data.duration_seconds, None, None, None)
            expected.append((*row, *activity, sequence_key(event.sequence)))
    return sorted(expected, key=lambda each: each[:2])


def _from_ledger(row: Sequence[Any]) -> LedgerEvent:
    user_course_id, event_id, occurred_at, kind, topic_id, lesson_id, section_id, duration, *more = row
    status, seen, done, sequence = more
    envelope = {"id": str(event_id), "source": "/ledger", "time": occurred_at, "sequence": sequence or None}
    data = {"user_course_id": user_course_id, "topic_id": topic_id, "lesson_id": lesson_id}
    if kind == "corrected":
        lesson = (user_course_id, topic_id, lesson_id)
        return corrected(*lesson, status=status, last_viewed_at=seen, completed_at=done, **envelope)
    data |= {"section_id": section_id, "duration_seconds": duration}
    model = LessonCompleted if kind == "completed" else LessonViewed
    return model.model_validate({**envelope, "data": data})


def _courses(events: Iterable[Event]) -> list[tuple[Any, ...]]:
    found: dict[int, dict[str, CourseOutlined]] = defaultdict(dict)
    for event in events:
        if isinstance(event, CourseOutlined):
            found[event.data.course_id].setdefault(event.event_id, event)
    latest = {course_id: in_order(its.values())[-1] for course_id, its in found.items()}
    return [(course_id, event.time, UUID(event.event_id)) for course_id, event in sorted(latest.items())]


def _dead_letters(engine: Engine) -> Counter[tuple[Any, ...]]:
    """Count parked dead letters by event and enrollment, the others by reason."""
    found: Counter[tuple[Any, ...]] = Counter()
    for stream, entry_id, reason, key, body in rows(
        engine, "SELECT stream, entry_id, reason, user_course_id, body FROM dead_letter"
    ):
        parked = reason == "unknown_enrollment"
        found[(key, parse_entry(Entry(stream, entry_id, body)).model_dump_json()) if parked else (reason,)] += 1
    return found


def _expected_dead_letters(
    events: Iterable[Event], state: State, rejected: Mapping[str, int]
) -> Counter[tuple[Any, ...]]:
    expected: Counter[tuple[Any, ...]] = Counter({(reason,): number for reason, number in rejected.items()})
    expected.update((conflict.value,) for _, conflict in state.conflicts)
    for event in events:
        if isinstance(event, EnrollmentCreated | CourseOutlined) or event.data.user_course_id in state.enrollments:
            continue
        expected[event.data.user_course_id, event.model_dump_json()] += 1
    return expected
