"""Liveness without touching a server: files that the worker and its consumers keep, and the verdict on them.

Imports nothing heavy: the verdict is asked for every few seconds on every host.

| file             | written                                     | gone when                |
|------------------|---------------------------------------------|--------------------------|
| `worker-<pid>`   | when a worker starts                         | it has shut down         |
| `consumer-<pid>` | at least once a second while a consumer drains | the drain has ended      |
"""

import os
import time
from pathlib import Path
from tempfile import gettempdir

DEFAULT_DIRECTORY = Path(gettempdir()) / f"progress-worker-{os.getuid()}" / "run"
DEFAULT_SILENT_SECONDS = 60.0


def worker_started(directory: Path) -> None:
    """Say that this process is a worker; forget files of processes that are gone."""
    directory.mkdir(parents=True, exist_ok=True)
    for file in [*directory.glob("worker-*"), *directory.glob("consumer-*")]:
        if not _is_running(file):
            file.unlink(missing_ok=True)
    (directory / f"worker-{os.getpid()}").touch()


def worker_stopped(directory: Path) -> None:
    """Say that this worker has shut down."""
    (directory / f"worker-{os.getpid()}").unlink(missing_ok=True)


class Heartbeat:
    """The sign of life of one draining consumer."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / f"consumer-{os.getpid()}"
        self._touched = 0.0

    def beat(self) -> None:
        """Touch the file, at most once a second. A full or read-only disk stops no consumer."""
        now = time.monotonic()
        if now - self._touched >= 1:
            self._touched = now
            try:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                self._file.touch()
            except OSError:
                return

    def end(self) -> None:
        """The drain has ended; silence is fine now."""
        self._touched = 0.0
        self._file.unlink(missing_ok=True)


def live(directory: Path, silent_seconds: float) -> tuple[bool, str]:
    """Whether this host's worker lives, and why in a sentence.

    It does not when no worker process runs, or when a consumer went silent in the middle of a drain: stuck or frozen.
    A server that is away does not count: restarting workers would not bring it back.
    """
    workers = [file for file in directory.glob("worker-*") if _is_running(file)]
    if not workers:
        return False, f"no worker runs here (looked in {directory})"
    for file in directory.glob("consumer-*"):
        if _is_running(file) and (silence := _age_seconds(file)) > silent_seconds:
            return False, f"{file.name} went silent {silence:.0f} s ago in the middle of a drain"
    return True, f"{len(workers)} worker process(es) live"


def _is_running(file: Path) -> bool:
    try:
        os.kill(int(file.name.rpartition("-")[2]), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True


def _age_seconds(file: Path) -> float:
    try:
        return time.time() - file.stat().st_mtime
    except FileNotFoundError:
        return 0.0
