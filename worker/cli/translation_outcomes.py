"""Show what the records of a file became: their outcomes one by one, or how many had which."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from worker.contract.named_event import NamedCourseOutlined, NamedEnrollmentCreated, NamedEvent
from worker.errors import InputError

if TYPE_CHECKING:
    from worker.adapters.translation import Translation
    from worker.cli.translated_records import TranslatedRecords

PROGRESS_RECORDS = 1_000
_ORDER = ("event", "ignored", "rejected")


def show_counts(records: "TranslatedRecords") -> None:
    """Print a table of the outcomes: events by type, ignored and rejected records by reason."""
    from worker.cli.output import new_table, show
    from worker.formatting import counted
    from worker.printable import printable

    columns = ("outcome", "type or reason", "count", "first record")
    title = printable(f"{counted(records.records, 'record')} of {records.name}")
    table = new_table(title, *columns, numbers=columns[2:], spare=columns[3:])
    found = sorted(records.counts.items(), key=lambda each: (_ORDER.index(each[0][0]), -each[1][0], each[0][1]))
    for (outcome, what), (count, first) in found:
        table.add_row(outcome, printable(what), f"{count:,}", f"{first:,}")
    show(table if found else "No records.")
    if records.unused_columns:
        show(f"Columns not used: {printable(', '.join(records.unused_columns))}.")
    if ("rejected", "no_offset") in records.counts:
        show("no_offset: give the zone of the times with --timezone, such as --timezone Europe/Berlin.")
    if any(outcome == "rejected" for outcome, _ in records.counts):
        show("Rejected records become dead letters; see `progress-worker dead-letters list --reason not_translated`.")


def dry_run(records: "TranslatedRecords", *, as_json: bool) -> None:
    """Translate everything and show the outcomes, a line of JSON for each or how many; close the file.

    Raises InputError.
    """
    from worker.cli.output import show

    try:
        if as_json:
            for translation in records.translations():
                for outcome in outcomes(translation):
                    click.echo(json.dumps({"record": records.records, **outcome}))
        else:
            _read_through(records)
            show_counts(records)
            show("Dry run: nothing was published.")
    except InputError as error:
        if records.records and not as_json:
            show_counts(records)
        raise InputError(f"{error}.") from None
    finally:
        records.close()


def _read_through(records: "TranslatedRecords") -> None:
    from worker.cli.progress_bar import open_progress

    with open_progress("translated", unit="bytes" if records.size else "records", total=records.size) as progress:
        for _ in records.translations():
            if records.records % PROGRESS_RECORDS == 0:
                progress.update(records.position or records.records, f"{records.records:,} records")


def outcomes(translation: "Translation") -> Iterable[dict[str, Any]]:
    """Return the outcomes of one record."""
    if translation.rejected:
        return [{"rejected": translation.rejected.data.reason}]
    if translation.ignored:
        return [{"ignored": translation.ignored}]
    return [{"event": flattened(event)} for event in translation.events]


def flattened(event: NamedEvent) -> dict[str, Any]:
    """Return the event with the members of its data beside its own, and its identity for its id."""
    members: dict[str, Any] = {
        "type": event.type,
        "id": event.event_id,
        "source": event.source,
        "time": f"{event.time:%Y-%m-%dT%H:%M:%S.%fZ}",
    }
    if isinstance(event, NamedCourseOutlined):
        return members | event.data.model_dump()
    if isinstance(event, NamedEnrollmentCreated):
        return members | {"learner": event.data.learner, "course": event.data.course}
    names = ("learner", "course", "topic", "lesson", "duration_seconds", "enrols")
    return members | {name: getattr(event.data, name) for name in names}
