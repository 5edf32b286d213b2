"""Add the activity of enrollments: time spent, visits and sessions, and the marks of those whose activity changed.

Every enrollment that is there is marked. Later what is new in its events does so, most often by way of its summary's
refresh, and a trigger when its time zone changes, as an LMS may do that too.
"""

import sqlalchemy as sa
from alembic import op

from worker.database.search_path import trigger_path

revision = "b6e40a92c7f1"
down_revision = "a90c5e17d3b8"
branch_labels = None
depends_on = None

aware = sa.DateTime(timezone=True)

# With the rights of the tables' owner, as the LMS's role may not write to ours.
MARKS = """
    CREATE FUNCTION progress_mark_activity() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = {path}, pg_temp AS $$
    BEGIN
        INSERT INTO activity_change (user_course_id) VALUES (NEW.id);
        RETURN NULL;
    END $$;

    CREATE TRIGGER progress_changed_timezone AFTER UPDATE OF timezone ON user_course
    FOR EACH ROW WHEN (OLD.timezone IS DISTINCT FROM NEW.timezone) EXECUTE FUNCTION progress_mark_activity();
"""


def upgrade() -> None:
    spent = ("seconds", "measured_seconds")
    _create(
        "lesson_activity",
        ["topic_id", "lesson_id"],
        *(sa.Column(name, sa.Double, nullable=False) for name in spent),
        sa.Column("visits", sa.Integer, nullable=False),
        sa.Column("first_visit_at", aware, nullable=False),
        sa.Column("last_visit_at", aware, nullable=False),
        sa.Column("visits_to_complete", sa.Integer),
    )
    _create("topic_activity", ["topic_id"], *(sa.Column(name, sa.Double, nullable=False) for name in spent))
    _create(
        "daily_activity",
        ["day"],
        *(sa.Column(name, sa.Double, nullable=False) for name in spent),
        sa.Column("events", sa.Integer, nullable=False),
    )
    _create(
        "enrollment_activity",
        [],
        *(sa.Column(name, sa.Double, nullable=False) for name in spent),
        sa.Column("sessions", sa.Integer, nullable=False),
        sa.Column("session_seconds", sa.Double, nullable=False),
        sa.Column("first_at", aware),
        sa.Column("last_at", aware),
        sa.Column("events_by_hour", sa.ARRAY(sa.Integer), nullable=False),
        sa.Column("refreshed_at", aware, server_default=sa.func.now(), nullable=False),
    )
    op.create_table(
        "activity_change",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("user_course_id", sa.BigInteger, nullable=False),
        sa.Column("changed_at", aware, server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_activity_change"),
    )
    op.execute("INSERT INTO activity_change (user_course_id) SELECT id FROM user_course")
    op.create_index("ix_activity_change_user_course_id", "activity_change", ["user_course_id"])
    op.execute(MARKS.format(path=trigger_path(op.get_bind())))


def downgrade() -> None:
    op.execute("DROP TRIGGER progress_changed_timezone ON user_course")
    op.execute("DROP FUNCTION progress_mark_activity()")
    for name in ("activity_change", "enrollment_activity", "daily_activity", "topic_activity", "lesson_activity"):
        op.drop_table(name)


def _create(name: str, key: list[str], *columns: "sa.Column[object]") -> None:
    """A table of one row for each enrollment and key."""
    kinds = {"day": sa.Date}
    op.create_table(
        name,
        sa.Column("user_course_id", sa.BigInteger, autoincrement=False, nullable=False),
        *(sa.Column(part, kinds.get(part, sa.Integer), autoincrement=False, nullable=False) for part in key),
        *columns,
        sa.PrimaryKeyConstraint("user_course_id", *key, name=f"pk_{name}"),
        sa.ForeignKeyConstraint(
            ["user_course_id"], ["user_course.id"], name=f"fk_{name}_user_course_id", ondelete="CASCADE"
        ),
    )
