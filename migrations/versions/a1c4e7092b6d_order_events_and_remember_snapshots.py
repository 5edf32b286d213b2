"""Order events of one time, keep the section of each lesson, remember snapshots, moved lessons, and a letter's fields.

Enrollments and outlines get a ledger like that of lessons: which snapshots came, so that one that comes again is told
from another under its identity, and so that a day belongs to the time zone of its time.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from worker.database.search_path import trigger_path

revision = "a1c4e7092b6d"
down_revision = "f3b82d5c9a14"
branch_labels = None
depends_on = None

OURS = "Made by the course-progress worker"
aware = sa.DateTime(timezone=True)
event_type = postgresql.ENUM(name="lesson_event_type", create_type=False)
bytewise = sa.Text(collation="C")

# In the order in which a batch locks them, or each would wait for the other.
LOCK = "LOCK TABLE course, user_course, lesson_event, user_course_progress, dead_letter"

TABLES_BEFORE = (
    "lesson_event",
    "voided_event",
    "user_course_progress",
    "user_course_summary",
    "enrollment_change",
    "activity_change",
    "enrollment_activity",
    "topic_activity",
    "lesson_activity",
    "daily_activity",
)
TABLES = ("enrollment_event", *TABLES_BEFORE)
"""Those whose rows belong to an enrollment."""

DELETE_SOME = """
        WITH gone AS (
            DELETE FROM {table} WHERE ctid = ANY(ARRAY(
                SELECT ctid FROM {table} AS its
                WHERE user_course_id = enrollment AND NOT EXISTS (SELECT FROM user_course WHERE id = enrollment)
                LIMIT most
            )) RETURNING 1
        )
        SELECT deleted + count(*) INTO deleted FROM gone;
"""

DELETE_ALL = "DELETE FROM {table};"

DELETIONS = """
    CREATE OR REPLACE FUNCTION progress_delete_orphans(enrollment bigint, most bigint) RETURNS bigint LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = {path}, pg_temp SET plan_cache_mode = force_custom_plan AS $$
    DECLARE
        deleted bigint := 0;
    BEGIN
        {delete_some}
        RETURN deleted;
    END $$;

    CREATE OR REPLACE FUNCTION progress_delete_with_all_enrollments() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = {path}, pg_temp AS $$
    BEGIN -- DELETE, as a table may be truncated by the same statement
        {delete_all}
        RETURN NULL;
    END $$;
"""

# A time zone that no event tells is the LMS's own: in force from now on, and the former one before. With the rights of
# the tables' owner, as the LMS's role may not write to ours. What is told later of an earlier time changes the activity
# since then; the event that made the enrollment changes none.
ZONES = """
    CREATE OR REPLACE FUNCTION progress_mark_activity() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = {path}, pg_temp AS $$
    BEGIN
        IF OLD.enrolled_event_id IS NOT DISTINCT FROM NEW.enrolled_event_id THEN
            INSERT INTO enrollment_event (user_course_id, event_id, occurred_at, timezone, by_lms)
            SELECT NEW.id, gen_random_uuid(), 'epoch', OLD.timezone, true
            WHERE NOT EXISTS (SELECT FROM enrollment_event WHERE user_course_id = NEW.id)
            UNION ALL
            SELECT NEW.id, gen_random_uuid(), clock_timestamp(), NEW.timezone, true;
        END IF;
        INSERT INTO activity_change (user_course_id) VALUES (NEW.id);
        RETURN NULL;
    END $$;

    CREATE FUNCTION progress_mark_told_enrollments() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = {path}, pg_temp AS $$
    BEGIN
        INSERT INTO activity_change (user_course_id)
        SELECT DISTINCT user_course_id FROM told
        WHERE NOT by_lms AND (
            EXISTS (
                SELECT FROM enrollment_event AS other
                WHERE other.user_course_id = told.user_course_id AND other.event_id <> told.event_id
            ) OR EXISTS (
                SELECT FROM user_course AS its
                WHERE its.id = told.user_course_id AND its.enrolled_event_id IS DISTINCT FROM told.event_id
            )
        );
        RETURN NULL;
    END $$;

    CREATE TRIGGER progress_told_enrollments AFTER INSERT ON enrollment_event REFERENCING NEW TABLE AS told
    FOR EACH STATEMENT EXECUTE FUNCTION progress_mark_told_enrollments();
"""

ZONES_BEFORE = """
    DROP FUNCTION progress_mark_told_enrollments();

    CREATE OR REPLACE FUNCTION progress_mark_activity() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = {path}, pg_temp AS $$
    BEGIN
        INSERT INTO activity_change (user_course_id) VALUES (NEW.id);
        RETURN NULL;
    END $$;
"""


def _deletions(tables: tuple[str, ...]) -> str:
    return DELETIONS.format(
        path=trigger_path(op.get_bind()),
        delete_some="".join(DELETE_SOME.format(table=table) for table in tables),
        delete_all="".join(DELETE_ALL.format(table=table) for table in tables),
    )


def upgrade() -> None:
    op.execute(LOCK)
    for ledger in ("lesson_event", "voided_event"):
        op.add_column(ledger, sa.Column("sequence", bytewise, server_default="", nullable=False))
    op.add_column("user_course", sa.Column("position_sequence", bytewise, comment=OURS))
    op.add_column("user_course", sa.Column("position_type", event_type, comment=OURS))
    op.add_column("user_course", sa.Column("position_tied", sa.Boolean, comment=OURS))
    op.add_column("user_course_progress", sa.Column("section_id", sa.Integer))
    op.add_column("user_course_progress", sa.Column("section_at", aware))
    op.add_column("user_course_progress", sa.Column("section_sequence", bytewise))
    op.add_column("user_course_progress", sa.Column("section_type", event_type))
    op.add_column("user_course_progress", sa.Column("section_event_id", sa.Uuid))
    op.add_column(
        "dead_letter", sa.Column("fields", postgresql.ARRAY(sa.LargeBinary), comment="Other fields: name, value, …")
    )
    op.add_column(
        "dead_letter",
        sa.Column(
            "fields_digest",
            sa.LargeBinary,
            server_default=sa.text("'\\x'"),
            nullable=False,
            comment="SHA-256 of the other fields; empty where there are none",
        ),
    )
    op.drop_constraint("uq_dead_letter_stream_entry_id_body_digest", "dead_letter")
    op.create_unique_constraint(
        "uq_dead_letter_stream_entry_id_body_digest_fields_digest",
        "dead_letter",
        ["stream", "entry_id", "body_digest", "fields_digest"],
    )
    op.create_table(
        "enrollment_event",
        sa.Column("user_course_id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("event_id", sa.Uuid, nullable=False),
        sa.Column("occurred_at", aware, nullable=False),
        sa.Column("sequence", bytewise, server_default="", nullable=False),
        sa.Column("arrival", sa.BigInteger, server_default="0", nullable=False),
        sa.Column("recorded_at", aware, server_default=sa.func.now(), nullable=False),
        sa.Column("user_id", sa.BigInteger),
        sa.Column("course_id", sa.BigInteger),
        sa.Column("timezone", sa.Text),
        sa.Column("by_lms", sa.Boolean, server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("user_course_id", "event_id", name="pk_enrollment_event"),
        sa.ForeignKeyConstraint(
            ["user_course_id"], ["user_course.id"], name="fk_enrollment_event_user_course_id", ondelete="CASCADE"
        ),
    )
    op.execute("""
        INSERT INTO enrollment_event (user_course_id, event_id, occurred_at, user_id, course_id, timezone)
        SELECT id, enrolled_event_id, enrolled_at, user_id, course_id, timezone FROM user_course
        WHERE enrolled_event_id IS NOT NULL
    """)
    op.create_table(
        "outline_event",
        sa.Column("course_id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("event_id", sa.Uuid, nullable=False),
        sa.Column("occurred_at", aware, nullable=False),
        sa.Column("sequence", bytewise, server_default="", nullable=False),
        sa.Column("arrival", sa.BigInteger, server_default="0", nullable=False),
        sa.Column("recorded_at", aware, server_default=sa.func.now(), nullable=False),
        sa.Column("digest", sa.LargeBinary, comment="SHA-256 of its lessons; null: recorded before there was one"),
        sa.PrimaryKeyConstraint("course_id", "event_id", name="pk_outline_event"),
        sa.ForeignKeyConstraint(["course_id"], ["course.id"], name="fk_outline_event_course_id", ondelete="CASCADE"),
    )
    op.execute("""
        INSERT INTO outline_event (course_id, event_id, occurred_at)
        SELECT id, outline_event_id, outlined_at FROM course
    """)
    op.create_table(
        "moved_lesson",
        sa.Column("course_id", sa.BigInteger, nullable=False),
        sa.Column("from_topic_id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("from_lesson_id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("topic_id", sa.Integer, nullable=False),
        sa.Column("lesson_id", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("course_id", "from_topic_id", "from_lesson_id", name="pk_moved_lesson"),
        sa.ForeignKeyConstraint(
            ["course_id", "topic_id", "lesson_id"],
            ["course_lesson.course_id", "course_lesson.topic_id", "course_lesson.lesson_id"],
            name="fk_moved_lesson_course_id_topic_id_lesson_id",
            ondelete="CASCADE",
        ),
    )
    op.add_column("enrollment_activity", sa.Column("doubtful_events", sa.Integer, server_default="0", nullable=False))
    op.create_index(
        "ix_enrollment_activity_doubtful",
        "enrollment_activity",
        ["user_course_id"],
        postgresql_where=sa.text("doubtful_events > 0"),
    )
    op.execute(_deletions(TABLES))
    op.execute(ZONES.format(path=trigger_path(op.get_bind())))


def downgrade() -> None:
    op.execute(LOCK)
    op.execute(_deletions(TABLES_BEFORE))
    op.drop_index("ix_enrollment_activity_doubtful", "enrollment_activity")
    op.drop_column("enrollment_activity", "doubtful_events")
    for table in ("moved_lesson", "outline_event", "enrollment_event"):
        op.drop_table(table)
    op.execute(ZONES_BEFORE.format(path=trigger_path(op.get_bind())))
    op.execute("""
        DELETE FROM dead_letter WHERE id NOT IN (
            SELECT min(id) FROM dead_letter GROUP BY stream, entry_id, body_digest
        )
    """)
    op.drop_constraint("uq_dead_letter_stream_entry_id_body_digest_fields_digest", "dead_letter")
    op.create_unique_constraint(
        "uq_dead_letter_stream_entry_id_body_digest", "dead_letter", ["stream", "entry_id", "body_digest"]
    )
    op.drop_column("dead_letter", "fields_digest")
    op.drop_column("dead_letter", "fields")
    for name in ("event_id", "type", "sequence", "at", "id"):
        op.drop_column("user_course_progress", f"section_{name}")
    for name in ("tied", "type", "sequence"):
        op.drop_column("user_course", f"position_{name}")
    for ledger in ("voided_event", "lesson_event"):
        op.drop_column(ledger, "sequence")
