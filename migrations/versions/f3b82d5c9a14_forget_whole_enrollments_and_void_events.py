"""Let an enrollment go with everything that is stored of it; add voided events and the marks of refreshes that failed.

Marks get foreign keys. An event that changes nothing but the ledger leaves a mark, so a deletion that cannot see that
event, being of an older snapshot, meets the mark and fails (40001, to be repeated) instead of leaving the event behind.

Where `session_replication_role` is `replica`, foreign keys and ordinary triggers do not fire: a trigger of that mode's
own deletes every row. It is a row trigger, as logical replication fires no others.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from worker.database.search_path import trigger_path

revision = "f3b82d5c9a14"
down_revision = "e2a71c4b8f03"
branch_labels = None
depends_on = None

aware = sa.DateTime(timezone=True)
MARKS = ("activity_change", "enrollment_change")
TABLES = (
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
"""Those whose rows belong to an enrollment."""

# In the order in which a batch locks them, or each would wait for the other.
LOCK = "LOCK TABLE user_course, lesson_event, user_course_progress, activity_change, enrollment_change"

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

# With the rights of the tables' owner: neither the LMS's role nor the worker's may delete what belongs to the living.
FUNCTIONS = """
    CREATE FUNCTION progress_delete_orphans(enrollment bigint, most bigint) RETURNS bigint LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = {path}, pg_temp SET plan_cache_mode = force_custom_plan AS $$
    DECLARE
        deleted bigint := 0;
    BEGIN
        {delete_some}
        RETURN deleted;
    END $$;

    CREATE FUNCTION progress_delete_with_enrollment() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = {path}, pg_temp AS $$
    BEGIN
        PERFORM progress_delete_orphans(OLD.id, NULL);
        RETURN NULL;
    END $$;

    CREATE FUNCTION progress_delete_with_all_enrollments() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = {path}, pg_temp AS $$
    BEGIN -- DELETE, as a table may be truncated by the same statement
        {delete_all}
        RETURN NULL;
    END $$;

    CREATE OR REPLACE FUNCTION progress_mark_blank_row() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = {path}, pg_temp AS $$
    BEGIN -- no row is marked that goes with its enrollment
        INSERT INTO enrollment_change (user_course_id)
        SELECT id FROM user_course
        WHERE id = CASE TG_OP WHEN 'DELETE' THEN OLD.user_course_id ELSE NEW.user_course_id END;
        RETURN NULL;
    END $$;
"""

TRIGGERS = """
    CREATE TRIGGER progress_deleted_replicated_enrollment AFTER DELETE ON user_course
    FOR EACH ROW EXECUTE FUNCTION progress_delete_with_enrollment();
    ALTER TABLE user_course ENABLE REPLICA TRIGGER progress_deleted_replicated_enrollment;

    ALTER TABLE user_course ENABLE ALWAYS TRIGGER progress_deleted_enrollments;

    DROP TRIGGER progress_truncated_lesson_events ON user_course;
    CREATE TRIGGER progress_truncated_enrollments AFTER TRUNCATE ON user_course
    FOR EACH STATEMENT EXECUTE FUNCTION progress_delete_with_all_enrollments();
    ALTER TABLE user_course ENABLE ALWAYS TRIGGER progress_truncated_enrollments;
"""

TAKE_BACK = """
    DROP TRIGGER progress_truncated_enrollments ON user_course;
    CREATE TRIGGER progress_truncated_lesson_events AFTER TRUNCATE ON user_course
    FOR EACH STATEMENT EXECUTE FUNCTION progress_delete_lesson_events();
    ALTER TABLE user_course ENABLE TRIGGER progress_deleted_enrollments;
    DROP TRIGGER progress_deleted_replicated_enrollment ON user_course;

    DROP FUNCTION progress_delete_with_all_enrollments();
    DROP FUNCTION progress_delete_with_enrollment();
    DROP FUNCTION progress_delete_orphans(bigint, bigint);

    CREATE OR REPLACE FUNCTION progress_mark_blank_row() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = {path}, pg_temp AS $$
    BEGIN
        INSERT INTO enrollment_change (user_course_id)
        VALUES (CASE TG_OP WHEN 'DELETE' THEN OLD.user_course_id ELSE NEW.user_course_id END);
        RETURN NULL;
    END $$;
"""


def upgrade() -> None:
    op.execute(LOCK)
    for name in MARKS:
        op.execute(f"DELETE FROM {name} WHERE user_course_id NOT IN (SELECT id FROM user_course)")  # noqa: S608
        op.add_column(name, sa.Column("failed_at", aware))
        op.create_index(
            f"ix_{name}_failed", name, ["user_course_id"], postgresql_where=sa.text("failed_at IS NOT NULL")
        )
        op.create_foreign_key(
            f"fk_{name}_user_course_id", name, "user_course", ["user_course_id"], ["id"], ondelete="CASCADE"
        )
    op.create_table(
        "voided_event",
        sa.Column("user_course_id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("event_id", sa.Uuid, nullable=False),
        sa.Column("occurred_at", aware, nullable=False),
        sa.Column("recorded_at", aware, nullable=False),
        sa.Column("type", postgresql.ENUM(name="lesson_event_type", create_type=False), nullable=False),
        sa.Column("topic_id", sa.Integer, nullable=False),
        sa.Column("lesson_id", sa.Integer, nullable=False),
        sa.Column("section_id", sa.Integer),
        sa.Column("duration_seconds", sa.Integer),
        sa.Column("corrected_status", postgresql.ENUM(name="progress_status", create_type=False)),
        sa.Column("corrected_last_viewed_at", aware),
        sa.Column("corrected_completed_at", aware),
        sa.Column("voided_at", aware, server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("user_course_id", "event_id", name="pk_voided_event"),
        sa.ForeignKeyConstraint(
            ["user_course_id"], ["user_course.id"], name="fk_voided_event_user_course_id", ondelete="CASCADE"
        ),
    )
    op.execute(
        FUNCTIONS.format(
            path=trigger_path(op.get_bind()),
            delete_some="".join(DELETE_SOME.format(table=table) for table in TABLES),
            delete_all="".join(DELETE_ALL.format(table=table) for table in TABLES),
        )
    )
    op.execute(TRIGGERS)


def downgrade() -> None:
    op.execute(LOCK)
    op.execute(TAKE_BACK.format(path=trigger_path(op.get_bind())))
    op.drop_table("voided_event")
    for name in MARKS:
        op.drop_constraint(f"fk_{name}_user_course_id", name)
        op.drop_index(f"ix_{name}_failed", name)
        op.drop_column(name, "failed_at")
