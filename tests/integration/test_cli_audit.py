"""`audit` lists what differs from the ledger, and `rebuild` repairs it."""

import json
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import Connection, Engine, text

from tests.support.commands import invoke
from tests.support.events import at, completed, corrected, enrolled, entries, outlined, viewed
from tests.support.rollups import audited, refresh_all
from tests.support.tables import contents, execute, insert_as_lms, rows, snapshot
from worker.audit import compare
from worker.audit import repair as rebuild
from worker.audit.compare import Step
from worker.audit.enrollment_audit import AuditedEnrollment
from worker.audit.findings import Findings
from worker.progress.ingest import ingest
from worker.progress.retention import delete_expired

COMMANDS = ["audit", "rebuild"]
STATUS_OF_5 = "UPDATE user_course_progress SET status = 'completed' WHERE user_course_id = 5 AND lesson_id = 2"
ALL_STATUSES = "UPDATE user_course_progress SET status = 'completed'"
COMPLETED = "SELECT user_course_id FROM user_course_progress WHERE lesson_id = 2 AND status = 'completed'"
WRITTEN = "SELECT xmin::text, * FROM user_course_progress WHERE user_course_id <> 5 ORDER BY id"


@pytest.fixture(autouse=True)
def _two_courses(engine: Engine) -> None:
    """Enrollments 1 to 5 of course 3 and 6 of course 4: each completed one lesson and viewed another."""
    ingest(
        engine,
        entries(
            [
                *(enrolled(number, course_id=4 if number == 6 else 3) for number in range(1, 7)),
                outlined(3, [(1, 1), (1, 2), (1, 3)]),
                *(completed(number, 1, 1, seconds=number) for number in range(1, 7)),
                *(viewed(number, 1, 2, seconds=10 + number) for number in range(1, 7)),
            ]
        ),
    )
    refresh_all(engine)


def shown(environment: dict[str, str], *arguments: str) -> dict[str, Any]:
    """What the command prints as JSON."""
    found: dict[str, Any] = json.loads(invoke(environment, *arguments, "--json").stdout)
    return found


def listed(environment: dict[str, str], *arguments: str) -> list[list[int]]:
    """The keys of what the command lists."""
    return [each["key"] for each in shown(environment, *arguments)["differences"]]


# ---- What an audit prints ------------------------------------------------------------------------------------------


def test_nothing_differs(environment: dict[str, str]) -> None:
    result = invoke(environment, "audit")
    assert (result.exit_code, result.stdout) == (0, "6 enrollments audited: 0 differences.\n")


def test_a_difference_is_told_by_table_key_and_column_and_the_exit_status(
    environment: dict[str, str], engine: Engine
) -> None:
    execute(engine, STATUS_OF_5, "UPDATE user_course_progress SET last_viewed_at = NULL WHERE user_course_id = 5")
    result = invoke(environment, "audit")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "user_course_progress 5/1/1 last_viewed_at: stored nothing, expected 2025-07-14T10:30:05Z",
        "user_course_progress 5/1/2 status: stored completed, expected in_progress",
        "user_course_progress 5/1/2 last_viewed_at: stored nothing, expected 2025-07-14T10:30:15Z",
        "6 enrollments audited: 3 differences in 2 rows.",
    ]


def test_one_of_a_kind_is_told_as_one(environment: dict[str, str], engine: Engine) -> None:
    execute(engine, STATUS_OF_5)
    assert invoke(environment, "audit", "--user-course", "5").stdout.splitlines() == [
        "user_course_progress 5/1/2 status: stored completed, expected in_progress",
        "1 enrollment audited: 1 difference in 1 row.",
    ]


def test_a_whole_row_is_told_with_its_columns(environment: dict[str, str], engine: Engine) -> None:
    execute(
        engine,
        "DELETE FROM user_course_progress WHERE user_course_id = 5 AND lesson_id = 2",
        "INSERT INTO user_course_progress (user_course_id, topic_id, lesson_id, status) VALUES (5, 9, 9, 'completed')",
    )
    assert invoke(environment, "audit").stdout.splitlines()[:2] == [
        "user_course_progress 5/1/2 *: stored no row, expected status in_progress, last_viewed_at 2025-07-14T10:30:15Z",
        "user_course_progress 5/9/9 status: stored completed, expected not_started",
    ]


def test_every_table_that_can_differ_is_listed(environment: dict[str, str], engine: Engine) -> None:
    execute(
        engine,
        STATUS_OF_5,
        "UPDATE user_course SET current_section = 7 WHERE id = 5",
        "UPDATE user_course_summary SET completed_lessons = 2 WHERE user_course_id = 5",
        "DELETE FROM user_course_summary WHERE user_course_id = 4",
        "UPDATE enrollment_activity SET sessions = 7 WHERE user_course_id = 5",
        "UPDATE topic_activity SET seconds = 7 WHERE user_course_id = 5",
        "UPDATE lesson_activity SET visits = 7 WHERE (user_course_id, lesson_id) = (5, 2)",
        "UPDATE daily_activity SET events = 7 WHERE user_course_id = 5",
        "UPDATE course_statistics SET completion_rate = 3.14 WHERE course_id = 3",
        "UPDATE lesson_statistics SET started = 1 WHERE (course_id, lesson_id) = (3, 2)",
    )
    missing = {
        "user_course_id": 4,
        "total_lessons": 3,
        "total_is_known": True,
        "completed_lessons": 1,
        "in_progress_lessons": 1,
        "not_started_lessons": 1,
        "completion_percentage": 33.33,
        "current_topic_id": 1,
        "current_lesson_id": 2,
        "current_section_id": None,
        "next_topic_id": 1,
        "next_lesson_id": 2,
        "next_reason": "current",
        "last_activity_at": at(14).isoformat().replace("+00:00", "Z"),
    }
    assert [tuple(each.values()) for each in shown(environment, "audit")["differences"]] == [
        ("user_course_summary", [4], "*", "no row", missing),
        ("user_course_progress", [5, 1, 2], "status", "completed", "in_progress"),
        ("user_course", [5], "current_section", 7, None),
        ("user_course_summary", [5], "completed_lessons", 2, 1),
        ("daily_activity", [5, "2025-07-14"], "events", 7, 2),
        ("enrollment_activity", [5], "sessions", 7, 1),
        ("lesson_activity", [5, 1, 2], "visits", 7, 1),
        ("topic_activity", [5, 1], "seconds", 7.0, 10.0),
        ("course_statistics", [3], "completion_rate", 3.14, 0.0),
        ("lesson_statistics", [3, 1, 2], "started", 1, 5),
    ]


@pytest.mark.parametrize("column", ["outline_version", "course_id"])
@pytest.mark.parametrize("change", ["+ 1", "- 1"])
def test_a_summary_of_another_outline_without_any_mark_is_told_and_repaired(
    environment: dict[str, str], engine: Engine, column: str, change: str
) -> None:
    before = contents(engine)
    execute(engine, f"UPDATE user_course_summary SET {column} = {column} {change} WHERE user_course_id = 5")
    for command in COMMANDS:
        found = shown(environment, command)["differences"]
        assert [(each["table"], each["key"], each["column"]) for each in found] == [("user_course_summary", [5], "*")]
    assert audited(engine) == []
    refresh_all(engine)
    assert contents(engine) == before
    assert rows(engine, "SELECT DISTINCT outline_version FROM user_course_summary WHERE course_id = 3") == [(1,)]


def test_json_has_everything(environment: dict[str, str], engine: Engine) -> None:
    nothing = {"enrollments": 6, "differences": [], "unprovable_rows": 0, "courses_behind": 0, "busy_enrollments": []}
    nothing |= {"not_audited_enrollments": [], "courses_not_compared": 0, "not_repaired": []}
    nothing |= {"waiting_enrollments": [], "waiting_courses": [], "changed_courses": []}
    nothing |= {"enrollments_without_events": 0}
    assert shown(environment, "audit") == nothing
    execute(engine, "UPDATE user_course SET position_at = position_at - interval '1 s' WHERE id = 5")
    stored, expected = (at(seconds).isoformat().replace("+00:00", "Z") for seconds in (14, 15))
    assert shown(environment, "audit") == {
        **nothing,
        "differences": [
            {"table": "user_course", "key": [5], "column": "position_at", "stored": stored, "expected": expected}
        ],
    }


def test_courses_that_wait_for_their_refresh_are_said_to(environment: dict[str, str], engine: Engine) -> None:
    ingest(engine, entries([viewed(6, 1, 3, seconds=60)]))
    assert invoke(environment, "audit").stdout.splitlines() == [
        "6 enrollments audited: 0 differences.",
        "The statistics of 1 course are being refreshed and were not compared.",
    ]
    assert shown(environment, "audit")["courses_behind"] == 1
    ingest(engine, entries([viewed(5, 1, 3, seconds=60)]))
    assert invoke(environment, "audit").stdout.splitlines()[1:] == [
        "The statistics of 2 courses are being refreshed and were not compared."
    ]
    refresh_all(engine)
    assert invoke(environment, "audit").stdout == "6 enrollments audited: 0 differences.\n"


def test_rows_without_their_events_are_said_to_be_unprovable(environment: dict[str, str], engine: Engine) -> None:
    execute(engine, "UPDATE lesson_event SET recorded_at = now() - interval '40 days' WHERE user_course_id = 6")
    delete_expired(engine, 30)
    assert invoke(environment, "audit").stdout.splitlines() == [
        "6 enrollments audited: 0 differences.",
        "Retention left too few events to prove 3 rows; they were compared with the remaining events.",
    ]
    assert shown(environment, "audit")["unprovable_rows"] == 3


def test_an_enrollment_without_a_course_is_audited_and_repaired_too(
    environment: dict[str, str], engine: Engine
) -> None:
    execute(
        engine,
        "ALTER TABLE user_course ALTER course_id DROP NOT NULL",
        "INSERT INTO user_course (id, user_id, course_id) VALUES (8, 70, NULL)",
    )
    refresh_all(engine)
    execute(engine, "DELETE FROM user_course_summary WHERE user_course_id = 8")
    assert listed(environment, "rebuild") == [[8]]
    assert invoke(environment, "audit").stdout.startswith("7 enrollments audited: 0 differences.\n")


# ---- What is no difference -----------------------------------------------------------------------------------------


def test_rows_that_the_lms_made_ahead_of_any_event_are_no_difference(
    environment: dict[str, str], engine: Engine
) -> None:
    """Neither where an outline says what counts nor where the rows do."""
    execute(
        engine,
        """
        INSERT INTO user_course_progress (user_course_id, topic_id, lesson_id)
        SELECT id, topic_id, lesson_id FROM user_course, (VALUES (1, 3), (9, 9)) AS lesson (topic_id, lesson_id)
        """,
    )
    for refreshed, behind in ((False, 2), (True, 0)):
        if refreshed:
            refresh_all(engine)
        before = snapshot(engine)
        for command in COMMANDS:
            result = invoke(environment, command, "--json")
            found = json.loads(result.stdout)
            assert (result.exit_code, found["differences"], found["courses_behind"]) == (0, [], behind)
        assert snapshot(engine) == before


def test_a_place_that_the_lms_gave_an_enrollment_without_events_is_no_difference(
    environment: dict[str, str], engine: Engine
) -> None:
    insert_as_lms(engine, 7, course_id=3)
    refresh_all(engine)
    execute(engine, "UPDATE user_course SET current_topic = 1, current_lesson = 2, current_section = 3 WHERE id = 7")
    behind = "The statistics of 1 course are being refreshed and were not compared.\n"
    for refreshed, told in ((False, behind), (True, "")):
        if refreshed:
            refresh_all(engine)
        before = snapshot(engine)
        assert invoke(environment, "audit").stdout.startswith("7 enrollments audited: 0 differences.\n" + told)
        assert invoke(environment, "rebuild").exit_code == 0
        assert snapshot(engine) == before


def test_an_outline_that_summaries_do_not_show_yet_is_no_difference(
    environment: dict[str, str], engine: Engine
) -> None:
    ingest(engine, entries([outlined(3, [(1, 2), (9, 9)], seconds=1)]))
    assert invoke(environment, "audit").exit_code == 0


# ---- Which part of it ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["audit", "rebuild --dry-run"])
@pytest.mark.parametrize(
    ("chosen", "enrollments", "keys"),
    [
        ("", 6, [[5, 1, 2], [6, 1, 2]]),
        ("--course 3", 5, [[5, 1, 2]]),
        ("--course 4", 1, [[6, 1, 2]]),
        ("--user-course 6", 1, [[6, 1, 2]]),
        ("--user-course 1", 1, []),
    ],
)
def test_only_what_is_chosen_is_audited(
    environment: dict[str, str], engine: Engine, command: str, chosen: str, enrollments: int, keys: list[list[int]]
) -> None:
    execute(engine, ALL_STATUSES + " WHERE user_course_id > 4")
    found = shown(environment, *command.split(), *chosen.split())
    assert (found["enrollments"], [each["key"] for each in found["differences"]]) == (enrollments, keys)


@pytest.mark.parametrize(("size", "enrollments"), [(1, 1), (4, 4), (100, 6)])
def test_a_sample_is_so_large(
    environment: dict[str, str], engine: Engine, monkeypatch: pytest.MonkeyPatch, size: int, enrollments: int
) -> None:
    monkeypatch.setattr(compare, "PAGE", 2)
    execute(engine, ALL_STATUSES)
    found = shown(environment, "audit", "--sample", str(size))
    assert found["enrollments"] == enrollments
    assert len({each["key"][0] for each in found["differences"]}) == enrollments


def test_a_course_that_has_an_outline_alone_is_known(environment: dict[str, str], engine: Engine) -> None:
    ingest(engine, entries([outlined(8, [(1, 1)])]))
    refresh_all(engine)
    execute(engine, "UPDATE lesson_statistics SET started = 1 WHERE course_id = 8")
    assert listed(environment, "audit", "--course", "8") == [[8, 1, 1]]


@pytest.mark.parametrize(
    "arguments",
    [
        "audit --course 3 --user-course 5",
        "audit --course 3 --sample 1",
        "audit --user-course 5 --sample 1",
        "rebuild --course 3 --user-course 5",
    ],
)
def test_more_than_one_choice_is_refused(environment: dict[str, str], arguments: str) -> None:
    result = invoke(environment, *arguments.split())
    assert result.exit_code == 1
    assert "Use at most one of --user-course, --course and --sample" in result.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_not_there_is_told_so(environment: dict[str, str], command: str) -> None:
    for chosen, told in (("--user-course", "There is no enrollment 404."), ("--course", "There is no course 404")):
        result = invoke(environment, command, chosen, "404")
        assert (result.exit_code, told in result.stderr) == (1, True)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("chosen", ["--user-course 0", f"--course {2**63}", "--course x"])
def test_what_can_be_no_id_is_refused(environment: dict[str, str], command: str, chosen: str) -> None:
    assert invoke(environment, command, *chosen.split()).exit_code == 2


# ---- Rebuild -------------------------------------------------------------------------------------------------------


def test_a_dry_run_lists_what_an_audit_lists_and_changes_nothing(environment: dict[str, str], engine: Engine) -> None:
    execute(
        engine, ALL_STATUSES, "UPDATE course_statistics SET started = 1", "UPDATE user_course SET current_topic = 9"
    )
    before = snapshot(engine)
    result = invoke(environment, "rebuild", "--dry-run")
    assert result.exit_code == 0
    assert result.stdout == invoke(environment, "audit").stdout.replace("audited", "audited, nothing changed")
    assert snapshot(engine) == before


def test_a_rebuild_repairs_everything_and_the_next_finds_nothing(environment: dict[str, str], engine: Engine) -> None:
    ingest(engine, entries([corrected(2, 1, 3, status="completed", seconds=60)]))
    refresh_all(engine)
    before = contents(engine)
    execute(
        engine,
        ALL_STATUSES,
        "UPDATE user_course SET current_topic = 9, position_at = NULL",
        "UPDATE user_course_summary SET total_lessons = 9",
        "DELETE FROM course_statistics WHERE course_id = 4",
        "UPDATE lesson_statistics SET started = 1",
    )
    found = invoke(environment, "audit").stdout
    result = invoke(environment, "rebuild")
    assert (result.exit_code, result.stdout) == (0, found.replace("audited", "audited and repaired"))
    assert contents(engine) == before
    assert invoke(environment, "rebuild").stdout == "6 enrollments audited and repaired: 0 differences.\n"
    assert invoke(environment, "audit").exit_code == 0


def test_statistics_are_repaired_also_where_nothing_else_differs(environment: dict[str, str], engine: Engine) -> None:
    before = contents(engine)
    execute(engine, "UPDATE course_statistics SET started = 77", "DELETE FROM lesson_statistics WHERE course_id = 4")
    their_figures = [[4, 1, 1], [4, 1, 2]]  # gone with them
    assert listed(environment, "rebuild") == [[3], [4], [4, 1, 1], [4, 1, 2], *their_figures]
    assert contents(engine) == before


def test_only_what_differs_is_written(environment: dict[str, str], engine: Engine) -> None:
    before = rows(engine, WRITTEN)
    execute(engine, STATUS_OF_5)
    assert listed(environment, "rebuild") == [[5, 1, 2]]
    assert rows(engine, WRITTEN) == before


def test_a_row_that_no_event_made_is_set_back_and_not_deleted(environment: dict[str, str], engine: Engine) -> None:
    execute(
        engine,
        """
        INSERT INTO user_course_progress (user_course_id, topic_id, lesson_id, status, completed_at, corrected_at)
        VALUES (5, 9, 9, 'completed', now(), now())
        """,
    )
    invoke(environment, "rebuild")
    found = rows(
        engine,
        "SELECT status::text, last_viewed_at, completed_at, corrected_at FROM user_course_progress WHERE lesson_id = 9",
    )
    assert found == [("not_started", None, None, None)]


def test_an_event_that_is_recorded_while_a_rebuild_looks_is_kept(
    environment: dict[str, str], engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    repair = rebuild.repair

    def late(connection: Connection, ids: list[int]) -> list[AuditedEnrollment]:
        ingest(engine, entries([completed(5, 1, 2, seconds=60), viewed(5, 1, 3, seconds=61)]))
        return repair(connection, ids)

    execute(engine, "UPDATE user_course_progress SET last_viewed_at = NULL WHERE user_course_id = 5")
    monkeypatch.setattr(rebuild, "repair", late)
    assert listed(environment, "rebuild") == [[5, 1, 1], [5, 1, 2]]
    assert rows(
        engine, "SELECT lesson_id, last_viewed_at FROM user_course_progress WHERE user_course_id = 5 ORDER BY lesson_id"
    ) == [(1, at(5)), (2, at(60)), (3, at(61))]
    refresh_all(engine)
    assert audited(engine) == []


# ---- Interrupted, and gone on with ---------------------------------------------------------------------------------


@pytest.fixture
def pages_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "PAGE", 2)
    monkeypatch.setattr(rebuild, "PAGE", 2)


def interrupted(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, repairs: int, *options: str) -> Result:
    """A rebuild that Ctrl-C ends after so many repairs."""
    repair, left = rebuild.repair, [None] * repairs

    def until_then(connection: Connection, ids: list[int]) -> list[AuditedEnrollment]:
        if not left:
            raise KeyboardInterrupt
        left.pop()
        return repair(connection, ids)

    with monkeypatch.context() as patched:
        patched.setattr(rebuild, "repair", until_then)
        return invoke(environment, "rebuild", *options)


@pytest.mark.usefixtures("pages_of_two")
@pytest.mark.parametrize(
    ("repairs", "left", "again", "options"),
    [
        (0, 6, "start it again", []),
        (1, 4, "start it again", []),
        (2, 2, "start it again", []),
        (3, 1, "continue with `progress-worker rebuild --after 3`", ["--after", "3"]),
    ],
)
def test_an_interrupted_rebuild_tells_how_to_go_on_and_going_on_does_the_rest(
    environment: dict[str, str],
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    repairs: int,
    left: int,
    again: str,
    options: list[str],
) -> None:
    before = contents(engine)
    execute(engine, ALL_STATUSES)
    result = interrupted(environment, monkeypatch, repairs)
    assert result.exit_code == 130
    assert result.stderr.splitlines()[-1] == f"Interrupted. Repairs made so far are kept; {again}."
    wrong = [[each, 1, 2] for each in range(7 - left, 7)]
    assert [list(each.key) for each in audited(engine)] == wrong
    assert listed(environment, "rebuild", *options) == wrong
    assert audited(engine) == []
    refresh_all(engine)
    assert audited(engine) == []
    assert contents(engine) == before


@pytest.mark.usefixtures("pages_of_two")
@pytest.mark.parametrize("chosen", [["--course", "3"], ["--user-course", "5"]])
def test_an_interrupted_rebuild_of_a_part_is_to_be_started_again(
    environment: dict[str, str], engine: Engine, monkeypatch: pytest.MonkeyPatch, chosen: list[str]
) -> None:
    execute(engine, ALL_STATUSES)
    result = interrupted(environment, monkeypatch, 0, *chosen)
    assert result.exit_code == 130
    assert result.stderr.splitlines()[-1] == "Interrupted. Repairs made so far are kept; start it again."


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "continue with `progress-worker rebuild --after 3`."),
        (["--after", "2"], "continue with `progress-worker rebuild --after 3`."),
        (["--course", "3"], "start it again."),
    ],
)
def test_only_a_rebuild_of_everything_goes_on_behind_the_last_course_it_finished(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, options: list[str], told: str
) -> None:
    add = Findings.add

    def until_done(found: Findings, step: Step) -> None:
        add(found, step)
        if step.is_done:
            raise KeyboardInterrupt

    monkeypatch.setattr(Findings, "add", until_done)
    result = invoke(environment, "rebuild", *options)
    assert result.exit_code == 130
    assert result.stderr.splitlines()[-1] == f"Interrupted. Repairs made so far are kept; {told}"


def test_an_interrupted_dry_run_speaks_of_no_repair(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def until_now(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(compare, "audit_enrollments", until_now)
    result = invoke(environment, "rebuild", "--dry-run")
    assert (result.exit_code, "Interrupted" in result.output) == (130, False)


@pytest.mark.parametrize(
    ("after", "repaired", "left"),
    [
        (1, [1, 2, 3, 4, 5, 6], [8]),
        (2, [1, 2, 3, 4, 5, 6], [8]),
        (3, [6], [8, 1, 2, 3, 4, 5]),
        (4, [], [8, 1, 2, 3, 4, 5, 6]),
        (2**63 - 1, [], [8, 1, 2, 3, 4, 5, 6]),
    ],
)
def test_a_rebuild_that_goes_on_leaves_out_the_courses_up_to_the_one_named(
    environment: dict[str, str], engine: Engine, after: int, repaired: list[int], left: list[int]
) -> None:
    """Enrollment 8 is of no course, and such come first."""
    execute(
        engine,
        "ALTER TABLE user_course ALTER course_id DROP NOT NULL",
        "INSERT INTO user_course (id, user_id, course_id) VALUES (8, 70, NULL)",
        "INSERT INTO user_course_progress (user_course_id, topic_id, lesson_id) VALUES (8, 1, 2)",
        ALL_STATUSES,
    )
    found = shown(environment, "rebuild", "--after", str(after))
    assert [each["key"] for each in found["differences"]] == [[key, 1, 2] for key in repaired]
    assert found["enrollments"] == len(repaired)
    assert [list(each.key) for each in audited(engine)] == [[key, 1, 2] for key in left]


@pytest.mark.parametrize("after", ["3:812", "3:", "0", "-3", "3.5", "three", "3 4", "", str(2**63)])
def test_a_course_to_go_on_after_that_can_be_none_is_refused(
    environment: dict[str, str], engine: Engine, after: str
) -> None:
    execute(engine, ALL_STATUSES)
    before = snapshot(engine)
    result = invoke(environment, "rebuild", f"--after={after}")
    assert (result.exit_code, "'--after'" in result.stderr) == (2, True)
    assert snapshot(engine) == before


@pytest.mark.parametrize("other", ["--user-course 6", "--course 4", "--dry-run", "--course 4 --dry-run"])
def test_a_course_to_go_on_after_is_refused_together_with_another_choice(
    environment: dict[str, str], engine: Engine, other: str
) -> None:
    execute(engine, ALL_STATUSES)
    before = snapshot(engine)
    result = invoke(environment, "rebuild", "--after", "3", *other.split())
    assert result.exit_code == 1
    assert "omit --user-course, --course and --dry-run" in result.stderr
    assert snapshot(engine) == before


# ---- Where somebody else is at work --------------------------------------------------------------------------------


def test_an_enrollment_that_somebody_keeps_locked_is_told_and_holds_up_no_other(
    environment: dict[str, str], engine: Engine
) -> None:
    before = contents(engine)
    execute(engine, ALL_STATUSES + " WHERE user_course_id IN (4, 5)")
    impatient = {**environment, "PROGRESS_LOCK_TIMEOUT_SECONDS": "0.3"}
    with engine.begin() as connection:
        connection.execute(text("SELECT FROM user_course WHERE id = 5 FOR NO KEY UPDATE"))
        result = invoke(impatient, "rebuild")
        assert result.exit_code == 1
        assert result.stdout.splitlines() == [
            "user_course_progress 4/1/2 status: stored completed, expected in_progress",
            "user_course_progress 5/1/2 status: stored completed, expected in_progress",
            "6 enrollments audited and repaired: 2 differences in 2 rows.",
            "1 enrollment locked by another session could not be repaired (5): run it again.",
        ]
        assert rows(engine, COMPLETED) == [(5,)]
        for chosen in (["--user-course", "5"], ["--course", "3"], []):
            again = invoke(impatient, "rebuild", *chosen, "--json")
            assert (again.exit_code, json.loads(again.stdout)["busy_enrollments"]) == (1, [5])
        assert shown(impatient, "rebuild", "--user-course", "4")["busy_enrollments"] == []
    result = invoke(environment, "rebuild")
    assert (result.exit_code, "locked" in result.stdout) == (0, False)
    assert audited(engine) == []
    refresh_all(engine)
    assert audited(engine) == []
    assert contents(engine) == before
