"""`progress-worker void`."""

from typing import TYPE_CHECKING, Any

import click

from worker.cli.id_type import ID

if TYPE_CHECKING:
    from worker.audit.void import Voided


@click.command("void")
@click.argument("event")
@click.option("--enrollment", type=ID, metavar="ID", help="The event's enrollment.")
@click.option("--source", metavar="SOURCE", help="The event's source, if EVENT is its publisher's id and not a UUID.")
@click.option("--dry-run", is_flag=True, help="Show the changes without making them.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(event: str, enrollment: int | None, source: str | None, dry_run: bool, as_json: bool) -> None:
    """Remove one event from the ledger for good.

    EVENT is the id in the ledger of a view, a completion or a correction. Recomputes its lesson, the position and the
    summary from the remaining events. The event stays out even if it is published again. Safe while workers run and to
    repeat. Without --enrollment the whole ledger is searched.
    """
    from worker.audit.void import event_identity, void_event
    from worker.cli.output import show_json
    from worker.cli.servers import open_database, settings_to_change

    settings = settings_to_change("DATABASE_URL")
    event_id = event_identity(event, source)
    with open_database(settings) as engine:
        found = void_event(engine, event_id, enrollment, settings.statistics_timeout_seconds, dry_run=dry_run)
    if as_json:
        show_json(_mapping(found, changed=not dry_run))
    else:
        _show(found, changed=not dry_run)


def _mapping(found: "Voided", *, changed: bool) -> dict[str, Any]:
    from dataclasses import asdict

    event = found.event
    return {
        "event_id": found.event_id,
        "user_course_id": found.user_course_id,
        "voided": changed and event is not None,
        "voided_at": found.voided_at if changed or event is None else None,
        "type": event and event.type,
        "time": event and event.time,
        "topic_id": event and event.data.topic_id,
        "lesson_id": event and event.data.lesson_id,
        "changes": [asdict(each) for each in found.changes],
    }


def _show(found: "Voided", *, changed: bool) -> None:
    from worker.cli.audit_report import difference_line
    from worker.cli.output import show

    event, whose = found.event, f"Event {found.event_id} of enrollment {found.user_course_id}"
    if event is None:
        show(f"{whose} was already voided at {found.voided_at:%Y-%m-%d %H:%M:%S %Z}; nothing was changed.")
        return
    for each in found.changes:
        show(difference_line(each))
    what = (
        f"{event.type} at {event.time:%Y-%m-%d %H:%M:%S %Z}, topic {event.data.topic_id}, lesson {event.data.lesson_id}"
    )
    show(f"{whose} ({what}) {'is voided' if changed else 'would be voided; nothing was changed'}.")
