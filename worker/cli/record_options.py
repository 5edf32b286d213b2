"""The options of `publish` that say whose records a file has and how they are translated."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from worker.errors import InputError

if TYPE_CHECKING:
    from worker.contract.connection import Connection

OF_THE_WORKER = {"enrol", "lessons", "ids"}
"""Members of a connection that do not change what is published."""
SHORT = {"level": "edx_level"}
"""Other names of members, for `--set` alone."""


def read_record_options(
    format_name: str | None, connection_name: str | None, timezone: str | None, changes: Sequence[str]
) -> "tuple[str, Connection]":
    """Return the format and the connection with its changes, KEY=VALUE. Raises InputError that names the option."""
    from worker.adapters.formats import FORMATS
    from worker.connections import find_connection

    formats = ", ".join(FORMATS)
    if connection_name is None:
        raise InputError(
            "Give --connection NAME: the name of the LMS that the records are from, such as moodle. "
            "It becomes the `source` of their events; take the same name each time."
        )
    _changed(connection_name, {}, "--connection")
    connection = find_connection(connection_name)
    format_name = format_name or connection.format
    if format_name is None:
        raise InputError(
            f"Give --format, one of {formats}, or set `format` of connection {connection_name} in PROGRESS_CONNECTIONS."
        )
    if format_name not in FORMATS:
        raise InputError(f"--format {format_name}: there is no such format; there are {formats}.")
    if timezone is not None:
        connection = _changed(connection_name, {**connection.model_dump(), "timezone": timezone}, "--timezone")
    for change in changes:
        key, separator, value = change.partition("=")
        key = SHORT.get(key.strip(), key.strip())
        _refuse_other_keys(key or change, separator)
        members = {**connection.model_dump(), key: value.strip()}
        connection = _changed(connection_name, members, f"--set {key}")
    return format_name, connection


def _refuse_other_keys(key: str, separator: str) -> None:
    from worker.contract.connection import Connection

    known = [each for each in Connection.model_fields if each not in {"name", "format"} | OF_THE_WORKER]
    if key in OF_THE_WORKER:
        raise InputError(f"--set {key}: it is the worker that decides this. Set it in its file, PROGRESS_CONNECTIONS.")
    if not separator or key not in known:
        raise InputError(f"--set {key}: expected KEY=VALUE with one of the keys {', '.join(known)}.")


def _changed(name: str, members: dict[str, object], option: str) -> "Connection":
    from pydantic import ValidationError

    from worker.contract.connection import Connection

    try:
        return Connection.model_validate({**members, "name": name})
    except ValidationError as error:
        raise InputError(f"{option}: {error.errors(include_url=False)[0]['msg']}.") from None
