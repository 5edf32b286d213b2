"""Bearer tokens: read from the settings or a folder of secrets, compared in constant time."""

import hmac
import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from worker.contract.member import Id64
from worker.errors import ConfigurationError
from worker.settings import Settings

SHORTEST_TOKEN = 16


class Scope(StrEnum):
    """What a token allows: GET, or everything else."""

    READ = "read"
    WRITE = "write"


def _sendable(token: SecretStr) -> SecretStr:
    """Refuse what is easily guessed, and what no Authorization header carries unchanged."""
    if not re.fullmatch(f"[!-~]{{{SHORTEST_TOKEN},}}", token.get_secret_value()):
        raise PydanticCustomError(
            "token_characters",
            "Use at least {shortest} letters, digits and signs of ASCII, without spaces",
            {"shortest": SHORTEST_TOKEN},
        )
    return token


class Token(BaseModel):
    """Who calls, and what it may do; `courses` None means all of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1)]
    token: Annotated[SecretStr, AfterValidator(_sendable)]
    scopes: Annotated[frozenset[Scope], Field(min_length=1)]
    courses: frozenset[Id64] | None = None


ANYBODY = Token(name="local", token=SecretStr("-" * SHORTEST_TOKEN), scopes=frozenset(Scope))
"""Whoever calls over loopback while no token is configured."""

_LIST = TypeAdapter(list[Token])


class Tokens:
    """Every token that is valid now; several of one client while it changes from one to the next."""

    def __init__(self, tokens: Iterable[Token]) -> None:
        """Raises ConfigurationError where two of them are the same."""
        self._by_digest: dict[bytes, Token] = {}
        for token in tokens:
            first = self._by_digest.setdefault(_digest(token.token.get_secret_value()), token)
            if first is not token:
                raise ConfigurationError(
                    f"The API tokens {first.name!r} and {token.name!r} are the same. Make another."
                )

    def __bool__(self) -> bool:
        return bool(self._by_digest)

    def find(self, presented: str) -> Token | None:
        """The token with this text. Takes the same time whichever it is, and whether it is one at all."""
        digest, found = _digest(presented), None
        for known, token in self._by_digest.items():
            if hmac.compare_digest(known, digest):
                found = token
        return found


def load_tokens(settings: Settings) -> Tokens:
    """The configured tokens, none at all included. Raises ConfigurationError, which never quotes a token."""
    return Tokens([*_from_settings(settings.api_tokens), *_from_directory(settings.api_tokens_directory)])


def _from_settings(text: SecretStr | None) -> list[Token]:
    if text is None:
        return []
    try:
        return _LIST.validate_json(text.get_secret_value())
    except ValidationError as error:
        raise ConfigurationError(f"PROGRESS_API_TOKENS: {_reason(error)}.") from None


def _from_directory(directory: Path | None) -> Iterator[Token]:
    """One token a file; hidden files are the bookkeeping of whoever mounts the folder."""
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
