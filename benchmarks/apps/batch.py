"""A batch in one transaction by the statements of this worker, for the contenders that bring batches of their own."""

import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine

from worker.contract.batch import Batch
from worker.contract.entry import Entry
from worker.contract.event import EVENT, LedgerEvent
from worker.database.engine import open_engine
from worker.progress.ingest import apply
from worker.settings import get_settings


def connect() -> Engine:
    """To DATABASE_URL; on first use."""
    return open_engine(get_settings())


def record_events(engine: Engine, events: Sequence[Any]) -> None:
    """Validate the events, CloudEvents as parsed JSON, and record them; what others hold as soon as it is free."""
    left = [(Entry("", f"{number}-0", None), EVENT.validate_python(each)) for number, each in enumerate(events)]
    while left:
        batch = Batch()
        for entry, event in left:
            assert isinstance(event, LedgerEvent)
            batch.user_course_ids.add(event.data.user_course_id)
            batch.ledger_events.append((entry, event))
        with engine.begin() as connection:
            outcome = apply(connection, batch)
        assert not outcome.dead_letters
        held = {entry for entry, _ in outcome.deferred}
        left = [each for each in left if each[0] in held]
        time.sleep(0.001 * bool(left))
