"""Output where UTF-8 cannot be shown: what we draw becomes ASCII, other characters are escaped."""

import codecs
import os
from collections.abc import Mapping
from io import TextIOWrapper
from typing import TextIO

_DRAWN = {"…": "...", "·": ".", "░": "-", "▒": "+", "▓": "*", "→": "->", "≤": "<=", "≥": ">="}
_DRAWN |= dict.fromkeys("█▉▊▋▌▐", "#") | dict.fromkeys("▍▎▏▕", "-")
_C_LOCALES = ("C", "POSIX")


def adapt(*streams: TextIO) -> None:
    """Let no character fail on these streams. Idempotent."""
    codecs.register_error("drawn", _escape)
    codecs.register_error("drawn-only", _pass_on)
    for stream in streams:
        if not isinstance(stream, TextIOWrapper):
            continue
        if stream.encoding.lower().startswith("utf") and stream.isatty() and is_plain(os.environ):
            stream.reconfigure(encoding="ascii", errors="drawn-only")
        elif stream.errors != "drawn-only":
            stream.reconfigure(errors="drawn")


def as_shown(text: str, stream: TextIO | None) -> str:
    """Return the text as an adapted stream will show it, so that its width is known. None is a closed one."""
    errors = (stream and stream.errors) or ""
    if stream is None or text.isascii() or errors not in {"drawn", "drawn-only"}:
        return text
    return text.encode(stream.encoding, errors).decode("utf-8" if errors == "drawn-only" else stream.encoding)


def is_plain(environment: Mapping[str, str]) -> bool:
    """Return whether the terminal shows only ASCII by its type or locale, unless Python's encoding is set.

    Python itself writes UTF-8 in the C locale, and then sets LC_CTYPE to C.UTF-8.
    """
    if environment.get("TERM") == "dumb":
        return True
    if environment.get("PYTHONIOENCODING") or environment.get("PYTHONUTF8"):
        return False
    if everything := environment.get("LC_ALL"):
        return everything in _C_LOCALES
    return environment.get("LANG") in _C_LOCALES and environment.get("LC_CTYPE", "C") in {*_C_LOCALES, "C.UTF-8"}


def _escape(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)  # noqa: S101 - for the type checker
    found = error.object[error.start]
    escaped = found.encode("ascii", "backslashreplace").decode()
    return _DRAWN.get(found, escaped), error.start + 1


def _pass_on(error: UnicodeError) -> tuple[str | bytes, int]:
    assert isinstance(error, UnicodeEncodeError)  # noqa: S101 - for the type checker
    found = error.object[error.start]
    return _DRAWN.get(found, found.encode(errors="backslashreplace")), error.start + 1
