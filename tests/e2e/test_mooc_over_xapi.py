"""A MOOC's statements, in batches of 50 by four clients at once to a real API, give the exact rows by name."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from tests.support.api import ServeProcess
from tests.support.mooc import folded, mooc, out_of_order
from tests.support.named import rows_by_name
from tests.support.system import System
from tests.support.tables import rows
from tests.support.xapi import Statement

SIZE, BATCH, CLIENTS = 22_000, 50, 4


def test_no_statement_of_a_mooc_is_lost_or_counted_twice(system: System, tmp_path: Path) -> None:
    made = mooc(SIZE, seed=19)
    deeds = [deed for _, deed in made]
    assert 0.4 < out_of_order(deeds) / SIZE < 0.6
    assert {each.kind for each in deeds} == {"viewed", "completed", "reopened", None}
    batches = [[sent for sent, _ in made[start : start + BATCH]] for start in range(0, SIZE, BATCH)]
    process = ServeProcess(system.environment(), tmp_path / "serve.log")
    system.start_worker(2)

    def send(number: int) -> Counter[int]:
        with httpx.Client(base_url=str(process.url), timeout=60) as client:
            return Counter(post(client, batch) for batch in batches[number::CLIENTS])

    try:
        with ThreadPoolExecutor(CLIENTS) as clients:
            statuses = sum(clients.map(send, range(CLIENTS)), Counter[int]())
    finally:
        process.close()
    assert statuses == {200: len(batches)}
    system.wait_until_drained()
    expected = folded(deeds)
    assert len(expected) > SIZE / 5
    assert rows_by_name(system.engine) == expected
    assert rows(system.engine, "SELECT reason FROM dead_letter") == []
    counted = {sent.get("id") or str(sent) for sent, deed in made if deed.kind is not None}
    assert rows(system.engine, "SELECT count(*) FROM lesson_event") == [(len(counted),)]


def post(client: httpx.Client, batch: list[Statement]) -> int:
    """Send a batch; the status. There are as many ids as statements."""
    answer = client.post("/xapi/statements", json=batch)
    assert len(answer.json()) == len(batch)
    return answer.status_code
