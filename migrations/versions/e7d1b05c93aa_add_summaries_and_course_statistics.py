"""Add the rollups: a summary for each enrollment, statistics for each course and lesson, and marks of what is stale.

`stale_since` defaults to the time of the statement: every enrollment that is there becomes stale without being written,
and every one that an LMS inserts later is stale from the beginning. What else an LMS does by SQL (a change of course or
of a current lesson that no event set, a deletion, progress rows made ahead of any event) is marked by triggers, because
only its own transaction can do so.
"""

import sqlalchemy as sa
from alembic import op

from worker.database.search_path import trigger_path

revision = "e7d1b05c93aa"
down_revision = "d8a26c3f1b94"
branch_labels = None
depends_on = None

OURS = "Made by the course-progress worker"
aware = sa.DateTime(timezone=True)

# They run with the rights of the tables' owner, as the LMS's role may not write to ours. None of them locks or waits
# for a row that the LMS's statement does not write anyway: marks are only inserted.
MARKS = """
    CREATE FUNCTION progress_mark_changed_enrollment() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = {path}, pg_temp AS $$
    BEGIN
        NEW.stale_since := coalesce(NEW.stale_since, now());
        INSERT INTO course_change (course_id) SELECT OLD.course_id WHERE OLD.course_id IS NOT NULL;
        RETURN NEW;
    END $$;

    CREATE FUNCTION progress_mark_deleted_enrollments() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = {path}, pg_temp AS $$
    BEGIN
        INSERT INTO course_change (course_id) SELECT DISTINCT course_id FROM deleted WHERE course_id IS NOT NULL;
        RETURN NULL;
    END $$;

    CREATE FUNCTION progress_mark_blank_row() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = {path}, pg_temp AS $$
    BEGIN
        INSERT INTO enrollment_change (user_course_id)
        VALUES (CASE TG_OP WHEN 'DELETE' THEN OLD.user_course_id ELSE NEW.user_course_id END);
        RETURN NULL;
    END $$;

    CREATE TRIGGER progress_changed_enrollment
    BEFORE UPDATE OF course_id, current_topic, current_lesson, current_section ON user_course
    FOR EACH ROW WHEN (
        OLD.course_id IS DISTINCT FROM NEW.course_id
        OR NEW.position_at IS NULL AND (OLD.current_topic, OLD.current_lesson, OLD.current_section)
                       IS DISTINCT FROM (NEW.current_topic, NEW.current_lesson, NEW.current_section)
    ) EXECUTE FUNCTION progress_mark_changed_enrollment();

    CREATE TRIGGER progress_deleted_enrollments AFTER DELETE ON user_course
    REFERENCING OLD TABLE AS deleted
    FOR EACH STATEMENT EXECUTE FUNCTION progress_mark_deleted_enrollments();

    CREATE TRIGGER progress_inserted_blank_row AFTER INSERT ON user_course_progress
    FOR EACH ROW WHEN (NEW.last_viewed_at IS NULL) EXECUTE FUNCTION progress_mark_blank_row();

    CREATE TRIGGER progress_deleted_blank_row AFTER DELETE ON user_course_progress
    FOR EACH ROW WHEN (OLD.last_viewed_at IS NULL) EXECUTE FUNCTION progress_mark_blank_row();
"""


PROGRESS_KEY = "uq_user_course_progress_user_course_id_topic_id_lesson_id"


def upgrade() -> None:
    # With the status in its index, a summary is made without a visit to each row.
    op.drop_constraint(PROGRESS_KEY, "user_course_progress")
    op.execute(
        f"ALTER TABLE user_course_progress ADD CONSTRAINT {PROGRESS_KEY}"
        " UNIQUE (user_course_id, topic_id, lesson_id) INCLUDE (status)"
    )
    op.create_index(
        "ix_user_course_progress_corrected",
        "user_course_progress",
        ["user_course_id"],
        postgresql_where=sa.text("corrected_at IS NOT NULL"),
    )
    op.add_column("user_course", sa.Column("stale_since", aware, server_default=sa.func.now(), comment=OURS))
    op.add_column("user_course", sa.Column("history_from", aware, comment=OURS))
    op.create_index(
        "ix_user_course_stale_since",
        "user_course",
        ["stale_since"],
        postgresql_where=sa.text("stale_since IS NOT NULL"),
    )
    op.create_index("ix_user_course_course_id_id", "user_course", ["course_id", "id"])
    op.add_column("course", sa.Column("stale_since", aware))
    op.create_index(
        "ix_course_stale_since", "course", ["stale_since"], postgresql_where=sa.text("stale_since IS NOT NULL")
    )
    op.create_table(
        "user_course_summary",
        sa.Column("user_course_id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("course_id", sa.BigInteger),
        sa.Column("outline_version", sa.Integer, nullable=False),
        sa.Column("total_lessons", sa.Integer, nullable=False),
        sa.Column("completed_lessons", sa.Integer, nullable=False),
        sa.Column("in_progress_lessons", sa.Integer, nullable=False),
        sa.Column("not_started_lessons", sa.Integer, nullable=False),
        sa.Column("completion_percentage", sa.Numeric(5, 2), nullable=False),
        sa.Column("current_topic_id", sa.Integer),
        sa.Column("current_lesson_id", sa.Integer),
        sa.Column("current_section_id", sa.Integer),
        sa.Column("next_topic_id", sa.Integer),
        sa.Column("next_lesson_id", sa.Integer),
        sa.Column("next_reason", sa.Text),
        sa.Column("last_activity_at", aware),
        sa.Column("refreshed_at", aware, server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("user_course_id", name="pk_user_course_summary"),
        sa.CheckConstraint(
            "next_reason IN ('after_current', 'not_completed')", name="ck_user_course_summary_next_reason"
        ),
        sa.ForeignKeyConstraint(
            ["user_course_id"], ["user_course.id"], name="fk_user_course_summary_user_course_id", ondelete="CASCADE"
        ),
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index(
        "ix_user_course_summary_course_id_outline_version", "user_course_summary", ["course_id", "outline_version"]
    )
    op.create_table(
        "course_change",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("course_id", sa.BigInteger, nullable=False),
        sa.Column("changed_at", aware, server_default=sa.func.now(), nullable=False),
        sa.Column("failed_at", aware),
        sa.PrimaryKeyConstraint("id", name="pk_course_change"),
    )
    op.create_index("ix_course_change_course_id", "course_change", ["course_id"])
    op.execute("INSERT INTO course_change (course_id) SELECT id FROM course")
    op.create_table(
        "enrollment_change",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("user_course_id", sa.BigInteger, nullable=False),
        sa.Column("changed_at", aware, server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_enrollment_change"),
    )
    op.create_index("ix_enrollment_change_user_course_id", "enrollment_change", ["user_course_id"])
    counts = ("enrollments", "started", "completed")
    op.create_table(
        "course_statistics",
        sa.Column("course_id", sa.BigInteger, autoincrement=False, nullable=False),
        *(sa.Column(name, sa.Integer, nullable=False) for name in counts),
        sa.Column("completion_rate", sa.Numeric(5, 2), nullable=False),
        sa.Column("last_activity_at", aware),
        sa.Column("as_of", aware, nullable=False),
        sa.PrimaryKeyConstraint("course_id", name="pk_course_statistics"),
    )
    op.create_table(
        "lesson_statistics",
        sa.Column("course_id", sa.BigInteger, nullable=False),
        sa.Column("topic_id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("lesson_id", sa.Integer, autoincrement=False, nullable=False),
        *(sa.Column(name, sa.Integer, nullable=False) for name in counts),
        sa.Column("completion_rate", sa.Numeric(5, 2), nullable=False),
        sa.Column("last_activity_at", aware),
        sa.PrimaryKeyConstraint("course_id", "topic_id", "lesson_id", name="pk_lesson_statistics"),
        sa.ForeignKeyConstraint(
            ["course_id"], ["course_statistics.course_id"], name="fk_lesson_statistics_course_id", ondelete="CASCADE"
        ),
    )
    op.execute(MARKS.format(path=trigger_path(op.get_bind())))


def downgrade() -> None:
    op.execute("DROP TRIGGER progress_deleted_blank_row ON user_course_progress")
    op.execute("DROP TRIGGER progress_inserted_blank_row ON user_course_progress")
    op.execute("DROP TRIGGER progress_deleted_enrollments ON user_course")
    op.execute("DROP TRIGGER progress_changed_enrollment ON user_course")
    op.execute("DROP FUNCTION progress_mark_blank_row()")
    op.execute("DROP FUNCTION progress_mark_deleted_enrollments()")
    op.execute("DROP FUNCTION progress_mark_changed_enrollment()")
    for rollup in ("lesson_statistics", "course_statistics", "user_course_summary"):
        op.drop_table(rollup)
    for marks in ("enrollment_change", "course_change"):
        op.drop_table(marks)
    op.drop_column("course", "stale_since")
    op.drop_index("ix_user_course_course_id_id", "user_course")
    op.drop_column("user_course", "history_from")
    op.drop_column("user_course", "stale_since")
    op.drop_index("ix_user_course_progress_corrected", "user_course_progress")
    op.drop_constraint(PROGRESS_KEY, "user_course_progress")
    op.create_unique_constraint(PROGRESS_KEY, "user_course_progress", ["user_course_id", "topic_id", "lesson_id"])
