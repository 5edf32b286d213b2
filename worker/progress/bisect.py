"""Find the items of a batch that PostgreSQL refuses, or that wait for a lock, so that the others are applied."""

import time
from collections.abc import Callable, Sequence
from typing import Protocol, Self, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from worker.database.failures import Failure, classify, is_lock_timeout
from worker.database.table_locks import is_table_locked


class Sum(Protocol):
    """An outcome of some items; outcomes of two lots add up."""

    def __add__(self, other: Self, /) -> Self:
        """Return the outcome of both."""


Item = TypeVar("Item")
Result = TypeVar("Result", bound=Sum)


HELD_SECONDS = 0.5
"""How long to split a batch in search of locked rows. Each attempt may wait `lock_timeout` while other events wait."""


def bisect(
    engine: Engine,
    items: Sequence[Item],
    work: Callable[[Sequence[Item]], Result],
    refuse: Callable[[Item, DBAPIError], Result],
    defer: Callable[[Sequence[Item]], Result],
    *,
    until: float | None = None,
) -> Result:
    """Do `work` on the items, in one transaction of its own; after a failure that is theirs, on each half, and so on.

    See `split` for failures. Work done before an error that is raised stays committed.
    """
    try:
        return work(items)
    except DBAPIError as error:
        return split(engine, items, error, work, refuse, defer, until=until)


def split(
    engine: Engine,
    items: Sequence[Item],
    error: DBAPIError,
    work: Callable[[Sequence[Item]], Result],
    refuse: Callable[[Item, DBAPIError], Result],
    defer: Callable[[Sequence[Item]], Result],
    *,
    until: float | None = None,
) -> Result:
    """Go on after `work` failed on the items with this error.

    An item that fails alone is passed to `refuse` with PostgreSQL's error. Items that wait too long for a row's lock
    are passed to `defer`, alone or with those not told apart within HELD_SECONDS. Errors that are neither the data's
    nor a row's lock are raised.
    """
    is_locked = is_lock_timeout(error)
    if is_locked:
        if until is None and is_any_table_locked(engine):
            raise error
        until = until or time.monotonic() + HELD_SECONDS
    elif classify(error) is not Failure.DATA:
        raise error
    elif len(items) == 1:
        return refuse(items[0], error)
    if is_locked and (len(items) == 1 or time.monotonic() >= (until or 0)):
        return defer(items)
    middle = len(items) // 2
    first, second = (
        bisect(engine, half, work, refuse, defer, until=until) for half in (items[:middle], items[middle:])
    )
    return first + second


def is_any_table_locked(engine: Engine) -> bool:
    """Return whether another session has locked one of our tables, which makes its rows indistinguishable."""
    with engine.connect() as connection:
        return is_table_locked(connection)
