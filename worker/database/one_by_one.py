"""Work that PostgreSQL refused for some enrollments together is done for each by itself: so one holds up no other."""

from collections.abc import Callable, Iterable, Iterator

from sqlalchemy.exc import DBAPIError

from worker.database.failures import may_be_ones_own

RETRY_SECONDS = 600.0
"""Of those that failed, one is tried again in so long a time: it may take the time of thousands of others."""


def one_by_one(
    ids: Iterable[int], work: Callable[[int], object], set_back: Callable[[int], object], go_on: Callable[[], bool]
) -> Iterator[int]:
    """Do the work for each of these ids; those that failed, each set back by then.

    All of them, or up to a failure after which `go_on` says no: so every run gets further. `work` has transactions of
    its own and can be repeated. Raises PostgreSQL's errors that cannot be one member's doing.
    """
    for each in ids:
        try:
            work(each)
        except DBAPIError as error:
            if not may_be_ones_own(error):
                raise
            set_back(each)
            yield each
            if not go_on():
                return
