"""The streams moved to another Redis: entry ids come again with other bytes, and each is an event of its own."""

import json

from tests.support.events import enrolled, viewed
from tests.support.own_servers import OwnServers
from tests.support.system import System
from tests.support.tables import rows
from tests.support.wait import wait_until
from worker.contract.entry import FIELD
from worker.contract.event import Event

LETTERS = "SELECT convert_from(body, 'UTF8')::json->>'id' FROM dead_letter ORDER BY id"


def publish(system: System, entry_ids: list[str], events: list[Event]) -> None:
    for entry_id, event in zip(entry_ids, events, strict=True):
        system.redis.xadd(system.settings.stream_key, {FIELD: event.model_dump_json(exclude_none=True)}, id=entry_id)


def test_letters_of_both_stay_and_all_are_applied_when_their_enrollment_comes(
    own_redis_system: System, own_servers: OwnServers
) -> None:
    system = own_redis_system
    entry_ids = [f"1900000000000-{number}" for number in range(1, 301)]
    before: list[Event] = [viewed(1, 1, n, id=f"before-{n}") for n in range(1, 301)]
    after: list[Event] = [viewed(1, 2, n, id=f"after-{n}") for n in range(1, 301)]
    publish(system, entry_ids, before)
    system.start_worker(2)
    system.start_beat()
    wait_until(lambda: system.dead_letters() == {"unknown_enrollment": 300}, 20, "the letters of the first Redis")

    assert own_servers.valkey_is_running()
    system.redis.flushall()  # the other Redis is empty, and counts on its own
    publish(system, entry_ids, after)
    wait_until(lambda: system.dead_letters() == {"unknown_enrollment": 600}, 20, "the letters of both")
    known = {json.loads(event.model_dump_json())["id"] for event in [*before, *after]}
    assert {letter for (letter,) in rows(system.engine, LETTERS)} == known

    came: list[Event] = [enrolled(1)]
    system.publish(came)
    system.assert_exact([*before, *after, *came])
