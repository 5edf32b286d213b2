"""How commands write a file: all of it or nothing."""

import os
from pathlib import Path
from tempfile import NamedTemporaryFile

from worker.errors import InputError


def replace_file(name: str, content: bytes) -> None:
    """Write the file beside its place and move it there, so that nobody ever reads half of it.

    Raises InputError where it cannot be written.
    """
    path = Path(name)
    written: Path | None = None
    try:
        with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            written = Path(file.name)
            file.write(content)
        written.chmod(0o666 & ~_umask())
        written.replace(path)
    except (OSError, ValueError) as error:  # the latter for a name with a NUL
        if written:
            written.unlink(missing_ok=True)
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"Cannot write {name!r}: {reason}. Choose another --output.") from None


def _umask() -> int:
    """Python tells it only to who sets it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
