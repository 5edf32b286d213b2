"""Logs of `celery -A worker worker` and `beat` as Celery's users ask for them: level, file, detached, one format."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.own_servers import OwnServers, own_servers
from tests.support.system import QUICK_START, System
from tests.support.wait import wait_until
from tests.support.worker_process import ROOT, is_alive
from worker.celery_support.broker_consumer import RECONNECT_SECONDS

WORKER = ("worker", "--concurrency=1", *QUICK_START)


class Started:
    """A process of `celery -A worker …` with its output and errors apart."""

    def __init__(self, environment: Mapping[str, str], directory: Path, *arguments: str) -> None:
        self.output, self.errors = directory / "stdout", directory / "stderr"
        with self.output.open("wb") as output, self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "worker", *arguments],
                cwd=ROOT,
                env={**environment, "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )

    def stop(self) -> None:
        """SIGTERM, and wait for its end."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    def kill(self) -> None:
        """End whatever is left."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def logged(path: Path) -> list[dict[str, Any]]:
    """Every line of the log. Each is JSON."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def has_event(path: Path, event: str) -> bool:
    """Whether the log has a finished line of this event."""
    return path.exists() and f'"event": "{event}"' in path.read_text()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Any]:
    """Start processes that end with the test."""
    started: list[Started] = []

    def run(environment: Mapping[str, str], *arguments: str) -> Started:
        (directory := tmp_path / f"process-{len(started)}").mkdir()
        started.append(Started(environment, directory, *arguments))
        return started[-1]

    yield run
    for each in started:
        each.kill()


def test_a_worker_logs_into_the_files_and_at_the_level_of_its_command_line(system: System, tmp_path: Path) -> None:
    main, pool = tmp_path / "w1.log", tmp_path / "w1-1.log"
    environment = {**system.environment(), "PROGRESS_LOG_LEVEL": "ERROR"}
    arguments = ("-l", "info", "-f", str(tmp_path / "%n%I.log"))
    worker = system.start(*WORKER, *arguments, environment=environment)
    system.publish_bodies([b"not JSON"])
    wait_until(lambda: has_event(pool, "batch_recorded"), what="the log of the pool's process")

    assert worker.stop()[0] == 0
    (batch,) = [line for line in logged(pool) if line["event"] == "batch_recorded"]
    assert (batch["rejected"], batch["rejected_reasons"]) == (1, {"invalid_json": 1})
    assert any(line["event"].endswith(" ready.") for line in logged(main))
    assert any("progress.consume_events" in line["event"] for line in logged(main)), "Celery's lines, as asked for"
    assert not worker.lines(), "standard error is not the file"


def test_a_log_file_that_cannot_be_written_ends_the_worker_with_a_sentence(system: System, tmp_path: Path) -> None:
    worker = system.start(*WORKER, "-f", str(tmp_path / "nowhere" / "worker.log"))
    assert worker.wait(30) == 1
    assert f"Error: Cannot write the log file {tmp_path}/nowhere/worker.log: No such file" in worker.tail(1)


@pytest.mark.second_tier
def test_every_line_of_standard_error_is_json_whatever_happens(system: System, start: Any) -> None:
    environment = {**system.environment(), "PROGRESS_LOG_FORMAT": "json", "PYTHONWARNINGS": "always"}
    worker = start(environment, *WORKER, "-l", "debug")
    wait_until(lambda: "ready." in worker.errors.read_text(), 30)
    (pool,) = psutil.Process(worker.process.pid).children()
    pool.kill()
    wait_until(lambda: "exited with 'signal 9" in worker.errors.read_text(), 30, "the pool's report")
    worker.stop()

    assert all(isinstance(line["event"], str) for line in logged(worker.errors))
    assert "ready." not in worker.output.read_text()


@pytest.mark.second_tier
def test_the_level_of_the_environment_holds_where_the_command_line_has_none(system: System, start: Any) -> None:
    environment = {**system.environment(), "PROGRESS_LOG_LEVEL": "WARNING"}
    quiet, loud = start(environment, *WORKER, "-n", "quiet@%h"), start(system.environment(), *WORKER, "-n", "loud@%h")
    wait_until(lambda: "loud@" in loud.errors.read_text(), 30)
    system.publish_bodies([b"not JSON"])
    wait_until(system.is_drained, 30)
    for worker in (quiet, loud):
        worker.stop()

    assert {line["level"] for line in logged(quiet.errors)} <= {"warning", "error"}
    assert any(line["event"].endswith(" ready.") for line in logged(loud.errors))


@pytest.mark.second_tier
@pytest.mark.parametrize("how", ["detach", "multi", "beat"])
def test_a_detached_process_logs_into_its_file(system: System, tmp_path: Path, how: str) -> None:
    log, pidfile = tmp_path / "node.log", tmp_path / "node.pid"
    options = (f"--logfile={tmp_path / '%n.log'}", f"--pidfile={tmp_path / '%n.pid'}", "-l", "INFO")
    commands = {
        "detach": ("-A", "worker", *WORKER, "-n", "node@%h", "--detach", *options),
        "multi": ("multi", "start", "node", "-A", "worker", *WORKER[1:], *options),
        "beat": ("-A", "worker", "beat", "--detach", f"--logfile={log}", f"--pidfile={pidfile}", "-l", "INFO"),
    }
    command = [sys.executable, "-m", "celery", *commands[how]]
    subprocess.run(command, cwd=ROOT, env=system.environment(), check=True, capture_output=True, timeout=60)
    expected = "beat: Starting..." if how == "beat" else "node@"
    try:
        wait_until(lambda: log.exists() and expected in log.read_text(), 30, "the log of the detached process")
    finally:
        pid = int(wait_until(lambda: pidfile.exists() and pidfile.read_text().strip(), what="the process's number"))
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not is_alive(pid), 30, "the end of the detached process")
    assert logged(log)


@pytest.fixture(scope="module")
def own() -> Iterator[OwnServers]:
    """A Valkey that may be killed."""
    with own_servers() as servers:
        yield servers


@pytest.mark.second_tier
def test_beat_without_its_broker_logs_one_short_line_for_each_attempt(
    system: System, start: Any, own: OwnServers
) -> None:
    beat = start({**system.environment(), "REDIS_URL": own.redis_url}, "beat")
    wait_until(lambda: "is starting" in beat.output.read_text(), 30)
    own.kill_valkey()
    wait_until(lambda: beat.errors.read_text().count('"broker_away"') >= 3, 30, "three attempts")
    own.start_valkey()
    lines = len(logged(beat.errors))
    beat.stop()

    assert {line["event"] for line in logged(beat.errors)} == {"broker_away"}
    assert {line["seconds"] for line in logged(beat.errors)} == {RECONNECT_SECONDS}
    assert len(logged(beat.errors)) <= lines + 1
    assert all(len(line) < 400 for line in beat.errors.read_text().splitlines())


@pytest.mark.second_tier
@pytest.mark.parametrize(
    "command", ["purge --force", "call progress.maintain", "inspect ping", "status", "list bindings"]
)
def test_a_command_of_celery_without_its_broker_ends_with_a_sentence(system: System, start: Any, command: str) -> None:
    environment = {**system.environment(), "REDIS_URL": "redis://:geheim@127.0.0.1:1/0"}
    ended = start(environment, *command.split())

    assert ended.process.wait(60) != 0
    (line,) = ended.errors.read_text().splitlines()
    assert line.startswith("Error: ")
    assert "127.0.0.1:1" in line
    assert "geheim" not in line


@pytest.mark.second_tier
def test_no_command_of_celery_shows_a_password(system: System, start: Any) -> None:
    worker = start(system.environment(), *WORKER)
    wait_until(lambda: "ready." in worker.errors.read_text(), 30)
    password = str(system.settings.redis_url).partition("@")[0].rpartition(":")[2]
    assert len(password) > 10
    for command in ("report", "inspect conf", "inspect stats", "inspect report", "inspect active", "status"):
        ended = start(system.environment(), *command.split())
        assert ended.process.wait(60) == 0
        assert ended.output.read_text()
        assert password not in ended.output.read_text() + ended.errors.read_text()
    worker.stop()
    assert password not in worker.output.read_text() + worker.errors.read_text()


@pytest.mark.second_tier
def test_a_refused_start_is_in_the_log_file_as_well(system: System, start: Any, tmp_path: Path) -> None:
    (directory := tmp_path / "open").mkdir()
    directory.chmod(0o777)
    log = tmp_path / "worker.log"
    refused = start({**system.environment(), "PROGRESS_RUNTIME_DIRECTORY": str(directory)}, *WORKER, "-f", str(log))

    assert refused.process.wait(30) == 1
    (line,) = [each for each in logged(log) if each["event"] == "start_refused"]
    assert line["detail"] == refused.errors.read_text().strip()
    assert line["detail"].startswith("Error: ")
