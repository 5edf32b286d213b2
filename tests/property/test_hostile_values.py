"""SQL takes values as parameters alone: whatever a text of an event says, it ends as data.

That no statement is put together from values: `tests/unit/test_sql.py`.
"""

from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import Engine

from tests.support.events import at, corrected, enrolled, entry, outlined, viewed
from tests.support.tables import TABLES, clear, rows
from worker.contract.entry import Entry
from worker.contract.identity import sequence_key
from worker.progress.ingest import ingest

NASTY = (
    "'; DROP TABLE lesson_event; --", '"', "'", "\\", "\\'", "%s", "%(x)s", ":name", "{}", "$1", "/*", "E'\\x41'", "$$",
)  # fmt: skip
letters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
texts = st.lists(st.sampled_from(NASTY) | st.text(letters, max_size=4)).map(lambda parts: "".join(parts)[:40] or "x")


@given(source=texts, identity=texts, zone=texts, sequence=texts, title=texts, stream=texts)
@example(source=NASTY[0], identity=NASTY[0], zone=NASTY[0], sequence=NASTY[0], title=NASTY[0], stream=NASTY[0])
def test_hostile_texts_are_stored_as_they_are(
    engine: Engine, source: str, identity: str, zone: str, sequence: str, title: str, stream: str
) -> None:
    clear(engine)
    view = viewed(1, source=source, id=identity, sequence=sequence)
    bad = Entry(stream, stream, title.encode() + b"\xff")
    told = enrolled(1, timezone=zone, source=source)
    events = [
        told,
        outlined(3, [(1, 1, title)], source=source),
        view,
        corrected(1, 1, 2, last_viewed_at=at(0), status="in_progress", source=source),
    ]
    outcome = ingest(engine, [*map(entry, events), bad])
    assert (outcome.applied, len(outcome.dead_letters)) == (4, 1)
    assert rows(engine, "SELECT timezone FROM user_course") == [(told.data.timezone,)]
    assert (sequence_key(view.sequence),) in rows(engine, "SELECT sequence FROM lesson_event")
    assert rows(engine, "SELECT title FROM course_lesson") == [(title,)]
    assert rows(engine, "SELECT stream, entry_id, body FROM dead_letter") == [(stream, stream, bad.body)]
    assert (view.event_id,) in rows(engine, "SELECT event_id::text FROM lesson_event")
    for table in TABLES:
        rows(engine, f"SELECT FROM {table}")
