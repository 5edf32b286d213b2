"""Distinguish an entry that PostgreSQL refuses from a PostgreSQL that refuses everything.

While a trigger of the LMS raises for maintenance, every good event is refused with one message. So a refusal counts
against an entry only after another of its kind was accepted; until then it is undecided.
"""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from sqlalchemy.exc import DBAPIError

from worker.database.failures import is_raised_by_a_trigger
from worker.errors import first_line

MAX_UNDECIDED = 8
"""After this many refusals with one message and nothing accepted, no further item is tried."""

Item = TypeVar("Item")


class EverythingRefusedError(Exception):
    """MAX_UNDECIDED items were refused with one message, and none was accepted."""


@dataclass
class Refusals(Generic[Item]):
    """The items of one batch that PostgreSQL refused."""

    final: bool = False
    """Others were accepted meanwhile, so each refusal counts against its item."""
    may_wait: bool = False
    """A single item that violates a rule of the data may be undecided too, as it can be tried again."""
    found: list[tuple[Item, DBAPIError]] = field(default_factory=list)
    accepted: bool = False
    early: int = 0
    """How many of those found were refused before anything was accepted."""
    _triggered: bool = False

    def accept(self) -> None:
        """Note that an item of this kind was accepted."""
        if not self.accepted:
            self.accepted, self.early = True, 0 if self.final else len(self.found)

    def add(self, item: Item, error: DBAPIError) -> None:
        """Note a refused item. Raises EverythingRefusedError."""
        self.found.append((item, error))
        self._triggered = self._triggered or is_raised_by_a_trigger(error)
        if len(self.found) >= MAX_UNDECIDED and self.undecided:
            raise EverythingRefusedError(self.message)

    @property
    def message(self) -> str:
        """The first message of PostgreSQL."""
        return first_line(self.found[0][1])

    @property
    def undecided(self) -> bool:
        """Whether PostgreSQL may be to blame rather than the items."""
        if self.accepted or self.final or len({first_line(error) for _, error in self.found}) != 1:
            return False
        return self.may_wait or self._triggered or len(self.found) > 1
