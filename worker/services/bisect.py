"""Find the one item of a batch that PostgreSQL refuses, so that its neighbours are applied."""

from collections.abc import Callable, Sequence
from typing import Protocol, Self, TypeVar

from sqlalchemy.exc import DBAPIError

from worker.errors import first_line
from worker.storage.database import Failure, classify


class Sum(Protocol):
    """What became of some items; of two lots of them, the sum."""

    def __add__(self, other: Self, /) -> Self:
        """Of these and those."""


Item = TypeVar("Item")
Result = TypeVar("Result", bound=Sum)


def bisect(
    items: Sequence[Item], work: Callable[[Sequence[Item]], Result], refuse: Callable[[Item, str], Result]
) -> Result:
    """Do `work` on the items, in one transaction of its own; on a data error do it on each half, and so on.

    `refuse` gets an item that fails alone, with PostgreSQL's reason. Errors that are not the data's are raised: the
    halves done so far stay committed, the rest is not.
    """
    try:
        return work(items)
    except DBAPIError as error:
        if classify(error) is not Failure.DATA:
            raise
        reason = first_line(error) if len(items) == 1 else None
    if reason is not None:
        return refuse(items[0], reason)
    middle = len(items) // 2
    return bisect(items[:middle], work, refuse) + bisect(items[middle:], work, refuse)
