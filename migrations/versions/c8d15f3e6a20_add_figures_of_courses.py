"""Add what a course's learners show together: medians, where they stop, their weeks and hours.

Every course that has statistics is marked, so that the next refresh fills the tables. From now on activity that is
refreshed marks its course.
"""

import sqlalchemy as sa
from alembic import op

revision = "c8d15f3e6a20"
down_revision = "b6e40a92c7f1"
branch_labels = None
depends_on = None

SPENT = ("seconds", "measured_seconds")
MEDIANS = ("median_seconds", "median_visits_to_complete", "median_days")
LESSON = ("course_id", "topic_id", "lesson_id")


def upgrade() -> None:
    op.create_table(
        "course_figures",
        sa.Column("course_id", sa.BigInteger, autoincrement=False, nullable=False),
        *(sa.Column(name, sa.Double, nullable=False) for name in SPENT),
        sa.Column("sessions", sa.Integer, nullable=False),
        sa.Column("session_seconds", sa.Double, nullable=False),
        sa.Column("events_by_hour", sa.ARRAY(sa.Integer), nullable=False),
        sa.Column("median_days", sa.Double),
        *_of_course("course_figures"),
    )
    op.create_table(
        "week_figures",
        sa.Column("course_id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("monday", sa.Date, nullable=False),
        sa.Column("completed", sa.Integer, nullable=False),
        sa.Column("learners", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Double, nullable=False) for name in SPENT),
        *_of_course("week_figures", "monday"),
    )
    op.create_table(
        "lesson_figures",
        sa.Column("course_id", sa.BigInteger, autoincrement=False, nullable=False),
        *(sa.Column(name, sa.Integer, autoincrement=False, nullable=False) for name in ("topic_id", "lesson_id")),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("stopped", "stuck", "visits")),
        *(sa.Column(name, sa.Double, nullable=False) for name in SPENT),
        *(sa.Column(name, sa.Double) for name in MEDIANS),
        sa.PrimaryKeyConstraint(*LESSON, name="pk_lesson_figures"),
        sa.ForeignKeyConstraint(
            LESSON,
            [f"lesson_statistics.{name}" for name in LESSON],
            name="fk_lesson_figures_course_id_topic_id_lesson_id",
            ondelete="CASCADE",
        ),
    )
    op.execute("INSERT INTO course_change (course_id) SELECT course_id FROM course_statistics")


def downgrade() -> None:
    for name in ("lesson_figures", "week_figures", "course_figures"):
        op.drop_table(name)


def _of_course(name: str, *key: str) -> "tuple[sa.Constraint, sa.Constraint]":
    """Such a row is one of a course that has statistics, and goes with them."""
    return (
        sa.PrimaryKeyConstraint("course_id", *key, name=f"pk_{name}"),
        sa.ForeignKeyConstraint(
            ["course_id"], ["course_statistics.course_id"], name=f"fk_{name}_course_id", ondelete="CASCADE"
        ),
    )
