"""`progress-worker dead-letters`: list, show, export, redrive or delete dead letters."""

import sys
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import click

from worker.cli.dead_letters_export import export
from worker.cli.group import Group
from worker.cli.option_values import to_reason
from worker.contract.id_ranges import MAX_ID
from worker.errors import InputError

if TYPE_CHECKING:
    from worker.contract.entry import Entry
    from worker.progress.stored_dead_letters import StoredDeadLetter

SHOWN_BYTES = 4_096
LISTED_CHARACTERS = 100


@click.group("dead-letters", cls=Group)
def command() -> None:
    """List, show, export, redrive or delete dead letters.

    These are events that could not be applied. Those with the reason unknown_enrollment are parked: they are applied
    automatically when their enrollment arrives.
    """


@command.command("list")
@click.option("--reason", callback=to_reason, help="Only those with this reason.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Maximum number of rows to show."
)
@click.option("--after", type=click.IntRange(min=0), default=0, help="Only ids above this one, for the next page.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; see `show` for bodies.")
def list_dead_letters(reason: str | None, limit: int, after: int, as_json: bool) -> None:
    """List dead letters, oldest first."""
    from worker.cli.output import new_table, show, show_json
    from worker.cli.servers import open_database, server_settings
    from worker.printable import printable
    from worker.progress import stored_dead_letters

    with open_database(server_settings("DATABASE_URL")) as engine, engine.connect() as connection:
        dead_letters = stored_dead_letters.list_dead_letters(connection, reason, after, limit + 1)
    more, dead_letters = len(dead_letters) > limit, dead_letters[:limit]
    if as_json:
        show_json([_mapping(dead_letter) for dead_letter in dead_letters])
        return
    if not dead_letters:
        show("No dead letters." if reason is None and not after else "No such dead letters.")
        return
    columns = ("id", "since", "reason", "stream", "entry", "bytes", "detail")
    spare = ("bytes", "entry", "since", "stream")
    table = new_table(None, *columns, numbers=["id", "bytes"], prose=["detail"], spare=spare)
    for dead_letter in dead_letters:
        detail = printable(f"{dead_letter.detail}{_others(dead_letter.entry)}")
        table.add_row(
            str(dead_letter.id),
            f"{dead_letter.created_at:%Y-%m-%d %H:%M:%S}",
            dead_letter.reason,
            printable(dead_letter.entry.stream),
            printable(dead_letter.entry.id),
            "-" if dead_letter.entry.body is None else f"{len(dead_letter.entry.body):,}",
            shorten(detail, LISTED_CHARACTERS, placeholder=" …"),
        )
    show(table)
    if more:
        show(f"There are more: --after {dead_letters[-1].id}")


@command.command("show")
@click.argument("dead_letter_id", metavar="ID", type=int)
@click.option("--json", "as_json", is_flag=True, help="Print JSON; bytes as text if they are UTF-8, else as base64.")
@click.option("--raw", is_flag=True, help="Write only the body's bytes, unchanged.")
def show_dead_letter(dead_letter_id: int, as_json: bool, raw: bool) -> None:
    """Show one dead letter.

    With its body and the entry's other fields, escaped for the terminal.
    """
    from worker.cli.output import new_facts, show, show_json
    from worker.cli.servers import open_database, server_settings
    from worker.printable import printable
    from worker.progress import stored_dead_letters
    from worker.progress.exported_dead_letters import as_text

    with open_database(server_settings("DATABASE_URL")) as engine, engine.connect() as connection:
        dead_letter = stored_dead_letters.get_dead_letter(connection, dead_letter_id) if _fits(dead_letter_id) else None
    if dead_letter is None:
        raise InputError(
            f"There is no dead letter {dead_letter_id}. It may have been applied; see `dead-letters list`."
        )
    if raw:
        sys.stdout.buffer.write(dead_letter.entry.body or b"")
        sys.stdout.flush()
        return
    if as_json:
        show_json(
            {
                **_mapping(dead_letter),
                **as_text("body", dead_letter.entry.body),
                "fields": [
                    as_text("name", name) | as_text("value", value) for name, value in dead_letter.entry.other_fields
                ],
            }
        )
        return
    table = new_facts(f"Dead letter {dead_letter.id}")
    for name, value in _mapping(dead_letter).items():
        table.add_row(name, "-" if value is None else printable(str(value)))
    show(table)
    for line in readable_body(dead_letter.entry.body):
        click.echo(line)
    for field, content in dead_letter.entry.other_fields:
        for line in [f"Field {readable_name(field)}:", *readable_body(content)]:
            click.echo(line)


command.add_command(export)


@command.command("redrive")
@click.argument("dead_letter_ids", metavar="[ID]...", type=int, nargs=-1)
@click.option("--reason", callback=to_reason, help="All with this reason.")
@click.option("--all", "everything", is_flag=True, help="All dead letters.")
@click.option("--file", help="Those in this corrected file of `export`; - is standard input.")
def redrive_dead_letters(
    dead_letter_ids: tuple[int, ...], reason: str | None, everything: bool, file: str | None
) -> None:
    """Apply dead letters again.

    Those applied leave the list, the others stay. With --file, each first gets the content that the file has for it,
    and the exit status is 1 if any is still refused.
    Safe to repeat: dead letters that no longer exist are counted and left alone.
    """
    from worker.cli.dead_letters_export import corrected
    from worker.cli.output import show
    from worker.cli.servers import open_database, settings_to_change
    from worker.contract.entry import Reason
    from worker.progress.dead_letters_in_bulk import redrive_all, redrive_corrected

    options = {"--reason": reason is not None, "--all": everything, "--file": file is not None}
    _require_one_choice(dead_letter_ids, options)
    with open_database(settings_to_change("DATABASE_URL")) as engine:
        if file is None:
            done = redrive_all(engine, sorted(set(dead_letter_ids)), reason)
        else:
            done = redrive_corrected(engine, corrected(file))
    if done.gone:
        show(f"no longer there: {done.gone:,}")
    show(f"applied: {done.applied:,}", f"already recorded: {done.repeated:,}")
    if done.superseded:
        show(f"older than what is known: {done.superseded:,}")
    show(f"still refused: {sum(done.refused.values()):,}")
    for each, number in sorted(done.refused.items()):
        more = ", …" if number > len(done.refused_ids[each]) else ""
        show(f"  {each}: {number:,} (ids {', '.join(map(str, done.refused_ids[each]))}{more})")
    if Reason.NOT_TRANSLATED in done.refused:
        show("Records that could not be translated are published again instead: see `dead-letters export --records`.")
    if done.parked:
        show(f"applied as their enrollment arrived: {done.parked:,}")
    if file is not None and done.refused:
        sys.exit(1)


@command.command("delete")
@click.argument("dead_letter_ids", metavar="[ID]...", type=int, nargs=-1)
@click.option("--reason", callback=to_reason, help="All with this reason.")
@click.option("--all", "everything", is_flag=True, help="All dead letters.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def delete_dead_letters(dead_letter_ids: tuple[int, ...], reason: str | None, everything: bool, yes: bool) -> None:
    """Delete dead letters for good: their events will never be applied.

    Deletes in bounded transactions, which an interruption does not undo. Dead letters that arrive meanwhile stay.
    """
    from worker.cli.output import show
    from worker.cli.servers import open_database, settings_to_change
    from worker.progress.dead_letters_in_bulk import count_all, discard_all

    _require_one_choice(dead_letter_ids, {"--reason": reason is not None, "--all": everything})
    ids, deleted = sorted(set(dead_letter_ids)), 0
    with open_database(settings_to_change("DATABASE_URL")) as engine:
        number, last = count_all(engine, ids, reason)
        if not yes:
            click.confirm(f"Delete {number:,} dead letters for good?", abort=True)
        for deleted in discard_all(engine, ids, reason, last):
            if sys.stderr.isatty():
                click.echo(f"\r{deleted:,} of {number:,}", err=True, nl=deleted >= number)
    show(f"deleted: {deleted:,}")


def readable_name(name: bytes) -> str:
    """Return a field's name escaped for the terminal."""
    from worker.printable import printable

    return printable(name.decode(errors="backslashreplace"))


def readable_body(body: bytes | None) -> list[str]:
    """Return the bytes as lines for the terminal: escaped text, or hex if not UTF-8; cut when long."""
    from worker.printable import printable

    if body is None:
        return ["The entry has no field named event, or more than one."]
    head = body[:SHOWN_BYTES]
    cut = [] if len(body) <= SHOWN_BYTES else [f"… {len(body) - SHOWN_BYTES:,} more bytes; --raw writes them all."]
    try:
        # The cut may split a character of several bytes.
        text = body.decode() if not cut else head.decode(errors="ignore")
        if cut:
            body.decode()
    except UnicodeDecodeError:
        lines = [head[start : start + 16] for start in range(0, len(head), 16)]
        return [
            "The body is not UTF-8 text:",
            *(f"{16 * number:06x}  {line.hex(' '):<47}  {_ascii(line)}" for number, line in enumerate(lines)),
            *cut,
        ]
    return [*(printable(line) for line in text.split("\n")), *cut]


def _require_one_choice(dead_letter_ids: tuple[int, ...], options: dict[str, bool]) -> None:
    """Raise click.UsageError unless ids or exactly one option are given, InputError for an impossible id."""
    given = [name for name, is_given in {"IDs": bool(dead_letter_ids), **options}.items() if is_given]
    if len(given) > 1:
        raise click.UsageError(f"Give only one of {' and '.join(given)}.")
    if not given:
        raise click.UsageError(f"Give one or more IDs, or one of {', '.join(options)}.")
    if wrong := [str(each) for each in dead_letter_ids if not _fits(each)]:
        raise InputError(f"There is no dead letter {', '.join(wrong)}.")


def _ascii(line: bytes) -> str:
    return "".join(chr(each) if 32 <= each < 127 else "." for each in line)


def _others(entry: "Entry") -> str:
    """Return a note on fields in addition to the event; without an event, the detail names them."""
    names = ", ".join(readable_name(name) for name, _ in entry.other_fields)
    return f" (other fields: {names})" if names and entry.body is not None else ""


def _mapping(dead_letter: "StoredDeadLetter") -> dict[str, Any]:
    body = dead_letter.entry.body
    return {
        "id": dead_letter.id,
        "reason": dead_letter.reason,
        "detail": dead_letter.detail,
        "stream": dead_letter.entry.stream,
        "entry_id": dead_letter.entry.id,
        "user_course_id": dead_letter.user_course_id,
        "created_at": dead_letter.created_at,
        "bytes": None if body is None else len(body),
        "fields": [readable_name(name) for name, _ in dead_letter.entry.other_fields],
    }


def _fits(dead_letter_id: int) -> bool:
    return 1 <= dead_letter_id <= MAX_ID
