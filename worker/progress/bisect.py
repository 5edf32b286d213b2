"""Find the items of a batch that PostgreSQL refuses, or that wait for a lock, so that their neighbors are applied."""

import time
from collections.abc import Callable, Sequence
from typing import Protocol, Self, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from worker.database.failures import Failure, classify, is_lock_timeout
from worker.database.table_locks import is_table_locked


class Sum(Protocol):
    """What became of some items; of two lots of them, the sum."""

    def __add__(self, other: Self, /) -> Self:
        """Of these and those."""


Item = TypeVar("Item")
Result = TypeVar("Result", bound=Sum)


HELD_SECONDS = 0.5
"""How long a batch is split to find what is locked in it. Each try may wait `lock_timeout`; others' events wait too."""


def bisect(
    engine: Engine,
    items: Sequence[Item],
    work: Callable[[Sequence[Item]], Result],
    refuse: Callable[[Item, DBAPIError], Result],
    defer: Callable[[Sequence[Item]], Result],
    *,
    until: float | None = None,
) -> Result:
    """Do `work` on the items, in one transaction of its own; on a data error do it on each half, and so on.

    `refuse` gets an item that fails alone, with PostgreSQL's error. Where the work waited too long for a row's lock,
    `defer` gets the item alone, or all that were not told apart within HELD_SECONDS. Errors that are neither the data's
    nor a row's lock are raised: the halves done so far stay committed, the rest is not.
    """
    refused: DBAPIError | None = None
    try:
        return work(items)
    except DBAPIError as error:
        if is_lock_timeout(error):
            if until is None and is_any_table_locked(engine):
                raise
            until = until or time.monotonic() + HELD_SECONDS
        elif classify(error) is not Failure.DATA:
            raise
        else:
            refused = error
    if refused is not None and len(items) == 1:
        return refuse(items[0], refused)
    if refused is None and (len(items) == 1 or time.monotonic() >= (until or 0)):
        return defer(items)
    middle = len(items) // 2
    first, second = (
        bisect(engine, half, work, refuse, defer, until=until) for half in (items[:middle], items[middle:])
    )
    return first + second


def is_any_table_locked(engine: Engine) -> bool:
    """Another session has locked one of our tables as a whole: then no row can be told from another."""
    with engine.connect() as connection:
        return is_table_locked(connection)
