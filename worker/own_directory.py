"""Directories into which no other local user can put anything: made where missing, refused where they are not ours.

Below one that everybody may write to, such as /tmp, another user may have made any name first, or put a link there.
Imports nothing heavy and nothing of the project.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path


class ForeignDirectoryError(PermissionError):
    """Another user could put files or links there; the message says why, and what to do."""


def make_own_directory(directory: Path, otherwise: str) -> None:
    """Make the directory and what is missing above it, for us alone. Idempotent.

    Raises ForeignDirectoryError, which ends with what to do `otherwise`, or another OSError.
    """
    _walk(directory, otherwise, make=True)


def check_own_directory(directory: Path, otherwise: str) -> None:
    """Raise ForeignDirectoryError when the directory is there and `make_own_directory` would refuse it."""
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
            # Elsewhere an operator made it, and may let a group write to it.
            reason = _reason(status, 0o022 if shared else 0o002) if shared or folder == path else None
            if reason:
                raise ForeignDirectoryError(
                    f"{folder} is not a directory of your own: {reason}. Remove it, or {otherwise}."
                )
            shared = shared or (stat.S_ISDIR(status.st_mode) and bool(status.st_mode & 0o002))


def _lexical_and_real(directory: Path) -> Iterator[Path]:
    """The path as it is written; then, once the links on it are known to be nobody else's, where it leads."""
    yield directory.absolute()
    if (real := directory.resolve()) != directory.absolute():
        yield real


def _reason(status: os.stat_result, others: int) -> str | None:
    """Why somebody else could swap what is in it; in a sticky directory, as /tmp is one, only owners can."""
    if not stat.S_ISDIR(status.st_mode):
        return "it is a link or a file"
    if status.st_uid not in {0, os.geteuid()}:
        return f"it belongs to the user with id {status.st_uid}"
    if status.st_mode & others and not status.st_mode & stat.S_ISVTX:
        return f"other users may write to it (mode {stat.S_IMODE(status.st_mode):04o})"
    return None
