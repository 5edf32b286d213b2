"""Somebody wrote `infinity`, or a year that Python has not, in one row: it is wrong like any other value, and alone."""

import pytest
from sqlalchemy import Engine

from tests.support.commands import invoke
from tests.support.events import completed, corrected, enrolled, entries, outlined, viewed
from tests.support.rollups import audited, refresh_all
from tests.support.tables import contents, execute, rows
from worker.progress.ingest import ingest
from worker.progress.retention import delete_expired

ROW = "WHERE (user_course_id, lesson_id) = (1, 1)"
WRONG = {
    **{
        column: f"UPDATE user_course_progress SET {column} = 'infinity' {ROW}"
        for column in ("last_viewed_at", "completed_at", "section_at")
    },
    "corrected_at": "UPDATE user_course_progress SET corrected_at = 'infinity' WHERE corrected_at IS NOT NULL",
    "a time where there is none": "UPDATE user_course_progress SET completed_at = 'infinity' WHERE lesson_id = 2",
    "before all times": f"UPDATE user_course_progress SET last_viewed_at = '-infinity' {ROW}",
    "a year after 9999": f"UPDATE user_course_progress SET last_viewed_at = '20000-01-01' {ROW}",
    "a year before 1": f"UPDATE user_course_progress SET completed_at = '4000-01-01 BC' {ROW}",
    "position_at": "UPDATE user_course SET position_at = 'infinity' WHERE id = 1",
    "a summary": "UPDATE user_course_summary SET last_activity_at = 'infinity' WHERE user_course_id = 1",
    "activity": "UPDATE enrollment_activity SET last_at = 'infinity' WHERE user_course_id = 1",
    "a day": "UPDATE daily_activity SET day = 'infinity' WHERE user_course_id = 1",
}
FINITE = f"""
    SELECT isfinite(last_viewed_at), isfinite(completed_at), isfinite(position_at)
    FROM user_course_progress JOIN user_course ON user_course.id = user_course_id {ROW}
"""


@pytest.fixture(autouse=True)
def _learners(engine: Engine) -> None:
    events = [outlined(3, [(1, 1), (1, 2), (1, 3)]), *map(enrolled, (1, 2))]
    events += [completed(1, 1, 1, section_id=4), viewed(1, 1, 2, seconds=9), viewed(2)]
    ingest(engine, entries([*events, corrected(1, 1, 3, status="completed", seconds=60)]))
    refresh_all(engine)


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_an_audit_lists_it_and_a_rebuild_repairs_it(environment: dict[str, str], engine: Engine, wrong: str) -> None:
    before = contents(engine)
    execute(engine, wrong)
    for read in (["summary", "1"], ["summary", "2"], ["learner", "1"], ["learner", "2"]):
        assert invoke(environment, *read).exit_code == 0, read
    audit = invoke(environment, "audit")
    assert (audit.exit_code, "stored" in audit.stdout) == (1, True)
    result = invoke(environment, "rebuild")
    assert (result.exit_code, "0 differences" in result.stdout) == (0, False), result.stdout
    assert audited(engine) == []
    refresh_all(engine)
    assert contents(engine) == before


@pytest.mark.parametrize("time", ["infinity", "-infinity"])
@pytest.mark.parametrize(
    "write",
    [
        "UPDATE user_course_progress SET last_viewed_at = '{}' " + ROW,
        "UPDATE user_course_progress SET completed_at = '{}' " + ROW,
        "UPDATE user_course SET position_at = '{}' WHERE id = 1",
    ],
    ids=["last_viewed_at", "completed_at", "position_at"],
)
def test_it_is_not_taken_at_its_word_where_retention_left_too_few_events(
    environment: dict[str, str], engine: Engine, write: str, time: str
) -> None:
    execute(engine, "UPDATE lesson_event SET recorded_at = now() - interval '40 days'")
    delete_expired(engine, 30)
    ingest(engine, entries([completed(1, 1, 1, seconds=70)]))
    refresh_all(engine)
    execute(engine, write.format(time))
    assert invoke(environment, "audit").exit_code == 1
    assert invoke(environment, "rebuild").exit_code == 0
    assert rows(engine, FINITE) == [(True, True, True)]


def test_an_event_without_a_time_concerns_its_enrollment_alone(environment: dict[str, str], engine: Engine) -> None:
    execute(
        engine,
        "UPDATE lesson_event SET occurred_at = 'infinity' WHERE (user_course_id, lesson_id) = (1, 2)",
        "UPDATE user_course_progress SET status = 'completed' WHERE user_course_id = 2",
    )
    audit = invoke(environment, "audit")
    assert (audit.exit_code, "user_course_progress 2/1/1 status" in audit.stdout) == (1, True)
    invoke(environment, "rebuild")
    assert {each.key[0] for each in audited(engine)} <= {1, 3}
