"""Repair what differs from the ledger: examine like `worker.services.audit`, then set right what is wrong.

Safe while workers run: only enrolments that differ are locked, examined again under the lock, and repaired in one
transaction of their own. Idempotent; what is repaired stays repaired wherever a run ends.
"""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, Engine

from worker.services.audit import Examined, Scope, Step, examine, examine_scope
from worker.storage import audit, enrollment, outline, statistics, summary_refresh


def rebuild_scope(
    engine: Engine, scope: Scope, statistics_seconds: float, after: tuple[int, int] = (0, 0)
) -> Iterator[Step]:
    """Examine and repair what the scope says, step by step; each step is committed before it is yielded.

    A course's statistics are refreshed, in at most so many seconds, where they or any of its enrolments differed.
    """
    differed: set[int | None] = set()
    for step in examine_scope(engine, scope, after):
        wrong = [each.id for each in step.enrollments if each.differences]
        if wrong:
            differed.add(step.course_id)
            with engine.begin() as connection:
                repair(connection, wrong)
        if step.is_whole_course and step.course_id is not None and (step.statistics or step.course_id in differed):
            with engine.begin() as connection:
                statistics.mark_course(connection, step.course_id)
            with engine.begin() as connection:
                statistics.refresh_course(connection, step.course_id, statistics_seconds)
        yield step


def repair(connection: Connection, ids: Sequence[int]) -> list[Examined]:
    """Lock these enrolments, examine them, set their rows and position right and refresh their summaries.

    In the caller's transaction, which must not have locked anything yet.
    """
    enrollment.lock_enrollments(connection, ids)
    outline.hold_outlines(connection)
    wrong = [each for each in examine(connection, sorted(ids)) if each.differences]
    progress = {}
    positions = {}
    for each in wrong:
        for difference in each.differences:
            if difference.table == "user_course_progress":
                _, topic_id, lesson_id = difference.key
                progress[each.id, topic_id, lesson_id] = each.rows[topic_id, lesson_id]
            elif difference.table == "user_course" and difference.column != "stale_since":
                positions[each.id] = each.position
    if progress:
        audit.write_progress(connection, progress)
    if positions:
        audit.write_positions(connection, positions)
    if wrong:
        summary_refresh.refresh(connection, [each.id for each in wrong])
    return wrong
