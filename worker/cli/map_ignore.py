"""`progress-worker map ignore`: users that do not count, such as staff."""

import re
import sys
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from worker.errors import InputError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from worker.identity.map_ignore import Flagged

MAX_BYTES = 64 * 1024 * 1024
SHOWN = 10
_MAIL = re.compile(r"(?:mailto:)?[^\s@:/|]+@[^\s@:/|]+", re.IGNORECASE)


@click.command("ignore")
@click.argument("kind", metavar="user", type=click.Choice(["user"]))
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--file", metavar="FILE", help="Also the names in FILE, one a line; - is standard input.")
@click.option("--connection", "--source", metavar="NAME", help="Their connection; default: the only one in its file.")
@click.option("--as-is", is_flag=True, help="Take mail addresses as they are, for events that name learners by them.")
@click.option("--undo", is_flag=True, help="Let them count again.")
def ignore(
    kind: str,  # noqa: ARG001 - only users can be ignored
    names: tuple[str, ...],
    file: str | None,
    connection: str | None,
    as_is: bool,
    undo: bool,
) -> None:
    """Let users not count, such as staff and test accounts.

    Names are those of events (see `map show --kind user`), also of users that no event has named yet. A mail address
    stands for the hash by which adapters name its owner. From then on their events are dropped; what is recorded
    stays. Safe to repeat.
    """
    from worker.cli.servers import open_database, settings_to_change
    from worker.identity.map_ignore import flag_users

    settings = settings_to_change("DATABASE_URL")
    given = [_checked(name, f"name {number}") for number, name in enumerate(names, 1)]
    given += _read(file) if file else []
    if not given:
        raise click.UsageError("Give names of users, or --file.")
    source = connection or _only_connection()
    with open_database(settings) as engine:
        users = given if as_is else _without_addresses(engine, source, given)
        flagged = flag_users(engine, source, users, ignored=not undo)
    _show(source, flagged, undo=undo)


def mail_name_of(name: str) -> str | None:
    """Return by which name adapters know the owner of this mail address; None if it is none."""
    from worker.adapters.names import mail_name

    return mail_name(name) if _MAIL.fullmatch(name) else None


def _without_addresses(engine: "Engine", source: str, names: Iterable[str]) -> list[str]:
    """Return the names with addresses replaced, except those by which the map has somebody."""
    from worker.identity.map_ignore import known_users

    hashed = {name: hash_ for name in names if (hash_ := mail_name_of(name))}
    if hashed:
        with engine.connect() as connection:
            for name in known_users(connection, source, list(hashed)):
                del hashed[name]
    for name, hash_ in list(hashed.items())[:SHOWN]:
        click.echo(f"{name} is {hash_}")
    if len(hashed) > SHOWN:
        click.echo(f"… and {len(hashed) - SHOWN:,} more mail addresses; see --as-is.")
    return [hashed.get(name, name) for name in names]


def _read(file: str) -> list[str]:
    name = "standard input" if file == "-" else file
    if file == "-" and sys.stdin is None:
        raise InputError("Standard input is closed: name a file or pipe the names in.")
    try:
        with nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb") as source:
            content = source.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror or error}.") from error
    if len(content) > MAX_BYTES:
        raise InputError(f"{name} is larger than 64 MiB. Split it.")
    try:
        lines = content.decode("utf-8-sig").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{name}, line {line}: not UTF-8 text. Save the file as UTF-8. Nothing was changed.") from None
    return [_checked(each, f"{name}, line {number}") for number, each in enumerate(lines, 1) if each]


def _checked(name: str, place: str) -> str:
    from worker.contract.value_types import MAX_NAME_BYTES, is_name

    if not is_name(name):
        raise InputError(
            f"{place}: a name has 1 to {MAX_NAME_BYTES:,} bytes in UTF-8, none of them NUL. Nothing was changed."
        )
    return name


def _only_connection() -> str:
    from worker.connections import get_connections

    names = list(get_connections())
    if len(names) != 1:
        known = f" Those in PROGRESS_CONNECTIONS are {', '.join(names[:SHOWN])}." if names else ""
        raise click.UsageError(f"Give the --connection of these users.{known}")
    return names[0]


def _show(source: str, flagged: "Flagged", *, undo: bool) -> None:
    from worker.formatting import counted
    from worker.printable import printable

    new = len(flagged.new)
    shown = ", ".join(printable(name) for name in flagged.new[:SHOWN]) + (", …" if new > SHOWN else "")
    if undo:
        click.echo(f"{counted(flagged.known, 'user')} of {printable(source)} will count again.")
        if new:
            click.echo(f"Not in the map, so unchanged: {shown}")
        return
    click.echo(f"{counted(flagged.known + new, 'user')} of {printable(source)} will not count.")
    if new:
        click.echo(f"{new:,} of them no event has named so far; compare with `map show --kind user`: {shown}")
    if flagged.enrolled:
        click.echo(
            f"What is recorded of {flagged.enrolled:,} of them stays. To remove it, find each one's enrollments by "
            "`map show --learner NAME` and delete them from user_course, which deletes everything of theirs."
        )
