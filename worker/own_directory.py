"""Directories that no other local user can write to: created if missing, refused if not ours.

Below a world-writable one, such as /tmp, another user may already have taken any name or put a link there. Imports
nothing heavy and nothing of the project.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path


class ForeignDirectoryError(PermissionError):
    """Another user could put files or links there; the message says why and what to do."""


def make_own_directory(directory: Path, otherwise: str) -> None:
    """Create the directory and its missing parents, accessible to us alone. Idempotent.

    Raises ForeignDirectoryError, whose message ends with the remedy `otherwise`, or another OSError.
    """
    _walk(directory, otherwise, make=True)


def check_own_directory(directory: Path, otherwise: str) -> None:
    """Raise ForeignDirectoryError when the directory exists and `make_own_directory` would refuse it."""
    _walk(directory, otherwise, make=False)


def _walk(directory: Path, otherwise: str, *, make: bool) -> None:
    for path in _lexical_and_real(directory):
        shared = False
        for folder in (*reversed(path.parents), path):
            if make and not os.path.lexists(folder):
                folder.mkdir(mode=0o700, exist_ok=True)
            try:
                status = folder.lstat()
            except FileNotFoundError:
                break
            # Elsewhere an operator created it and may let a group write to it.
            reason = _reason(status, 0o022 if shared else 0o002) if shared or folder == path else None
            if reason:
                raise ForeignDirectoryError(
                    f"{folder} is not a directory of your own: {reason}. Remove it, or {otherwise}."
                )
            shared = shared or (stat.S_ISDIR(status.st_mode) and bool(status.st_mode & 0o002))


def _lexical_and_real(directory: Path) -> Iterator[Path]:
    """Yield the path as written; then, once its links are known to be ours or root's, its target."""
    yield directory.absolute()
    if (real := directory.resolve()) != directory.absolute():
        yield real


def _reason(status: os.stat_result, others: int) -> str | None:
    """Return why another user could replace its contents; in a sticky directory, such as /tmp, only owners can."""
    if not stat.S_ISDIR(status.st_mode):
        return "it is a link or a file"
    if status.st_uid not in {0, os.geteuid()}:
        return f"it belongs to the user with id {status.st_uid}"
    if status.st_mode & others and not status.st_mode & stat.S_ISVTX:
        return f"other users may write to it (mode {stat.S_IMODE(status.st_mode):04o})"
    return None
