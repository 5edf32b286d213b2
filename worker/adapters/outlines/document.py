"""A document to read outlines from: its bytes, and what is known beside them."""

from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from dataclasses import dataclass

from pydantic_core import from_json

from worker.contract.connection import Connection
from worker.errors import InputError

MAX_FILE_BYTES = 16 * 1024 * 1024
"""More than any outline that fits into one event takes, however it is written."""


@dataclass(frozen=True, slots=True)
class OutlineDocument:
    """What the readers are given."""

    content: bytes
    name: str
    """What errors call it, such as the file's name."""
    connection: Connection
    course: str | None = None
    """The course, for a format that does not name it."""

    @property
    def text(self) -> str:
        """The content as text. Raises InputError."""
        return text_of(self.content, self.name)

    @property
    def json(self) -> object:
        """The content as JSON. Raises InputError."""
        return parse_json(self.text, self.name)


def check_size(content: bytes, name: str) -> None:
    """Raise InputError for content that is too large."""
    if len(content) > MAX_FILE_BYTES:
        raise InputError(f"{name} is larger than 16 MiB, which is too large for an outline.")


def text_of(content: bytes, name: str) -> str:
    """Return the content as text, without a byte order mark. Raises InputError for what is too large or not UTF-8."""
    check_size(content, name)
    if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) or b"\0" in content[:4]:
        raise InputError(
            f'{name}, line 1: not UTF-8 text. It looks like UTF-16, which spreadsheets call "Unicode": '
            'save the file as "CSV UTF-8" instead.'
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f'{name}, line {line}: not UTF-8 text. Save the file as UTF-8; in a spreadsheet choose "CSV UTF-8".'
        ) from None


def parse_json(text: str, name: str) -> object:
    """Return the parsed JSON. Raises InputError."""
    try:
        return from_json(text)
    except ValueError as error:
        raise InputError(f"{name}: not JSON ({error}).") from None
