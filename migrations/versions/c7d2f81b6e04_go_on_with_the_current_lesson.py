"""Let the next lesson be the current one, and have every summary and statistic computed by the rules of this version.

Outlined courses get another version, which makes their enrollments' summaries stale without writing them; each other
enrollment gets a mark. Refreshes do the rest, and reads compute what is stale.
"""

from alembic import op

revision = "c7d2f81b6e04"
down_revision = "a1c4e7092b6d"
branch_labels = None
depends_on = None

TABLE = "user_course_summary"
NAME = "ck_user_course_summary_next_reason"
NAME_BEFORE = "ck_user_course_summary_ck_user_course_summary_next_reason"
"""The naming convention was applied twice."""


def _recompute() -> None:
    op.execute("UPDATE course SET version = version + 1, stale_since = coalesce(stale_since, now())")
    op.execute("""
        INSERT INTO enrollment_change (user_course_id)
        SELECT user_course_id FROM user_course_summary WHERE outline_version = 0
    """)


def upgrade() -> None:
    _recompute()
    op.drop_constraint(op.f(NAME_BEFORE), TABLE)
    op.create_check_constraint(op.f(NAME), TABLE, "next_reason IN ('current', 'after_current', 'not_completed')")


def downgrade() -> None:
    _recompute()
    op.execute("UPDATE user_course_summary SET next_reason = 'not_completed' WHERE next_reason = 'current'")
    op.drop_constraint(op.f(NAME), TABLE)
    op.create_check_constraint(op.f(NAME_BEFORE), TABLE, "next_reason IN ('after_current', 'not_completed')")
