"""`health live`: a verdict from files and processes alone."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.wait import wait_until
from worker import liveness

ROOT = Path(__file__).parents[2]
WORKER = """
import signal, sys
from pathlib import Path
from worker import liveness

directory = Path(sys.argv[1])
liveness.worker_started(directory)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
if sys.argv[2:] == ["drain"]:
    heartbeat = liveness.Heartbeat(directory)
    while True:
        heartbeat.beat()
        signal.sigtimedwait([], 0.05)
try:
    signal.pause()
finally:
    liveness.worker_stopped(directory)
"""
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "not" / "made" / "yet"


@pytest.fixture
def start(directory: Path) -> Iterator[Start]:
    """Start a process that keeps the files like a worker; `drain` for one with a consumer at work."""
    running = []

    def run(*arguments: str) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen([sys.executable, "-c", WORKER, str(directory), *arguments], cwd=ROOT)
        running.append(process)
        name = f"consumer-{process.pid}" if arguments else f"worker-{process.pid}"
        wait_until((directory / name).exists, what=name)
        return process

    yield run
    for process in running:
        process.kill()
        process.wait()


def live(directory: Path, silent_seconds: float = 30) -> bool:
    return liveness.live(directory, silent_seconds)[0]


def test_no_worker_is_not_live(directory: Path) -> None:
    assert liveness.live(directory, 30) == (False, f"no worker runs here (looked in {directory})")


def test_an_idle_worker_is_live(directory: Path, start: Start) -> None:
    start()
    assert liveness.live(directory, 30) == (True, "1 worker process(es) live")


def test_a_worker_that_shut_down_or_was_killed_is_not_live(directory: Path, start: Start) -> None:
    first = start()
    first.terminate()
    assert first.wait() == 0
    assert list(directory.iterdir()) == []
    assert not live(directory)
    second = start()
    second.kill()
    second.wait()
    assert list(directory.iterdir()) != []
    assert not live(directory)


def test_a_consumer_at_work_is_live(directory: Path, start: Start) -> None:
    process = start("drain")
    first = (directory / f"consumer-{process.pid}").stat().st_mtime_ns
    wait_until(lambda: (directory / f"consumer-{process.pid}").stat().st_mtime_ns > first, what="the second beat")
    assert live(directory, 5)


def test_a_frozen_consumer_is_not_live_until_it_goes_on(directory: Path, start: Start) -> None:
    process = start("drain")
    process.send_signal(signal.SIGSTOP)
    wait_until(lambda: not live(directory, 1.5), what="the verdict")
    assert f"consumer-{process.pid} went silent" in liveness.live(directory, 1.5)[1]
    process.send_signal(signal.SIGCONT)
    wait_until(lambda: live(directory, 1.5), what="the verdict")


def test_a_silent_consumer_of_a_dead_process_does_not_count(directory: Path, start: Start) -> None:
    start()
    dead = start("drain")
    dead.kill()
    dead.wait()
    os.utime(directory / f"consumer-{dead.pid}", (0, 0))
    assert live(directory)


def test_a_starting_worker_forgets_the_dead_and_keeps_the_living(directory: Path, start: Start) -> None:
    dead, living = start("drain"), start("drain")
    dead.kill()
    dead.wait()
    (directory / "worker-nonsense").touch()
    newcomer = start()
    names = {f"worker-{living.pid}", f"consumer-{living.pid}", f"worker-{newcomer.pid}"}
    assert {file.name for file in directory.iterdir()} == names


def test_the_end_of_a_drain_makes_silence_fine(directory: Path, start: Start) -> None:
    start()
    heartbeat = liveness.Heartbeat(directory)
    heartbeat.beat()
    os.utime(directory / f"consumer-{os.getpid()}", (0, 0))
    assert not live(directory)
    heartbeat.end()
    assert live(directory)


def test_a_disk_that_takes_nothing_stops_no_consumer(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    heartbeat = liveness.Heartbeat(tmp_path / "file" / "below")
    heartbeat.beat()
    with pytest.raises(NotADirectoryError):
        (tmp_path / "file" / "below").stat()


def test_the_verdict_imports_nothing_heavy() -> None:
    heavy = {"celery", "pydantic", "redis", "sqlalchemy", "structlog"}
    code = f"import sys, worker.liveness; print({heavy} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout == "set()\n"


def test_without_any_directory_for_temporary_files_the_default_is_still_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container whose disk is read-only: a starting worker says so, instead of a traceback of every import."""

    def nowhere() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(liveness, "gettempdir", nowhere)
    assert Path(liveness._temporary_directory()).is_dir()


def test_a_heartbeat_ends_quietly_on_a_disk_that_cannot_be_written() -> None:
    liveness.Heartbeat(Path("/proc/1/fd/0/run")).end()
    liveness.worker_stopped(Path("/proc/1/fd/0/run"))
