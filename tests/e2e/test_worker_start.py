"""What a starting worker finds wrong around it is said at once: in a log line, or in a sentence with which it ends."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.system import System
from tests.support.worker_process import ROOT

MISSPELT = {"PROGRESS_STREM_KEY": "x"}
DETAIL = "PROGRESS_STREM_KEY is not a setting. Did you mean PROGRESS_STREAM_KEY?"


def celery(system: System, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "celery", "-A", "worker", *arguments],
        cwd=ROOT,
        env=system.environment() | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("detach", [(), pytest.param(("--detach",), marks=pytest.mark.second_tier)])
def test_a_runtime_directory_that_cannot_be_written_is_one_sentence(system: System, detach: tuple[str, ...]) -> None:
    directory = Path("/proc/progress-worker/run")  # read-only for root too
    ended = celery(system, "worker", *detach, PROGRESS_RUNTIME_DIRECTORY=str(directory))
    assert ended.returncode == 1
    remedy = "Make it writable for this user, or set PROGRESS_RUNTIME_DIRECTORY to another."
    sentence = f"{directory} cannot be written: No such file or directory. {remedy}"
    assert f"Error: The worker cannot keep its heartbeats there: {sentence}" in ended.stderr.splitlines()
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("command", ["worker", pytest.param("beat", marks=pytest.mark.second_tier)])
def test_a_detached_process_that_cannot_write_its_log_is_one_sentence(
    system: System, tmp_path: Path, command: str
) -> None:
    file = tmp_path / "nowhere" / "x.log"
    ended = celery(system, command, "--detach", "-f", str(file))
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [f"Error: Cannot write the log file {file}: No such file or directory."]


@pytest.mark.second_tier
@pytest.mark.parametrize("option", ["logfile", "pidfile"])
def test_celery_multi_fails_if_a_node_cannot_write_its_files(system: System, tmp_path: Path, option: str) -> None:
    files = {"logfile": f"{tmp_path}/%n.log", "pidfile": f"{tmp_path}/%n.pid"} | {option: "/proc/%n"}
    command = ["multi", "start", "one", "-A", "worker", *(f"--{name}={file}" for name, file in files.items())]
    ended = subprocess.run(
        [sys.executable, "-m", "celery", *command],
        cwd=ROOT,
        env=system.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "FAILED" in ended.stdout
    assert "Error: Cannot write" in ended.stderr
    assert "/proc" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_misspelt_variable_is_logged_once(system: System) -> None:
    system.extra_environment = MISSPELT
    worker = system.start_worker(1)
    (line,) = worker.wait_for_line("unknown_variable")
    assert (line["level"], line["detail"]) == ("warning", DETAIL)


@pytest.mark.second_tier
def test_a_queue_of_the_command_line_that_is_not_ours_is_warned_of(system: System) -> None:
    worker = system.start_worker(1, "-Q", f"{system.settings.queue},wrong")
    (line,) = worker.wait_for_line("unknown_queue")
    assert line["queue"] == "wrong"
    assert system.settings.queue in line["detail"]


@pytest.mark.second_tier
def test_beat_logs_it_too(system: System) -> None:
    system.extra_environment = MISSPELT
    (line,) = system.start_beat().wait_for_line("unknown_variable")
    assert line["detail"] == DETAIL


@pytest.mark.parametrize("detach", [(), ("--detach",)])
@pytest.mark.parametrize("command", ["worker", "beat"])
def test_a_wrong_file_of_connections_is_one_sentence(
    system: System, tmp_path: Path, command: str, detach: tuple[str, ...]
) -> None:
    (file := tmp_path / "connections.toml").write_text('[moodle]\ntimezone = "Berlin"')
    (log := tmp_path / "x.log").touch()
    ended = celery(system, command, *detach, "-f", str(log), PROGRESS_CONNECTIONS=str(file))
    assert ended.returncode == 1
    [sentence] = [line for line in ended.stderr.splitlines() if line.startswith("Error: ")]
    assert sentence.startswith(f"Error: PROGRESS_CONNECTIONS: {file}: [moodle] timezone: ")
    assert "Traceback" not in ended.stderr
    refusals = [line for line in log.read_text().splitlines() if "start_refused" in line]
    assert [json.loads(line)["detail"] for line in refusals] == ([] if detach else [sentence])
