"""Tell an entry that PostgreSQL refuses from a PostgreSQL that refuses everything.

While an LMS's trigger raises for maintenance, every good event is refused with one message. So a refusal counts against
an entry only once something else of its kind was accepted; until then it is undecided.
"""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from sqlalchemy.exc import DBAPIError

from worker.database.failures import is_raised_by_a_trigger
from worker.errors import first_line

ENOUGH = 8
"""So many refused with one message and none accepted: no others need be tried."""

Item = TypeVar("Item")


class EverythingRefusedError(Exception):
    """ENOUGH were refused with one message, and none was accepted."""


@dataclass
class Refusals(Generic[Item]):
    """What PostgreSQL refused of one batch."""

    final: bool = False
    """Others were accepted meanwhile: each refusal counts against its item."""
    may_wait: bool = False
    """Also an item alone that breaks a rule of the data may be undecided: it is tried again."""
    found: list[tuple[Item, DBAPIError]] = field(default_factory=list)
    accepted: bool = False
    early: int = 0
    """So many of those found were refused before anything was accepted."""
    _triggered: bool = False

    def accept(self) -> None:
        """Something of the kind was written."""
        if not self.accepted:
            self.accepted, self.early = True, 0 if self.final else len(self.found)

    def add(self, item: Item, error: DBAPIError) -> None:
        """One more. Raises EverythingRefusedError."""
        self.found.append((item, error))
        self._triggered = self._triggered or is_raised_by_a_trigger(error)
        if len(self.found) >= ENOUGH and self.undecided:
            raise EverythingRefusedError(self.message)

    @property
    def message(self) -> str:
        """PostgreSQL's first."""
        return first_line(self.found[0][1])

    @property
    def undecided(self) -> bool:
        """It may be PostgreSQL, not the items."""
        if self.accepted or self.final or len({first_line(error) for _, error in self.found}) != 1:
            return False
        return self.may_wait or self._triggered or len(self.found) > 1
