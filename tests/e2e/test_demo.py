"""`progress-worker demo`: everything real, ends well when all rows are right, and fails when one is not."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Engine

from tests.support.commands import run
from tests.support.tables import execute, rows
from tests.support.wait import wait_until
from tests.support.worker_process import is_alive
from worker.client import EventPublisher
from worker.embedded.state import default_directory
from worker.settings import Settings

SMALL = ["demo", "--events", "2500", "--learners", "30", "--seed", "5"]


def start(environment: Mapping[str, str], *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "worker.cli.main", *SMALL, *options],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def directories(demo: subprocess.Popen[str]) -> list[Path]:
    """Where this demo keeps its data; others may run beside it."""
    return list(default_directory("demo").glob(f"{demo.pid}-*"))


def processes_under(directory: Path) -> list[psutil.Process]:
    """Whatever still runs from this directory."""
    found = []
    for process in psutil.process_iter(["cwd", "cmdline"]):
        place = [process.info["cwd"] or "", *(process.info["cmdline"] or [])]
        if any(str(directory) in each for each in place) and is_alive(process.pid):
            found.append(process)
    return found


def test_the_demo_brings_its_own_servers_and_every_row_is_as_expected() -> None:
    demo = start(os.environ)
    try:
        output, errors = demo.communicate(timeout=60)
    finally:
        demo.kill()
        demo.wait()
    assert (demo.returncode, errors) == (0, ""), output + errors
    assert "Starting PostgreSQL and Valkey" in output
    rollups = ("enrollment_activity", "topic_activity", "lesson_activity", "daily_activity", "lesson_figures")
    written = ("user_course", "user_course_progress", "lesson_event", "course_lesson", "dead_letter: invalid_json")
    for table in written + rollups:
        row = re.search(rf"^ {table} +([\d,]+) +([\d,]+) +yes", output, re.MULTILINE)
        assert row, f"{table} is not in\n{output}"
        assert row[1] == row[2] != "0"
    assert "Every row and every dead letter is as expected." in output
    assert re.search(r"completed +\d+ of \d+ \(\d+\.\d\d %\)", output), "one learner's summary"
    assert re.search(r"2,500 events published and applied in [\d.]+ s: [\d,]+ a second\.", output)
    assert "NO" not in output
    assert not directories(demo), "its data is still there"


@pytest.mark.second_tier
def test_the_demo_fails_and_names_the_row_when_a_single_one_is_wrong(
    environment: dict[str, str], engine: Engine
) -> None:
    execute(
        engine,
        """
        CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN NEW.user_id := 1; RETURN NEW; END $$
        """,
        "CREATE TRIGGER spoil BEFORE INSERT ON user_course FOR EACH ROW WHEN (NEW.id = 17) EXECUTE FUNCTION spoil()",
    )
    result = run(environment, *SMALL)
    assert result.returncode == 1, result.stdout + result.stderr
    assert re.search(r"^ user_course +30 +30 +NO: 1 differ", result.stdout, re.MULTILINE)
    assert "user_course: (17,): expected 50017," in result.stdout
    assert "stored 1," in result.stdout
    assert "Please report this bug" in result.stderr


@pytest.mark.second_tier
def test_servers_that_hold_somebodys_data_are_left_alone(
    environment: dict[str, str], engine: Engine, settings: Settings
) -> None:
    publisher = EventPublisher(settings=settings)
    publisher.publish({"id": "somebody's"})
    result = run(environment, *SMALL)
    assert result.returncode == 1
    assert f"The stream {settings.stream_key} of REDIS_URL has entries" in result.stderr
    execute(engine, "INSERT INTO user_course (id, user_id, course_id) VALUES (1, 1, 1)")
    result = run(environment, *SMALL)
    assert result.returncode == 1
    assert "The database of DATABASE_URL has rows" in result.stderr
    assert rows(engine, "SELECT count(*) FROM user_course") == [(1,)]


@pytest.mark.second_tier
def test_keep_leaves_it_running_until_it_is_told_to_stop(environment: dict[str, str]) -> None:
    demo = start(environment, "--keep")
    try:
        assert demo.stdout is not None
        output = ""
        while "Everything keeps running" not in output:
            line = demo.stdout.readline()
            assert line, f"ended early:\n{output}"
            output += line
        children = psutil.Process(demo.pid).children(recursive=True)
        assert {"worker", "beat"} <= {word for child in children for word in child.cmdline()}
        demo.send_signal(signal.SIGTERM)
        rest, errors = demo.communicate(timeout=30)
    finally:
        demo.kill()
        demo.wait()
    assert (demo.returncode, errors) == (0, "Stopped.\n"), output + rest
    wait_until(lambda: not any(is_alive(child.pid) for child in children), what="the end of worker and beat")


@pytest.mark.second_tier
def test_an_interrupted_demo_leaves_nothing_behind() -> None:
    demo = start(os.environ)
    try:
        assert demo.stdout is not None
        while "Starting a Celery worker" not in demo.stdout.readline():
            assert demo.poll() is None
        (directory,) = directories(demo)
        assert processes_under(directory)
        demo.send_signal(signal.SIGINT)
        _, errors = demo.communicate(timeout=40)
    finally:
        demo.kill()
        demo.wait()
    assert (demo.returncode, errors) == (130, "")
    assert not directory.exists()
    wait_until(lambda: not processes_under(directory), what="the end of every process")
