"""Name the lessons of an outline: each keeps its number and topic, however often the LMS moves or renames it.

Of {lesson, aliases} one known: all get its number. None known: a new one. Two known with different numbers: that of the
lesson rules, and the alias stands for it from now on; rows recorded under the alias stay as they are. An outline older
than the recorded one names what is new, and changes nothing that is known.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import Connection, text

from worker.contract.event import CourseOutlined, Outline, OutlineLesson
from worker.contract.named_event import NamedCourseOutlined, NamedOutlineLesson
from worker.database.advisory_locks import NAMES_LOCK
from worker.identity.allocate import NO_TOPIC
from worker.identity.json_parameter import json_parameter

_LOCK = text("SELECT set_config('lock_timeout', '1s', true), pg_advisory_xact_lock(:key)")

_COURSE = text("""
    INSERT INTO external_id (kind, source, key, id)
    SELECT 'course', :source, :course, nextval('external_id_seq')
    WHERE :may_allocate AND NOT EXISTS (
        SELECT FROM external_id WHERE (kind, source, key, scope) = ('course', :source, :course, 0)
    )
    ON CONFLICT DO NOTHING
""")

_COURSE_ID = text("""
    SELECT id, coalesce((SELECT outlined_at > :time FROM course WHERE course.id = its.id), false) AS is_outdated
    FROM external_id AS its WHERE (kind, source, key, scope) = ('course', :source, :course, 0)
""")

_KNOWN = text("""
    SELECT kind, key, id, topic_id, is_alias FROM external_id
    WHERE source = :source AND scope = :course_id AND (kind, key) IN (
        SELECT e->>0, e->>1 FROM jsonb_array_elements(CAST(:names AS jsonb)) AS given (e)
    )
""")

# `id` null: a new number, the same for all names with the same ordinal.
_NAME = text("""
    WITH given AS MATERIALIZED (
        SELECT e->>0 AS kind, e->>1 AS key, (e->>2)::int AS ordinal, (e->>3)::bigint AS id, (e->>4)::int AS topic_id,
               (e->>5)::boolean AS is_new, (e->>6)::boolean AS is_alias
        FROM jsonb_array_elements(CAST(:names AS jsonb)) AS given (e)
    ),
    fresh AS MATERIALIZED (
        SELECT ordinal, nextval('external_lesson_id_seq') AS id
        FROM (SELECT DISTINCT ordinal FROM given WHERE id IS NULL) AS its
    ),
    numbered AS MATERIALIZED (
        SELECT kind, key, coalesce(given.id, fresh.id) AS id, topic_id, is_new, is_alias
        FROM given LEFT JOIN fresh USING (ordinal)
    ),
    inserted AS (
        INSERT INTO external_id (kind, source, key, scope, id, topic_id, is_alias)
        SELECT kind, :source, key, :course_id, id, topic_id, is_alias FROM numbered WHERE is_new
        ORDER BY kind COLLATE "C", key COLLATE "C"
        ON CONFLICT DO NOTHING
        RETURNING kind, key, id, topic_id, is_alias
    ),
    updated AS (
        UPDATE external_id AS known
        SET id = numbered.id, topic_id = numbered.topic_id, is_alias = numbered.is_alias
        FROM numbered
        WHERE NOT is_new AND (known.kind, known.source, known.key, known.scope)
            = (numbered.kind, :source, numbered.key, :course_id)
        RETURNING known.kind, known.key, known.id, known.topic_id, known.is_alias
    )
    SELECT * FROM inserted UNION ALL SELECT * FROM updated
""")


class _Overtaken(Exception):  # noqa: N818 - not an error
    """Another session has just named one of these."""


@dataclass(frozen=True, slots=True)
class NamedAgain:
    """A name that stood for another lesson until now; it may be the lesson's own."""

    name: str
    lesson: str


@dataclass(frozen=True, slots=True)
class _May:
    """What an outline may do: give numbers to new names, and change what known ones stand for."""

    allocate: bool
    change: bool


@dataclass(frozen=True, slots=True)
class _Known:
    id: int
    topic_id: int
    is_alias: bool


class ResolvedOutline(Outline):
    """An outline whose names became numbers. `names_digest` tells it apart whatever its names stand for later."""

    names_digest: bytes


def name_outline(
    connection: Connection, event: NamedCourseOutlined, *, may_allocate: bool
) -> tuple[CourseOutlined | None, list[NamedAgain]]:
    """Return the outline with numbers, and the aliases that changed their lesson. In the caller's transaction.

    The transaction should hold no other locks and end soon; only one names an outline at a time. None if the course, or
    one of its lessons, is new and may not be given a number. Repeated, it changes nothing.
    """
    source, course, lessons = event.source, event.data.course, event.data.lessons
    connection.execute(_LOCK, {"key": NAMES_LOCK})
    connection.execute(_COURSE, {"source": source, "course": course, "may_allocate": may_allocate})
    stored = connection.execute(_COURSE_ID, {"source": source, "course": course, "time": event.time}).one_or_none()
    if stored is None:
        return None, []
    course_id, is_outdated = stored
    scope = {"source": source, "course_id": course_id}
    may = _May(allocate=may_allocate, change=not is_outdated)
    while True:
        try:
            with connection.begin_nested():
                found, again = _lessons(connection, scope, lessons, may)
            break
        except _Overtaken:  # what that session named is committed, so the next try finds it
            continue
    if len(found) < len(lessons):
        return None, []
    outline = ResolvedOutline.model_construct(
        course_id=course_id,
        names_digest=sha256(event.data.model_dump_json().encode()).digest(),
        lessons=tuple(
            OutlineLesson.model_construct(topic_id=its.topic_id, lesson_id=its.id, title=lesson.title, moved_from=None)
            for lesson, its in zip(lessons, found, strict=True)
        ),
    )
    outlined = CourseOutlined.model_construct(
        id=event.id, source=source, time=event.time, sequence=event.sequence, data=outline
    )
    return outlined, again


def _lessons(
    connection: Connection, scope: Mapping[str, object], lessons: Sequence[NamedOutlineLesson], may: _May
) -> tuple[list[_Known], list[NamedAgain]]:
    """Return the numbers of the lessons, fewer if one may not be named."""
    aliases = _aliases(lessons)
    names = {("lesson", name) for lesson in lessons for name in (lesson.lesson, *aliases[lesson.lesson])}
    topics = {("topic", lesson.topic or NO_TOPIC) for lesson in lessons}
    known = _read(connection, scope, names | topics)
    if may.allocate:
        new_topics = sorted(topics - known.keys())
        known |= _name(
            connection, scope, [(*topic, number, None, None, True, False) for number, topic in enumerate(new_topics)]
        )
    own = {known[key].id for lesson in lessons if (key := ("lesson", lesson.lesson)) in known}
    used: set[int] = set()
    again: list[NamedAgain] = []
    rows: list[tuple[object, ...]] = []
    # Of lessons that were one until now, the one whose own name it had keeps the number, and with it the rows.
    first = {key for key, its in known.items() if not its.is_alias}
    for ordinal, lesson in sorted(enumerate(lessons), key=lambda each: ("lesson", each[1].lesson) not in first):
        its_names = (lesson.lesson, *aliases[lesson.lesson])
        candidates = [
            known[key]
            for name in its_names
            if (key := ("lesson", name)) in known and (name == lesson.lesson or known[key].id not in own)
        ]
        its = next((each for each in candidates if each.id not in used or not may.change), None)
        if its is None and not may.allocate:
            return [], []
        number, topic_id = (its.id, its.topic_id) if its else (None, known["topic", lesson.topic or NO_TOPIC].id)
        used.add(number or 0)
        for name in its_names:
            was = known.get(("lesson", name))
            is_alias = name != lesson.lesson
            if was is None or (may.change and (was.id, was.is_alias) != (number, is_alias)):
                rows.append(("lesson", name, ordinal, number, topic_id, was is None, is_alias))
            if may.change and was is not None and was.id != number:
                again.append(NamedAgain(name, lesson.lesson))
    known |= _name(connection, scope, rows)
    return [known["lesson", lesson.lesson] for lesson in lessons], again


def _aliases(lessons: Iterable[NamedOutlineLesson]) -> dict[str, list[str]]:
    """Return the aliases of each lesson; a name of a lesson, or an alias of an earlier one, is none."""
    taken = {lesson.lesson for lesson in lessons}
    found: dict[str, list[str]] = {}
    for lesson in lessons:
        its = [name for name in dict.fromkeys(lesson.aliases or ()) if name not in taken]
        taken.update(its)
        found[lesson.lesson] = its
    return found


def _read(
    connection: Connection, scope: Mapping[str, object], names: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], _Known]:
    rows = connection.execute(_KNOWN, {**scope, "names": json_parameter(names)})
    return {(row.kind, row.key): _Known(row.id, row.topic_id or 0, row.is_alias) for row in rows}


def _name(
    connection: Connection, scope: Mapping[str, object], rows: Sequence[tuple[object, ...]]
) -> dict[tuple[str, str], _Known]:
    """Name these and return them. Raises _Overtaken."""
    if not rows:
        return {}
    made = connection.execute(_NAME, {**scope, "names": json_parameter(rows)}).all()
    if len(made) < len(rows):
        raise _Overtaken
    return {(row.kind, row.key): _Known(row.id, row.topic_id or 0, row.is_alias) for row in made}
