"""Names get numbers: one each, whoever names them first, and the rows by name are those of the events."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.support.events import START, at, entries
from tests.support.named import (
    named_completed,
    named_enrolled,
    named_outlined,
    named_reopened,
    named_viewed,
    rows_by_name,
)
from tests.support.tables import insert_as_lms, rows
from worker.contract.entry import Reason
from worker.contract.event_time import EARLIEST_TIME
from worker.contract.named_event import NamedLessonEvent
from worker.database.models.external import FIRST_NUMBER
from worker.progress.ingest import ingest
from worker.progress.redrive import sweep_parked

KEY = ("moodle", "ann", "c1", "l1")


def test_an_event_of_nobody_known_names_all_and_enrolls(engine: Engine) -> None:
    outcome = ingest(engine, entries([named_viewed(seconds=5), named_completed(seconds=9)]))
    assert (outcome.applied, outcome.dead_letters) == (2, [])
    assert rows_by_name(engine) == {KEY: ("completed", at(9), at(9))}
    ((number, user_id, course_id, enrolled_at, timezone),) = rows(
        engine, "SELECT id, user_id, course_id, enrolled_at::date::text, timezone FROM user_course"
    )
    assert min(number, user_id, course_id) >= FIRST_NUMBER
    assert (enrolled_at, timezone) == ("1970-01-01", "UTC")


def test_a_real_enrollment_rules_whether_before_or_after(engine: Engine) -> None:
    real = named_enrolled(timezone="Asia/Tokyo", seconds=(EARLIEST_TIME - START).total_seconds())
    ingest(engine, entries([named_viewed()]))
    ingest(engine, entries([real]))
    assert rows(engine, "SELECT timezone, enrolled_at FROM user_course") == [("Asia/Tokyo", real.time)]
    assert rows(engine, "SELECT timezone FROM enrollment_event") == [("Asia/Tokyo",)]


def test_an_enrollment_without_a_time_that_is_sent_again_is_the_same(engine: Engine) -> None:
    outcomes = [ingest(engine, entries([named_enrolled(id="e1", untimed=True, seconds=each)])) for each in (0, 2, 9)]
    assert [(each.applied, each.repeated, each.dead_letters) for each in outcomes] == [
        (1, 0, []),
        (0, 1, []),
        (0, 1, []),
    ]
    (other,) = ingest(engine, entries([named_enrolled(id="e1", untimed=True, timezone="Asia/Tokyo")])).dead_letters
    assert other.reason == Reason.IDENTITY_CONFLICT


def test_an_event_that_does_not_enroll_waits_for_the_enrollment(engine: Engine) -> None:
    outcome = ingest(engine, entries([named_viewed(enrols=False)]))
    assert [each.reason for each in outcome.dead_letters] == [Reason.UNKNOWN_ENROLLMENT]
    ingest(engine, entries([named_enrolled()]))
    sweep_parked(engine)
    assert rows_by_name(engine) == {KEY: ("in_progress", at(0), None)}
    assert rows(engine, "SELECT count(*) FROM dead_letter") == [(0,)]


def test_without_a_course_the_only_course_of_the_lesson_counts(engine: Engine) -> None:
    ingest(engine, entries([named_viewed("bob", course="c1")]))
    ingest(engine, entries([named_completed(course=None, seconds=3)]))
    assert rows_by_name(engine)[KEY] == ("completed", at(3), at(3))


def test_in_one_batch_the_course_may_be_named_after_the_lesson(engine: Engine) -> None:
    ingest(engine, entries([named_completed(course=None, seconds=3), named_viewed("bob")]))
    assert rows_by_name(engine)[KEY] == ("completed", at(3), at(3))


@pytest.mark.parametrize("courses", [[], ["c1", "c2"]], ids=["in none", "in two"])
def test_a_lesson_of_no_or_several_courses_waits(engine: Engine, courses: list[str]) -> None:
    ingest(engine, entries([named_viewed("bob", course=each) for each in courses]))
    (letter,) = ingest(engine, entries([named_viewed(course=None)])).dead_letters
    assert letter.reason == Reason.UNKNOWN_LESSON
    sweep_parked(engine)
    assert rows(engine, "SELECT reason FROM dead_letter") == [("unknown_lesson",)]


def test_it_is_applied_once_an_outline_names_it(engine: Engine) -> None:
    ingest(engine, entries([named_viewed(course=None, seconds=2), named_completed(lesson="other", course=None)]))
    ingest(engine, entries([named_outlined(lessons=["l0", "l1"])]))
    assert sweep_parked(engine).applied == 1
    assert rows_by_name(engine) == {KEY: ("in_progress", at(2), None)}
    assert rows(engine, "SELECT lesson_key FROM dead_letter") == [("other",)]


def test_reopened_takes_the_completion_back_in_any_order(engine: Engine) -> None:
    events: list[NamedLessonEvent] = [named_completed(seconds=1), named_reopened(seconds=2), named_viewed(seconds=3)]
    for learner, order in {"ann": events, "bob": events[::-1]}.items():
        for event in order:
            its = event.model_copy(update={"data": event.data.model_copy(update={"learner": learner})})
            ingest(engine, entries([its]))
    found = rows_by_name(engine)
    assert found[KEY] == found["moodle", "bob", "c1", "l1"] == ("in_progress", at(3), None)


def test_one_name_in_two_connections_is_two(engine: Engine) -> None:
    ingest(engine, entries([named_viewed(), named_completed(source="canvas")]))
    assert {key[0]: row[0] for key, row in rows_by_name(engine).items()} == {
        "moodle": "in_progress",
        "canvas": "completed",
    }


def test_an_alias_is_the_lesson(engine: Engine) -> None:
    ingest(engine, entries([named_viewed(lesson="assignment:9")]))
    ingest(engine, entries([named_outlined(lessons=[{"lesson": "item:3", "aliases": ["assignment:9", "quiz:1"]}])]))
    ingest(engine, entries([named_completed(lesson="item:3", seconds=4), named_viewed(lesson="quiz:1", seconds=6)]))
    assert set(rows_by_name(engine).values()) == {("completed", at(6), at(4))}
    assert rows(engine, "SELECT count(*) FROM user_course_progress JOIN course_lesson USING (topic_id, lesson_id)") == [
        (1,)
    ]


def test_an_alias_with_rows_of_its_own_stands_for_the_lesson_from_now_on(engine: Engine) -> None:
    ingest(engine, entries([named_viewed(lesson="a"), named_viewed(lesson="b")]))
    ingest(engine, entries([named_outlined(lessons=[{"lesson": "a", "aliases": ["b"]}])]))
    ingest(engine, entries([named_completed(lesson="b", seconds=8)]))
    assert rows_by_name(engine)["moodle", "ann", "c1", "a"] == ("completed", at(8), at(8))
    assert rows(engine, "SELECT count(*) FROM user_course_progress") == [(2,)]


@pytest.mark.parametrize("lessons", [["a", "b"], ["b", "a"]])
def test_two_lessons_that_were_one_are_told_apart(engine: Engine, lessons: list[str]) -> None:
    ingest(engine, entries([named_outlined(lessons=[{"lesson": "a", "aliases": ["b"]}]), named_completed(lesson="b")]))
    ingest(engine, entries([named_outlined(lessons=lessons, seconds=1)]))
    assert set(rows_by_name(engine)) == {("moodle", "ann", "c1", "a")}, "whose own name it was"
    assert rows(engine, "SELECT count(DISTINCT id) FROM external_id WHERE kind = 'lesson'") == [(2,)]
    assert rows(engine, "SELECT count(*) FROM course_lesson") == [(2,)]


def test_a_lesson_keeps_its_topic_when_the_lms_moves_it(engine: Engine) -> None:
    ingest(engine, entries([named_outlined(lessons=[{"lesson": "l1", "topic": "t1"}])]))
    ingest(engine, entries([named_completed(topic="t2")]))
    ingest(engine, entries([named_outlined(lessons=[{"lesson": "l1", "topic": "t2"}], seconds=1)]))
    assert rows(engine, "SELECT count(*) FROM user_course_progress JOIN course_lesson USING (topic_id, lesson_id)") == [
        (1,)
    ]


def test_an_ignored_user_counts_nowhere(engine: Engine) -> None:
    ingest(engine, entries([named_viewed()]))
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE external_id SET ignored = true WHERE kind = 'user'")
    outcome = ingest(engine, entries([named_completed(), named_completed("bob")]))
    assert (outcome.ignored, outcome.applied) == (1, 1)
    assert rows_by_name(engine)[KEY][0] == "in_progress"


@pytest.fixture
def connections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Write the file of connections."""

    def write(content: str) -> None:
        (tmp_path / "connections.toml").write_text(content)
        monkeypatch.setenv("PROGRESS_CONNECTIONS", str(tmp_path / "connections.toml"))

    return write


def test_with_explicit_enrollment_a_completion_enrolls_and_a_view_waits(
    engine: Engine, connections: Callable[[str], None]
) -> None:
    connections('[moodle]\nenrol = "explicit"\ntimezone = "Europe/London"')
    assert [each.reason for each in ingest(engine, entries([named_viewed()])).dead_letters] == ["unknown_enrollment"]
    outcome = ingest(engine, entries([named_completed(seconds=2)]))
    assert (outcome.applied, len(outcome.enrolled)) == (1, 1)
    assert rows(engine, "SELECT timezone FROM user_course") == [("Europe/London",)]


def test_lessons_that_only_an_outline_may_name_wait_for_it(engine: Engine, connections: Callable[[str], None]) -> None:
    connections('[moodle]\nlessons = "outline"')
    (letter,) = ingest(engine, entries([named_viewed(seconds=7)])).dead_letters
    assert letter.reason == Reason.UNKNOWN_LESSON
    ingest(engine, entries([named_outlined("c2", ["l1"])]))
    assert sweep_parked(engine).applied == 0
    ingest(engine, entries([named_outlined("c1", ["l1"])]))
    assert sweep_parked(engine).applied == 1
    assert rows_by_name(engine) == {KEY: ("in_progress", at(7), None)}


def test_a_connection_that_refuses_new_names_sets_them_aside(
    engine: Engine, connections: Callable[[str], None]
) -> None:
    connections('[moodle]\nids = "refuse"')
    given = [named_viewed(), named_enrolled(), named_outlined(lessons=["l1"])]
    outcome = ingest(engine, entries(given))
    assert [each.reason for each in outcome.dead_letters] == [Reason.UNMAPPED] * 3
    assert "map load" in outcome.dead_letters[0].detail
    assert rows(engine, "SELECT count(*) FROM external_id") == [(0,)]


def test_several_names_of_one_learner_or_course_are_one(engine: Engine) -> None:
    """As a map that was loaded says."""
    ids = [("user", "moodle", "ann", 5), ("user", "moodle", "mbox:ann", 5), ("user", "canvas", "7", 5)]
    ids += [("course", "moodle", "c1", 6), ("course", "moodle", "old c1", 6)]
    with engine.begin() as connection:
        for row in ids:
            connection.exec_driver_sql("INSERT INTO external_id (kind, source, key, id) VALUES (%s, %s, %s, %s)", row)
    outcome = ingest(
        engine,
        entries(
            [
                named_viewed("ann", "l1", "c1", seconds=1),
                named_viewed("mbox:ann", "l1", "old c1", seconds=2),
                named_completed("mbox:ann", "l1", None, seconds=3),
                named_enrolled("ann", "old c1"),
                named_viewed("7", "l1", "c1", source="canvas"),
            ]
        ),
    )
    assert (outcome.applied, outcome.dead_letters) == (5, [])
    assert rows(engine, "SELECT user_id, count(*) FROM user_course GROUP BY user_id") == [(5, 2)]
    assert rows_by_name(engine)["moodle", "ann", "old c1", "l1"] == ("completed", at(3), at(3))


def test_events_before_the_lms_own_enrollment_wait_for_it(engine: Engine, connections: Callable[[str], None]) -> None:
    """All names are loaded; the LMS commits its row of `user_course` after the event has come."""
    connections('[moodle]\nids = "refuse"')
    for row in (("course", "c1", 0, 6, None), ("user", "ann", 0, 5, None), ("lesson", "l1", 6, 8, 7)):
        with engine.begin() as connection:
            connection.exec_driver_sql("INSERT INTO external_id VALUES (%s, 'moodle', %s, %s, %s, %s)", row)
    ingest(engine, entries([named_viewed()]))
    insert_as_lms(engine, 3, user_id=5, course_id=6)
    sweep_parked(engine)
    assert rows_by_name(engine) == {KEY: ("in_progress", at(0), None)}
