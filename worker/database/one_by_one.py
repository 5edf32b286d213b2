"""Work that PostgreSQL refused for several enrollments is repeated for each, so that one does not block the rest."""

from collections.abc import Callable, Iterable, Iterator

from sqlalchemy.exc import DBAPIError

from worker.database.failures import may_be_caused_by_one

RETRY_SECONDS = 600.0
"""Pause between retries of failed enrollments, one of which may take as long as thousands of others."""


def one_by_one(
    ids: Iterable[int], work: Callable[[int], object], postpone: Callable[[int], object], go_on: Callable[[], bool]
) -> Iterator[int]:
    """Do the work for each id; postpone and yield those that failed.

    Checks `go_on` only after a failure, so that every run makes progress. `work` is idempotent and owns its
    transactions. Raises PostgreSQL's errors that cannot be caused by one id alone.
    """
    for each in ids:
        try:
            work(each)
        except DBAPIError as error:
            if not may_be_caused_by_one(error):
                raise
            postpone(each)
            yield each
            if not go_on():
                return
