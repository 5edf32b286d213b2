"""Add the user_course_progress table, and create user_course or complete one that an LMS owns.

Every column that we add to `user_course` is nullable or has a server default, so the LMS's own INSERT goes on working.
Bookkeeping columns, also those of later migrations, may not be the LMS's: it would mean something else by them.
What we made carries a comment; a downgrade drops that and nothing else.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from worker.database.own_schema import OWN_COLUMNS
from worker.errors import SchemaError

revision = "b32e785910da"
down_revision = None
branch_labels = None
depends_on = None

OURS = "Made by the course-progress worker"

progress_status = postgresql.ENUM("not_started", "in_progress", "completed", name="progress_status", create_type=False)
aware = sa.DateTime(timezone=True)


def user_course_columns() -> list[sa.Column[Any]]:
    """The columns beyond `id`, `user_id` and `course_id`."""
    return [
        sa.Column("current_topic", sa.Integer, comment=OURS),
        sa.Column("current_lesson", sa.Integer, comment=OURS),
        sa.Column("current_section", sa.Integer, comment=OURS),
        sa.Column("created_at", aware, server_default=sa.func.now(), nullable=False, comment=OURS),
        sa.Column("updated_at", aware, server_default=sa.func.now(), nullable=False, comment=OURS),
        sa.Column("timezone", sa.Text, comment=OURS),
        sa.Column("position_at", aware, comment=OURS),
        sa.Column("position_event_id", sa.Uuid, comment=OURS),
        sa.Column("enrolled_at", aware, comment=OURS),
        sa.Column("enrolled_event_id", sa.Uuid, comment=OURS),
    ]


TYPE = """
    SELECT format_type(atttypid, atttypmod) FROM pg_attribute
    WHERE attrelid = to_regclass('user_course') AND attname = :name
"""


def usable_columns(inspector: sa.Inspector) -> set[str]:
    """The names of the LMS's columns; raises SchemaError where one of those we write could not take what we write."""
    rename = "Rename the LMS's column, then migrate again."
    if "user_course" in inspector.get_view_names():
        raise SchemaError("user_course is a view, but the worker needs a table of that name to write to.")
    wanted = {column.name: column.type for column in user_course_columns()}
    wanted |= dict.fromkeys(["id", "user_id", "course_id"], sa.BigInteger())
    columns = {column["name"]: column for column in inspector.get_columns("user_course")}
    if missing := sorted({"id", "user_id", "course_id"} - columns.keys()):
        raise SchemaError(f"The table user_course has no column {', '.join(missing)}. Add it and migrate again.")
    if taken := sorted(name for name in OWN_COLUMNS & columns.keys() if columns[name]["comment"] != OURS):
        raise SchemaError(
            f"The LMS's user_course has columns with names that the worker needs for its own: {', '.join(taken)}. "
            "Rename the LMS's columns, then migrate again."
        )
    for name, column in columns.items():
        if name not in wanted:
            continue
        if column.get("computed"):
            raise SchemaError(f"The column user_course.{name} is computed, but the worker has to write it. {rename}")
        families = [kind for kind in (sa.Integer, sa.DateTime, sa.Uuid, sa.String) if isinstance(wanted[name], kind)]
        if not isinstance(column["type"], families[0]):
            found = op.get_bind().scalar(sa.text(TYPE), {"name": name})
            needed = wanted[name].compile(op.get_bind().dialect).lower()
            remedy = "Ids in events are integers." if name in ("id", "user_id", "course_id") else rename
            raise SchemaError(f"The column user_course.{name} is {found}; the worker needs {needed}. {remedy}")
    keys = [inspector.get_pk_constraint("user_course")["constrained_columns"]]
    keys += [unique["column_names"] for unique in inspector.get_unique_constraints("user_course")]
    if ["id"] not in keys:
        raise SchemaError("The column user_course.id has no primary key or unique constraint of its own. Add one.")
    return set(columns)


def upgrade() -> None:
    inspector = sa.inspect(op.get_bind())
    if inspector.has_table("user_course"):
        present = usable_columns(inspector)
        for column in user_course_columns():
            if column.name not in present:
                op.add_column("user_course", column)
    else:
        op.create_table(
            "user_course",
            sa.Column("id", sa.BigInteger, autoincrement=False, nullable=False),
            sa.Column("user_id", sa.BigInteger, nullable=False),
            sa.Column("course_id", sa.BigInteger, nullable=False),
            *user_course_columns(),
            sa.PrimaryKeyConstraint("id", name="pk_user_course"),
            comment=OURS,
            postgresql_with={"fillfactor": "80"},
        )
    progress_status.create(op.get_bind(), checkfirst=False)
    op.create_table(
        "user_course_progress",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("user_course_id", sa.BigInteger, nullable=False),
        sa.Column("topic_id", sa.Integer, nullable=False),
        sa.Column("lesson_id", sa.Integer, nullable=False),
        sa.Column("status", progress_status, server_default="not_started", nullable=False),
        sa.Column("last_viewed_at", aware),
        sa.Column("completed_at", aware),
        sa.Column("corrected_at", aware, comment="Time of the ruling correction"),
        sa.Column("created_at", aware, server_default=sa.func.now(), nullable=False),
        sa.Column("updated_at", aware, server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_user_course_progress"),
        sa.UniqueConstraint(
            "user_course_id", "topic_id", "lesson_id", name="uq_user_course_progress_user_course_id_topic_id_lesson_id"
        ),
        sa.ForeignKeyConstraint(
            ["user_course_id"], ["user_course.id"], name="fk_user_course_progress_user_course_id", ondelete="CASCADE"
        ),
        postgresql_with={"fillfactor": "85"},
    )
    op.create_index("ix_user_course_progress_status", "user_course_progress", ["status"])
    op.create_index(
        "ix_user_course_progress_created_at", "user_course_progress", ["created_at"], postgresql_using="brin"
    )


def downgrade() -> None:
    op.drop_table("user_course_progress")
    progress_status.drop(op.get_bind(), checkfirst=True)
    inspector = sa.inspect(op.get_bind())
    if inspector.get_table_comment("user_course")["text"] == OURS:
        op.drop_table("user_course")
        return
    for column in inspector.get_columns("user_course"):
        if column["comment"] == OURS:
            op.drop_column("user_course", column["name"])
