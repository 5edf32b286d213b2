"""Rows of deleted enrollments. PostgreSQL's triggers delete them, unless an operator disabled triggers."""

from collections.abc import Iterator

from sqlalchemy import Engine, TextClause, text

from worker.contract.id_ranges import BELOW_ALL_IDS
from worker.database.models import Base, DeadLetter, ExternalEnrollment

TABLES = tuple(
    name
    for name, table in sorted(Base.metadata.tables.items())
    if "user_course_id" in table.columns and name not in {DeadLetter.__tablename__, ExternalEnrollment.__tablename__}
)
"""Every table whose rows belong to an enrollment. A dead letter, or a named enrollment, may be of one yet to come."""

PAGE = 1_000
"""Ids read by one statement."""

CHUNK = 10_000
"""Maximum number of rows of each table deleted in one transaction."""

_DELETE = text("SELECT progress_delete_orphans(:id, :most)")


def _page_of(table_name: str) -> TextClause:
    """Skip from id to id through an index that begins with it, so that a table of a billion rows is not scanned."""
    return text(f"""
        WITH RECURSIVE its (id, number) AS (
            (SELECT user_course_id, 1 FROM {table_name} WHERE user_course_id > :after ORDER BY user_course_id LIMIT 1)
            UNION ALL
            SELECT next.id, number + 1 FROM its CROSS JOIN LATERAL (
                SELECT user_course_id AS id FROM {table_name} WHERE user_course_id > its.id
                ORDER BY user_course_id LIMIT 1
            ) AS next
            WHERE number < :limit
        )
        SELECT id, CASE WHEN NOT EXISTS (SELECT FROM user_course WHERE user_course.id = its.id)
                        THEN (SELECT count(*) FROM {table_name} WHERE user_course_id = its.id) END AS orphans
        FROM its ORDER BY id
    """)  # noqa: S608 - a name of our own


def find(engine: Engine, table: str) -> Iterator[tuple[int, int]]:
    """Yield the deleted enrollments that have rows in one of TABLES, in order of ids, with their number of rows."""
    after, statement = BELOW_ALL_IDS, _page_of(table)
    while True:
        with engine.connect() as connection:
            page = connection.execute(statement, {"after": after, "limit": PAGE}).all()
        yield from ((key, count) for key, count in page if count)
        if len(page) < PAGE:
            return
        after = page[-1][0]


def delete(engine: Engine) -> None:
    """Delete all such rows, in transactions of up to CHUNK rows of each table. Idempotent."""
    for table in TABLES:
        for user_course_id, _ in find(engine, table):
            while _delete_some(engine, user_course_id):
                pass


def _delete_some(engine: Engine, user_course_id: int) -> int:
    with engine.begin() as connection:
        return int(connection.scalar(_DELETE, {"id": user_course_id, "most": CHUNK}) or 0)
