"""`map`: names are listed, get the numbers of a file, and users are ignored."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.support.commands import invoke, run
from tests.support.events import at, enrolled, entries
from tests.support.named import named_completed, named_enrolled, named_outlined, named_viewed, rows_by_name
from tests.support.tables import execute, insert_as_lms, rows, snapshot
from worker.adapters.names import mail_name
from worker.database.models.external import FIRST_NUMBER
from worker.errors import ConflictError
from worker.identity.map_csv import read_names
from worker.identity.map_load import load_names
from worker.identity.map_spool import open_spool
from worker.progress.ingest import ingest

HEADER = "kind,source,key,id,course_id,topic_id\n"
KEY = ("moodle", "ann", "c1", "l1")


def shown(environment: dict[str, str], *arguments: str) -> str:
    result = invoke(environment, "map", *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(environment: dict[str, str], *arguments: str) -> str:
    result = invoke(environment, "map", *arguments)
    assert result.exit_code in (1, 2), result.output
    return " ".join(result.stderr.split())


def as_json(environment: dict[str, str], *arguments: str) -> Any:
    return json.loads(shown(environment, "show", *arguments, "--json"))


def keys(environment: dict[str, str], *arguments: str) -> list[str]:
    return [each["key"] for each in as_json(environment, *arguments)["names"]]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], str]:
    """Write a file of names; its path."""

    def write_(rows: str, header: str = HEADER) -> str:
        path = tmp_path / "names.csv"
        path.write_text(header + rows, encoding="utf-8")
        return str(path)

    return write_


@pytest.fixture
def refusing(tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection `moodle` gives no numbers to new names."""
    path = tmp_path / "connections.toml"
    path.write_text('[moodle]\nids = "refuse"')
    environment["PROGRESS_CONNECTIONS"] = str(path)
    monkeypatch.setenv("PROGRESS_CONNECTIONS", str(path))


def test_names_are_listed_in_the_order_of_their_key_page_by_page(environment: dict[str, str], engine: Engine) -> None:
    ingest(engine, entries([named_viewed(each) for each in ("bob", "ann", "Zoë \x1b[31m")]))
    ingest(engine, entries([named_viewed(source="canvas", topic="t1")]))
    everything = ["c1", "c1", "l1", "l1", "t1", "", "ann", "Zoë \x1b[31m", "ann", "bob"]
    assert keys(environment) == everything
    word, found = None, []
    while True:
        page = as_json(environment, "--limit", "3", *(["--after", word] if word else []))
        found += [each["key"] for each in page["names"]]
        if (word := page["next_after"]) is None:
            break
    assert found == everything
    assert "There are more: --after " in shown(environment, "show", "--limit", "3")
    assert "\\x1b[31m" in shown(environment, "show")
    assert keys(environment, "--kind", "user", "--source", "moodle") == ["Zoë \x1b[31m", "ann", "bob"]
    assert keys(environment, "--source", "canvas") == ["c1", "l1", "t1", "ann"]
    assert keys(environment, "--grep", "o") == ["Zoë \x1b[31m", "bob"]
    (lesson,) = as_json(environment, "--kind", "lesson", "--source", "canvas")["names"]
    assert keys(environment, "--id", str(lesson["course_id"])) == ["c1"]
    assert keys(environment, "--kind", "topic", "--id", str(lesson["topic_id"])) == ["t1"]
    assert shown(environment, "show", "--kind", "user", "--grep", "%") == "No such names.\n"
    for wrong in ("x", "é", "eyJ9", "WzFd", "WyJhIiwiYiIsImMiLDEwMDAwMDAwMDAwMDAwMDAwMDAwMDAwXQ"):
        assert "--after" in refused(environment, "show", "--after", wrong)


def test_which_enrollment_a_learner_has_in_a_course_and_whose_one_is(
    environment: dict[str, str], engine: Engine
) -> None:
    ingest(engine, entries([named_viewed(), named_viewed(course="c2"), named_viewed("bob"), enrolled(8)]))
    ingest(engine, entries([named_viewed("eve", enrols=False), named_viewed(source="canvas", course="c1")]))
    (number,) = rows(
        engine,
        "SELECT user_course.id FROM user_course JOIN external_id ON kind = 'course' AND external_id.id = course_id"
        " JOIN external_id AS learner ON learner.kind = 'user' AND learner.id = user_id"
        " WHERE external_id.key = 'c1' AND learner.key = 'ann' AND learner.source = 'moodle'",
    )[0]
    (found,) = as_json(environment, "--learner", "ann", "--course", "c1", "--source", "moodle")["enrollments"]
    assert (found["user_course_id"], found["enrolled"]) == (number, True)
    assert str(number) in shown(environment, "show", "--learner", "ann", "--course", "c1")
    assert as_json(environment, "--enrollment", str(number))["enrollments"] == [found]
    of_ann = as_json(environment, "--learner", "ann")["enrollments"]
    assert [(each["source"], each["course"]) for each in of_ann] == [
        ("moodle", "c1"),
        ("moodle", "c2"),
        ("canvas", "c1"),
    ]
    (waiting,) = as_json(environment, "--learner", "eve")["enrollments"]
    assert not waiting["enrolled"]
    (of_numbers,) = as_json(environment, "--enrollment", "8")["enrollments"]
    assert (of_numbers["learner"], of_numbers["enrolled"]) == (None, True)
    assert shown(environment, "show", "--enrollment", "9") == "There is no enrollment 9.\n"
    unknown = "The learner has no enrollments under this name"
    for course in ([], ["--course", "c1"]):
        told = shown(environment, "show", "--learner", "nobody", *course)
        assert told.startswith(unknown)
        assert "--kind user --grep 'nobody'" in told
    told = shown(environment, "show", "--learner", "ann", "--course", "nope")
    assert told.startswith("The learner has enrollments, but none in a course of this name.")
    assert "--kind course --grep 'nope'" in told
    assert "map show --enrollment 8`" in shown(environment, "show", "--id", "8")
    for wrong in (["--course", "c1"], ["--learner", "ann", "--enrollment", "8"], ["--learner", "ann", "--id", "3"]):
        assert "Usage" in refused(environment, "show", *wrong)


def test_a_learner_known_by_the_hash_of_an_address_is_found_by_the_address(
    environment: dict[str, str], engine: Engine
) -> None:
    ingest(engine, entries([named_viewed(mail_name("ann@example.org"))]))
    assert len(as_json(environment, "--learner", "Ann@Example.org")["enrollments"]) == 1


@pytest.mark.usefixtures("refusing")
def test_an_lms_that_made_its_enrollments_keeps_its_numbers(
    environment: dict[str, str], engine: Engine, write: Callable[[str], str]
) -> None:
    insert_as_lms(engine, 501, user_id=70, course_id=30)
    given = [named_viewed(), named_completed(seconds=4), named_viewed("bob"), named_enrolled()]
    assert [each.reason for each in ingest(engine, entries(given[:2])).dead_letters] == ["unmapped"] * 2
    file = write("lesson,moodle,l1,8,30,3\nuser,moodle,ann,70\ncourse,moodle,c1,30\n")
    (of_ann,) = rows(engine, "SELECT count(*) FROM external_id")
    assert of_ann == (0,)
    output = shown(environment, "load", file)
    assert output.startswith("Loaded 3 names: 3 new, 0 with another number than before, 0 known so already.")
    assert "2 dead letters wait for names: `progress-worker dead-letters redrive --reason unmapped`" in output
    assert as_json(environment, "--learner", "ann")["enrollments"][0]["user_course_id"] == 501
    assert invoke(environment, "dead-letters", "redrive", "--reason", "unmapped").exit_code == 0
    outcome = ingest(engine, entries(given))
    assert [each.reason for each in outcome.dead_letters] == ["unmapped"]
    assert rows(engine, "SELECT user_course_id, topic_id, lesson_id, status FROM user_course_progress") == [
        (501, 3, 8, "completed")
    ]
    assert rows(engine, "SELECT id, user_id, course_id FROM user_course") == [(501, 70, 30)]
    assert rows_by_name(engine) == {KEY: ("completed", at(4), at(4))}
    assert "0 new, 0 with another number than before, 3 known so already" in shown(environment, "load", file)


def test_nothing_is_loaded_if_a_line_is_wrong_or_a_name_has_another_number(
    environment: dict[str, str], engine: Engine, write: Callable[[str], str]
) -> None:
    ingest(engine, entries([named_viewed()]))
    known = {each["kind"]: each for each in as_json(environment)["names"]}
    before = snapshot(engine)
    wrong = refused(environment, "load", write("user,moodle,new,5\nuser,moodle,bad,x\n"))
    assert "names.csv, line 3: id: 'x' is not one" in wrong
    assert wrong.endswith("Nothing was loaded.")
    course_id = known["course"]["id"]
    lesson = f"lesson,moodle,l1,{known['lesson']['id']},{course_id},9\n"
    file = write(f"user,moodle,new,5\n{lesson}user,moodle,ann,6\n")
    conflicts = refused(environment, "load", file)
    assert f"line 4: user 'ann' of 'moodle' has the number {known['user']['id']}, not 6." in conflicts
    assert f"in topic {known['lesson']['topic_id']}, not 9" in conflicts
    assert "Names that have another number: 2." in conflicts
    assert "--replace" in conflicts
    assert snapshot(engine) == before
    assert "3 names: 1 new, 2 with another number" in shown(environment, "load", file, "--replace")
    ingest(engine, entries([named_completed(seconds=5)]))
    assert rows(engine, "SELECT user_id FROM user_course ORDER BY 1") == [(6,), (known["user"]["id"],)]


def test_of_many_conflicts_the_first_are_shown(environment: dict[str, str], write: Callable[[str], str]) -> None:
    shown(environment, "load", write("".join(f"user,m,u{number},{number}\n" for number in range(1, 31))))
    output = refused(environment, "load", write("".join(f"user,m,u{n},{n + 1}\n" for n in range(1, 31))))
    assert output.count(", line ") == 20
    assert "30, of which the first 20 are shown" in output


def test_a_name_with_the_number_of_another_is_its_alias(
    environment: dict[str, str], engine: Engine, write: Callable[[str], str]
) -> None:
    ingest(engine, entries([named_viewed()]))
    (user_id,) = rows(engine, "SELECT id FROM external_id WHERE kind = 'user'")[0]
    shown(environment, "load", write(f"user,moodle,anna,{user_id}\n"))
    ingest(engine, entries([named_completed("anna", seconds=3)]))
    assert rows(engine, "SELECT status FROM user_course_progress") == [("completed",)]


def test_a_number_that_the_worker_will_give_is_refused(
    environment: dict[str, str], engine: Engine, write: Callable[[str], str]
) -> None:
    ingest(engine, entries([named_viewed()]))
    (last,) = rows(engine, "SELECT last_value FROM external_id_seq")[0]
    output = refused(environment, "load", write(f"user,moodle,a,{last}\nuser,moodle,b,{last + 1}\n"))
    assert f"line 3: user number {last + 1}: the worker has not given it yet" in output
    file = write(f"lesson,moodle,a,{FIRST_NUMBER + 9},5,1\n")
    assert "setval('external_lesson_id_seq'" in refused(environment, "load", file)
    execute(engine, f"SELECT setval('external_lesson_id_seq', {FIRST_NUMBER + 9})")
    assert "1 new" in shown(environment, "load", file)


def test_lessons_that_wait_are_applied_once_a_file_names_them(
    environment: dict[str, str], engine: Engine, write: Callable[[str], str]
) -> None:
    ingest(engine, entries([named_outlined(lessons=["l0"])]))
    assert len(ingest(engine, entries([named_viewed(course=None)])).dead_letters) == 1
    (course_id,) = rows(engine, "SELECT id FROM external_id WHERE kind = 'course'")[0]
    shown(environment, "load", write(f"lesson,moodle,l1,7,{course_id},2\n"))
    assert invoke(environment, "drain").exit_code == 0
    assert rows(engine, "SELECT topic_id, lesson_id FROM user_course_progress") == [(2, 7)]


def test_a_file_may_come_by_a_pipe_in_utf_8_alone(environment: dict[str, str], engine: Engine, tmp_path: Path) -> None:
    text = "\ufeffid;kind;source;key\n5;user;moodle;Zoë\n"
    loaded = run(environment, "map", "load", "-", given=text.encode())
    assert loaded.returncode == 0, loaded.stderr
    assert rows(engine, "SELECT key, id FROM external_id") == [("Zoë", 5)]
    for content, says in ((text.encode("latin-1", "ignore"), "not UTF-8"), (text.encode("utf-16"), "not UTF-8")):
        (tmp_path / "f.csv").write_bytes(content)
        assert says in refused(environment, "load", str(tmp_path / "f.csv"))
    assert "cannot be read" in refused(environment, "load", str(tmp_path / "missing.csv"))
    assert "cannot be read" in refused(environment, "load", str(tmp_path))


def test_a_name_that_a_worker_numbers_while_the_file_is_checked_is_not_overwritten(engine: Engine) -> None:
    ingest(engine, entries([named_viewed()]))
    before = snapshot(engine)
    with open_spool() as spool:
        list(spool.add(read_names([HEADER, "user,moodle,new,4,,\n", "user,moodle,ann,5,,\n"], "f"), "f"))
        with pytest.raises(ConflictError, match=r"^line 3: user 'ann' has just got .* 0 names are loaded\."):
            load_names(engine, spool, lambda _: None, replace=False)
    assert snapshot(engine) == before


def test_more_names_than_a_transaction_takes(
    environment: dict[str, str], engine: Engine, write: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.identity.map_spool.CHUNK", 3)
    text = "".join(f"{kind},moodle,n{number},{number}\n" for number in range(1, 8) for kind in ("user", "course"))
    assert "Loaded 14 names: 14 new" in shown(environment, "load", write(text))
    assert rows(engine, "SELECT count(DISTINCT xmin::text), count(*) FROM external_id") == [(6, 14)]


def test_ignored_users_do_not_count_whether_named_before_or_after(
    environment: dict[str, str], engine: Engine, tmp_path: Path
) -> None:
    ingest(engine, entries([named_viewed()]))
    (tmp_path / "staff.txt").write_text("\ufeffann\r\nuser:9\r\n\r\n", encoding="utf-8")
    ignore = ("ignore", "user", "--connection", "moodle")
    output = shown(environment, *ignore, "eve", "--file", str(tmp_path / "staff.txt"))
    assert "3 users of moodle will not count." in output
    assert "2 of them no event has named so far; compare with `map show --kind user`: eve, user:9" in output
    assert "What is recorded of 1 of them stays." in output
    before = rows_by_name(engine)
    outcome = ingest(engine, entries([named_completed(each, seconds=3) for each in ("ann", "eve", "user:9")]))
    assert (outcome.ignored, rows_by_name(engine)) == (3, before)
    assert [each["ignored"] for each in as_json(environment, "--kind", "user")["names"]] == [True] * 3
    assert "no event has named" not in shown(environment, *ignore, "eve")
    undone = shown(environment, *ignore, "--undo", "ann", "stranger")
    assert "1 user of moodle will count again." in undone
    assert "Not in the map, so unchanged: stranger" in undone
    assert ingest(engine, entries([named_completed(seconds=5)])).applied == 1


def test_all_names_of_a_user_are_ignored(
    environment: dict[str, str], engine: Engine, write: Callable[[str], str]
) -> None:
    shown(environment, "load", write("user,moodle,ann,5\nuser,canvas,ann,5\nuser,canvas,bob,6\n"))
    shown(environment, "ignore", "user", "ann", "--source", "moodle")
    shown(environment, "load", write("user,edx,anna,5\nuser,edx,bob,6\n"))
    flagged = rows(engine, "SELECT source, key FROM external_id WHERE ignored ORDER BY 1")
    assert flagged == [("canvas", "ann"), ("edx", "anna"), ("moodle", "ann")]


def test_a_mail_address_is_that_of_its_hash_unless_events_name_it(environment: dict[str, str], engine: Engine) -> None:
    ingest(engine, entries([named_viewed("bob@example.org")]))
    addresses = ("Ann@Example.org", "bob@example.org", "user:x@y")
    output = shown(environment, "ignore", "user", "--connection", "moodle", *addresses)
    assert f"Ann@Example.org is {mail_name('ann@example.org')}" in output
    ignored = "SELECT key FROM external_id WHERE ignored ORDER BY 1"
    assert rows(engine, ignored) == [("bob@example.org",), (mail_name("ann@example.org"),), ("user:x@y",)]
    shown(environment, "ignore", "user", "--connection", "moodle", "--as-is", "c@example.org")
    assert ("c@example.org",) in rows(engine, ignored)


@pytest.mark.usefixtures("refusing")
def test_the_connection_is_the_only_one_in_the_file(
    environment: dict[str, str], engine: Engine, tmp_path: Path
) -> None:
    assert "1 user of moodle will not count." in shown(environment, "ignore", "user", "eve")
    environment["PROGRESS_CONNECTIONS"] = ""
    assert "Give the --connection" in refused(environment, "ignore", "user", "eve")
    assert "Give names of users, or --file" in refused(environment, "ignore", "user")
    (tmp_path / "wrong.txt").write_text("ann\n" + "é" * 513)
    arguments = ("ignore", "user", "--connection", "moodle", "--file")
    assert "wrong.txt, line 2: a name has" in refused(environment, *arguments, str(tmp_path / "wrong.txt"))
    assert rows(engine, "SELECT key FROM external_id") == [("eve",)]
