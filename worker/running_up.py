"""The running `progress-worker up`s of this user, which other processes find by files in a private directory.

An `up` belongs to the directory it was started in, and serves processes that run there or anywhere below, each of which
takes the nearest one. Imports nothing heavy: every process that publishes may look for one.
"""

import fcntl
import json
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from shlex import quote
from typing import Literal, TextIO

from worker.own_directory import check_own_directory, make_own_directory

URL_FORMS: dict[Literal["DATABASE_URL", "REDIS_URL"], str] = {
    "DATABASE_URL": "postgresql://user:password@host:port/name",
    "REDIS_URL": "redis://host:port/0",
}
REMEDY = "set PROGRESS_EMBEDDED_DIRECTORY to another"


@dataclass(frozen=True)
class RunningUp:
    """A running `up`: its servers' URLs, where they keep data and logs, and where it was started."""

    database_url: str
    redis_url: str
    directory: Path
    started_in: Path

    @property
    def exports(self) -> list[str]:
        """The lines for a shell that let any process use it."""
        return [f"export DATABASE_URL={quote(self.database_url)}", f"export REDIS_URL={quote(self.redis_url)}"]


def name_for(started_in: Path) -> str:
    """Return the name under which an `up` of this directory keeps its data and its state."""
    readable = re.sub(r"[^A-Za-z0-9_-]", "-", started_in.name)[:20]
    return f"up-{readable}-{sha256(os.fsencode(started_in)).hexdigest()[:12]}"


@contextmanager
def publish(up: RunningUp) -> Iterator[RunningUp]:
    """Let other processes of this user find it during the block. Raises OSError.

    The file is locked meanwhile: the system releases the lock when the process dies, and pids are used again.
    """
    make_own_directory(private_directory(), REMEDY)
    owner, state_file = os.getpid(), _state_file(up.started_in)
    descriptor, temporary = tempfile.mkstemp(dir=private_directory(), prefix="up.")  # mode 0600
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        json.dump({name: str(value) for name, value in vars(up).items()}, file)
        file.flush()
        Path(temporary).replace(state_file)
        try:
            yield up
        finally:
            if os.getpid() == owner:  # not in a forked child, which shares the lock
                with suppress(FileNotFoundError):
                    if os.path.samestat(state_file.stat(), os.fstat(descriptor)):  # not after another `up`
                        state_file.unlink()
                fcntl.flock(file, fcntl.LOCK_UN)


def started_in(directory: Path) -> RunningUp | None:
    """Return the running `up` of exactly this directory; None if there is none or its file is unreadable."""
    return _running(_state_file(directory))


def nearest() -> RunningUp | None:
    """Return the running `up` of the working directory or of the nearest one above it."""
    try:
        here = Path.cwd()
    except FileNotFoundError:  # deleted meanwhile
        return None
    return next((up for folder in (here, *here.parents) if (up := started_in(folder))), None)


def in_use() -> RunningUp | None:
    """Return the nearest one, whose servers this process uses; None if the environment names a server."""
    named = {name.upper() for name, url in os.environ.items() if url}
    return None if named.intersection(URL_FORMS) else nearest()


def everywhere() -> list[RunningUp]:
    """Return all running `up`s of this user."""
    return [up for file in sorted(private_directory().glob("up-*.json")) if (up := _running(file))]


def sentence_without(missing: Sequence[Literal["DATABASE_URL", "REDIS_URL"]], given: str | None) -> str:
    """Return what to do about missing URLs when the environment names only `given`, or neither.

    It may be logged: it names the directories of running `up`s, without their URLs, which have passwords.
    """
    forms = " and ".join(f"{name} to {URL_FORMS[name]}" for name in missing)
    sentence = f"{' and '.join(missing)} {'are' if missing[1:] else 'is'} not set. Set {forms}"
    if given and (up := nearest()):  # one of them is never completed by another system's
        return (
            f"{sentence}. The `progress-worker up` of {up.started_in} is not used because {given} is set: "
            "unset it, or export both."
        )
    if not given and (running := everywhere()):
        directories = " or ".join(str(up.started_in) for up in running)
        return (
            f"{sentence}, or work in {directories}, where `progress-worker up` runs; "
            "here, `progress-worker status` prints the lines to export."
        )
    return f"{sentence}, or start `progress-worker up`."


def lasting_directory() -> Path:
    """Return a directory that any user may write to, one that survives a reboot if possible."""
    lasting = Path("/var/tmp")  # noqa: S108 - our directories in it are checked
    return lasting if os.access(lasting, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())


def private_directory() -> Path:
    """Return this user's directory for data and state, which may not exist yet."""
    return lasting_directory() / f"progress-worker-{os.geteuid()}"


def _state_file(started_in: Path) -> Path:
    return private_directory() / f"{name_for(started_in)}.json"


def _running(state_file: Path) -> RunningUp | None:
    """Return the published `up`; None if absent, ended, corrupt or written by another user."""
    try:
        check_own_directory(state_file.parent, REMEDY)
        with state_file.open(encoding="utf-8") as file:
            if os.fstat(file.fileno()).st_uid != os.geteuid() or not _is_locked(file):
                return None
            content = json.load(file)
        urls = (str(content["database_url"]), str(content["redis_url"]))
        return RunningUp(*urls, Path(content["directory"]), Path(content["started_in"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _is_locked(file: TextIO) -> bool:
    """Return whether the process that published the file still runs."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
