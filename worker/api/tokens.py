"""API tokens, from the settings or a directory of secrets, compared in constant time."""

import hmac
import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from worker.contract.value_types import Id64, Name
from worker.errors import ConfigurationError
from worker.settings import Settings

MIN_TOKEN_LENGTH = 16


class Scope(StrEnum):
    """Permission for GET, or for all other methods."""

    READ = "read"
    WRITE = "write"


def _sendable(token: SecretStr) -> SecretStr:
    """Refuse tokens that are easily guessed or that an Authorization header cannot carry."""
    if not re.fullmatch(f"[!-~]{{{MIN_TOKEN_LENGTH},}}", token.get_secret_value()):
        raise PydanticCustomError(
            "token_characters",
            "Use at least {length} ASCII letters, digits and symbols, without spaces",
            {"length": MIN_TOKEN_LENGTH},
        )
    return token


class Token(BaseModel):
    """A client's token and what it allows: `courses` None means all courses, `connection` None all names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1)]
    token: Annotated[SecretStr, AfterValidator(_sendable)]
    scopes: Annotated[frozenset[Scope], Field(min_length=1)]
    courses: frozenset[Id64] | None = None
    connection: Name | None = None
    """The only connection whose names the token may send and look up."""


LOCAL_TOKEN = Token(name="local", token=SecretStr("-" * MIN_TOKEN_LENGTH), scopes=frozenset(Scope))
"""The token of loopback requests while none is configured."""

_LIST = TypeAdapter(list[Token])


class Tokens:
    """All valid tokens. A client may have several, to replace one without downtime."""

    def __init__(self, tokens: Iterable[Token]) -> None:
        """Raises ConfigurationError for duplicate tokens."""
        self._by_digest: dict[bytes, Token] = {}
        for token in tokens:
            first = self._by_digest.setdefault(_digest(token.token.get_secret_value()), token)
            if first is not token:
                raise ConfigurationError(f"The API tokens {first.name!r} and {token.name!r} are the same. Change one.")

    def __bool__(self) -> bool:
        return bool(self._by_digest)

    def __iter__(self) -> Iterator[Token]:
        return iter(self._by_digest.values())

    def find(self, presented: str) -> Token | None:
        """Return the token with this text, if any. Takes the same time for all texts."""
        digest, found = _digest(presented), None
        for known, token in self._by_digest.items():
            if hmac.compare_digest(known, digest):
                found = token
        return found


def load_tokens(settings: Settings) -> Tokens:
    """Return the configured tokens, maybe none. Raises ConfigurationError, which never quotes a token."""
    return Tokens([*_from_settings(settings.api_tokens), *_from_directory(settings.api_tokens_directory)])


def _from_settings(text: SecretStr | None) -> list[Token]:
    if text is None:
        return []
    try:
        return _LIST.validate_json(text.get_secret_value())
    except ValidationError as error:
        raise ConfigurationError(f"PROGRESS_API_TOKENS: {_reason(error)}.") from None


def _from_directory(directory: Path | None) -> Iterator[Token]:
    """Read one token per file. Skip hidden files: Kubernetes mounts secrets with some of its own."""
    if directory is None:
        return
    try:
        contents = {file.name: file.read_bytes() for file in sorted(directory.glob("[!.]*")) if file.is_file()}
    except OSError as error:
        raise ConfigurationError(f"PROGRESS_API_TOKENS_DIRECTORY: {error.filename}: {error.strerror}.") from None
    if not contents:
        raise ConfigurationError(f"PROGRESS_API_TOKENS_DIRECTORY: no token in {directory}.")
    for name, content in contents.items():
        try:
            given = TypeAdapter(dict[str, object]).validate_json(content)
            yield Token.model_validate({"name": name, **given})
        except ValidationError as error:
            raise ConfigurationError(f"PROGRESS_API_TOKENS_DIRECTORY: {directory / name}: {_reason(error)}.") from None


def _reason(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in problem["loc"])
    return f"{place}: {problem['msg']}" if place else problem["msg"]


def _digest(text: str) -> bytes:
    return sha256(text.encode()).digest()
