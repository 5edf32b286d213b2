"""The class list of a course's report, and its headline sentence."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from worker.analytics.class_list import ClassMember, LearnerState
from worker.formatting import counted
from worker.reports.table import KNOWN_SO_FAR, Column, Kind, Table

CLASS_LIST = "learners"
"""The table's name."""

MAX_MEMBERS = 1_000
"""Enrollments of a class list; those in need of attention come first."""


def _of_first_stuck(name: str) -> Callable[[ClassMember], Any]:
    return lambda member: getattr(member.stuck[0], name) if member.stuck else None


STUCK_ON: tuple[Column[ClassMember], ...] = (
    Column("stuck_topic_id", "Stuck on topic", Kind.ID, _of_first_stuck("topic_id")),
    Column("stuck_lesson_id", "Stuck on lesson", Kind.ID, _of_first_stuck("lesson_id")),
    Column("stuck_title", "Stuck on title", Kind.TEXT, _of_first_stuck("title")),
)
"""The first lesson on which the learner is stuck."""

IS_PENDING: Column[ClassMember] = Column("is_pending", "Pending", Kind.FLAG, lambda member: member.is_pending)


def class_table(members: Sequence[ClassMember], total: int) -> Table[ClassMember]:
    """Return a row for each of these enrollments, the first of `total`."""
    return Table(
        CLASS_LIST,
        "Class list",
        "Each enrollment: dormant learners first, then those who have not started, active ones, and those who have "
        f"finished; at most {MAX_MEMBERS:,}.",
        (
            Column("user_course_id", "Enrollment", Kind.LEARNER, lambda member: member.user_course_id),
            Column("user_id", "User", Kind.ID, lambda member: member.user_id),
            Column("state", "State", Kind.CODE, lambda member: member.state.value),
            Column(
                "completion_percent",
                "Progress",
                Kind.PROGRESS,
                lambda member: member.completion_percentage,
            ),
            Column("completed_lessons", "Lessons completed", Kind.COUNT, lambda member: member.completed_lessons),
            Column("last_seen_on", "Last seen", Kind.DATE, lambda member: member.last_seen_on),
            Column("completed_on", "Finished on", Kind.DATE, lambda member: member.completed_on),
            *STUCK_ON,
            IS_PENDING,
        ),
        members,
        total,
    )


def class_headline(members: Sequence[ClassMember]) -> str:
    """Return a sentence on how many learners are in each state."""
    number = Counter(member.state for member in members)
    states = ", ".join(f"{number[state]:,} {state.value.replace('_', ' ')}" for state in LearnerState if number[state])
    stuck = sum(bool(member.stuck) for member in members)
    said = f"{counted(len(members), 'enrollment')} in the list: {states}."
    if stuck:
        said += f" {counted(stuck, 'learner')} {'is' if stuck == 1 else 'are'} stuck."
    if not members[0].total_is_known:
        said += f" Progress is {KNOWN_SO_FAR}: the course has no outline."
    return said
