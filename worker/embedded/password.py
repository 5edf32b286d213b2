"""A server's password in a file that only its owner can read."""

import os
import secrets
from pathlib import Path


def last_password(file: Path, directive: str = "") -> str:
    """Return the password of the last start, so that the URL stays the same; a new one if there is none."""
    try:
        return file.read_text(encoding="ascii").split()[-1]
    except (FileNotFoundError, IndexError):
        return new_password(file, directive)


def new_password(file: Path, directive: str = "") -> str:
    """Write a new password, after `directive` if the server reads the file as configuration."""
    password = secrets.token_urlsafe(24)
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as opened:
        opened.write(f"{directive}{password}\n")
    return password
