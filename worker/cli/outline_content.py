"""Read the file that an outline is in."""

import sys
import zlib
from contextlib import nullcontext
from pathlib import Path
from zipfile import BadZipFile, ZipFile, is_zipfile

from worker.errors import InputError


def read_content(path: str, in_package: str | None = None) -> tuple[str, bytes]:
    """Return what to call the file in errors, and its bytes, or as many as show that it is too large.

    `-` is standard input. Of a zip archive with `in_package`, it is the bytes of that file in it. Raises InputError.
    """
    if path != "-" and in_package and _is_archive(path):
        return _read_member(path, in_package)
    if path == "-" and sys.stdin is None:
        raise InputError("Standard input is closed: name a file or pipe the outline in.")
    try:
        with nullcontext(sys.stdin.buffer) if path == "-" else Path(path).open("rb") as source:
            return "standard input" if path == "-" else path, source.read(_enough())
    except (OSError, ValueError) as error:  # the latter for a name with a NUL
        raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error


def _is_archive(path: str) -> bool:
    try:
        return Path(path).is_file() and is_zipfile(path)
    except ValueError:
        return False


def _read_member(path: str, member: str) -> tuple[str, bytes]:
    try:
        with ZipFile(path) as archive, archive.open(member) as source:
            return f"{path}, {member}", source.read(_enough())
    except KeyError:
        raise InputError(f"{path} is a zip archive without {member} at its top.") from None
    except (BadZipFile, EOFError, NotImplementedError, OSError, RuntimeError, zlib.error) as error:
        raise InputError(f"{path} is a zip archive whose {member} cannot be read: {error}.") from None


def _enough() -> int:
    from worker.adapters.outlines.document import MAX_FILE_BYTES

    return MAX_FILE_BYTES + 1
