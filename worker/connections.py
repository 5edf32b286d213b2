"""Read the file of connections that PROGRESS_CONNECTIONS names: a TOML table for each, by its name."""

import tomllib
from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError

from worker.contract.connection import Connection
from worker.errors import ConfigurationError
from worker.settings import get_settings

_MEMBERS = [member for member in Connection.model_fields if member != "name"]


def find_connection(name: str) -> Connection:
    """Return the connection with this name; one that the file does not have has the defaults."""
    return get_connections().get(name) or Connection(name=name)


def get_connections() -> dict[str, Connection]:
    """Return the process's connections by name, none without a file. Raises ConfigurationError."""
    return read_connections(get_settings().connections)


@lru_cache(maxsize=8)
def read_connections(file: Path | None) -> dict[str, Connection]:
    """Return the file's connections by name. Raises ConfigurationError that names the connection and member."""
    if file is None:
        return {}
    try:
        tables = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"PROGRESS_CONNECTIONS: {file} cannot be read: {error.strerror or error}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"PROGRESS_CONNECTIONS: {file} is not TOML: {error}.") from None
    return {name: _connection(name, table, file) for name, table in tables.items()}


def _connection(name: str, table: object, file: Path) -> Connection:
    if not isinstance(table, dict):
        raise ConfigurationError(f"PROGRESS_CONNECTIONS: {file}: {name} is not a table. Write [{name}] above it.")
    for member in table:
        if member not in _MEMBERS:
            raise ConfigurationError(
                f"PROGRESS_CONNECTIONS: {file}: [{name}] has no member {member}, but only {', '.join(_MEMBERS)}. "
                "The table's title is the connection's name; write one with a dot in quotes: [\"lms.example.org\"]."
            )
    try:
        return Connection.model_validate({**table, "name": name})
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        member = ".".join(str(part) for part in problem["loc"])
        raise ConfigurationError(f"PROGRESS_CONNECTIONS: {file}: [{name}] {member}: {problem['msg']}.") from None
