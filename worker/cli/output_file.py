"""Write a file completely or not at all."""

import os
from collections.abc import Iterable
from pathlib import Path
from tempfile import NamedTemporaryFile

from worker.errors import InputError


def write_file(name: str, content: bytes | Iterable[bytes]) -> None:
    """Write a temporary file in the same directory and move it into place, so that no reader sees half of it.

    An existing file keeps its mode, a link keeps its target; anything but a regular file, such as a pipe, is written to
    and never replaced. Raises InputError if it cannot be written.
    """
    path = Path(os.path.realpath(name))
    parts = [content] if isinstance(content, bytes) else content
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            with path.open("wb") as file:
                file.writelines(parts)
        else:
            _replace(path, parts)
    except (OSError, ValueError) as error:  # the latter for a name with a NUL
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"Cannot write {name!r}: {reason}. Choose another --output.") from None


def _replace(path: Path, parts: Iterable[bytes]) -> None:
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        written = Path(file.name)
        try:
            file.writelines(parts)
            file.flush()
            written.chmod(mode)
            written.replace(path)
        except BaseException:
            written.unlink(missing_ok=True)
            raise


def _umask() -> int:
    """Return the umask, which Python returns only when setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
