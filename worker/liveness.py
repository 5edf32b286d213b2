"""Liveness without touching a server: heartbeat files of the worker and its consumers, and the check of them.

Imports nothing heavy: the check runs every few seconds on every host.

| file             | written                                        | removed when        |
|------------------|------------------------------------------------|---------------------|
| `worker-<pid>`   | when a worker starts                           | it has shut down    |
| `consumer-<pid>` | at least once a second while a consumer drains | the drain has ended |
"""

import os
import stat
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile, gettempdir

from worker.own_directory import ForeignDirectoryError, check_own_directory, make_own_directory


def _temporary_directory() -> str:
    """Return the directory for temporary files; one that may be read-only if there is none to write to."""
    try:
        return gettempdir()
    except FileNotFoundError:
        return "/tmp"  # noqa: S108 - our directory in it is checked


DEFAULT_DIRECTORY = Path(_temporary_directory()) / f"progress-worker-{os.getuid()}" / "run"
DEFAULT_SILENT_SECONDS = 60.0
OTHERWISE = "set PROGRESS_RUNTIME_DIRECTORY to another"


def check(directory: Path) -> None:
    """Raise ForeignDirectoryError when other users could replace our files."""
    check_own_directory(directory, OTHERWISE)


def require_writable(directory: Path) -> None:
    """Create the directory if missing. Raises OSError, whose message says what to do, if a worker cannot use it."""
    try:
        make_own_directory(directory, OTHERWISE)
        with TemporaryFile(dir=directory):
            return
    except ForeignDirectoryError:
        raise
    except OSError as error:
        reason, remedy = error.strerror or str(error), f"Make it writable for this user, or {OTHERWISE}"
        raise OSError(f"{directory} cannot be written: {reason}. {remedy}.") from error


def worker_started(directory: Path) -> None:
    """Mark this process as a worker; remove the files of processes that are gone. Raises OSError."""
    make_own_directory(directory, OTHERWISE)
    for file in [*_signs(directory, "worker"), *_signs(directory, "consumer")]:
        if not _is_running(file):
            file.unlink(missing_ok=True)
    _touch(directory / f"worker-{os.getpid()}")


def worker_stopped(directory: Path) -> None:
    """Mark this worker as shut down."""
    _remove(directory / f"worker-{os.getpid()}")


class Heartbeat:
    """The heartbeat of one draining consumer."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / f"consumer-{os.getpid()}"
        self._touched = 0.0

    def beat(self) -> None:
        """Touch the file, at most once a second. A full or read-only disk does not stop the consumer."""
        now = time.monotonic()
        if now - self._touched >= 1:
            self._touched = now
            try:
                make_own_directory(self._file.parent, OTHERWISE)
                _touch(self._file)
            except OSError:
                return

    def end(self) -> None:
        """Remove the file at the end of a drain."""
        self._touched = 0.0
        _remove(self._file)


def live(directory: Path, silent_seconds: float) -> tuple[bool, str]:
    """Return whether this host's worker is live, with a sentence of explanation.

    It is not when no worker process runs, or when a consumer is stuck: silent in the middle of a drain. A server that
    is unavailable does not count, as restarting workers would not help. Files in a directory that other users may write
    to prove nothing.
    """
    try:
        check(directory)
    except OSError as error:
        return False, str(error)
    workers = [file for file in _signs(directory, "worker") if _is_running(file)]
    if not workers:
        return False, f"no worker runs here (looked in {directory})"
    for file in _signs(directory, "consumer"):
        if _is_running(file) and (silence := _age_seconds(file)) > silent_seconds:
            return False, f"{file.name} went silent {silence:.0f} s ago in the middle of a drain"
    return True, f"{len(workers)} worker process(es) live"


def _touch(file: Path) -> None:
    """Create the file or update its time, without following a link in its place."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(file, flags, 0o600)
    try:
        os.utime(descriptor)
    finally:
        os.close(descriptor)


def _remove(file: Path) -> None:
    """Remove the file. A disk that has become read-only does not stop the worker."""
    with suppress(OSError):
        file.unlink(missing_ok=True)


def _signs(directory: Path, kind: str) -> list[Path]:
    """Return the files of this kind that belong to us or to the directory's owner; others may be fakes."""
    found = []
    for file in directory.glob(f"{kind}-*"):
        try:
            status, owner = file.lstat(), directory.stat().st_uid
        except FileNotFoundError:
            continue
        if stat.S_ISREG(status.st_mode) and status.st_uid in {owner, os.geteuid()}:
            found.append(file)
    return found


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
        return time.time() - file.lstat().st_mtime
    except FileNotFoundError:
        return 0.0
