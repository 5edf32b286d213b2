"""Rollups of a log, kept by real workers: equal to plain Python; audited, broken and rebuilt."""

import json
from typing import Any

import pytest

from tests.support import oulad
from tests.support.commands import invoke
from tests.support.profile import is_thorough
from tests.support.rollups import assert_rollups_equal_model, wait_for_rollups
from tests.support.system import System
from tests.support.tables import execute, rows
from worker.progress.reference import fold

pytestmark = pytest.mark.second_tier

CORRUPTIONS = {
    "user_course_progress": (
        "user_course_id, topic_id, lesson_id",
        "status = CASE status WHEN 'completed' THEN 'in_progress' ELSE 'completed' END::progress_status",
    ),
    "user_course": ("id", "current_lesson = current_lesson + 1"),
    "user_course_summary": ("user_course_id", "completed_lessons = 0, completion_percentage = 0"),
    "lesson_activity": ("user_course_id, topic_id, lesson_id", "visits = visits + 1"),
    "lesson_statistics": ("course_id, topic_id, lesson_id", "completed = completed + 1"),
}
"""Table → its key and what an accident did to 25 of its rows; an old backfill wrote zeros over right values."""


def corrupt(system: System) -> set[tuple[Any, ...]]:
    """Break 25 rows of each table by hand; (table, key) of each."""
    broken: set[tuple[Any, ...]] = set()
    for table, (key, change) in CORRUPTIONS.items():
        chosen = rows(system.engine, f"SELECT {key} FROM {table} ORDER BY md5(({key})::text) LIMIT 25")
        for each in chosen:
            execute(system.engine, f"UPDATE {table} SET {change} WHERE ({key}) = ({', '.join(map(str, each))})")
        broken |= {(table, each) for each in chosen}
    return broken


def audit(system: System, command: str, *options: str) -> tuple[int, set[tuple[Any, ...]]]:
    """Exit status, and (table, key) of each row listed."""
    result = invoke(system.environment(), command, "--json", *options)
    listed = json.loads(result.stdout)["differences"]
    return result.exit_code, {(each["table"], tuple(each["key"])) for each in listed}


def test_every_rollup_of_a_log_is_right_and_what_is_broken_is_listed_and_rebuilt(system: System) -> None:
    lines = oulad.load(real=is_thorough)
    system.publish(json.loads(line) for line in lines)
    worker = system.start_worker(2)
    beats = [system.start_beat() for _ in range(2)]  # one too many is harmless
    system.wait_until_drained(60)
    wait_for_rollups(system.engine)
    assert_rollups_equal_model(system.engine, fold(oulad.parse(lines)))
    assert audit(system, "audit") == (0, set())
    assert {line["rollup"] for line in worker.lines("refreshed")} == {"summaries", "course_statistics", "activity"}

    broken = corrupt(system)
    assert len(broken) == 125
    assert audit(system, "audit") == (1, broken)
    assert audit(system, "rebuild", "--dry-run") == (0, broken)
    assert audit(system, "audit") == (1, broken), "a dry run repairs nothing"
    assert audit(system, "rebuild") == (0, broken)
    assert audit(system, "audit") == (0, set())
    assert audit(system, "rebuild") == (0, set())
    wait_for_rollups(system.engine)
    assert_rollups_equal_model(system.engine, fold(oulad.parse(lines)))
    assert all(beat.is_running() for beat in beats)
