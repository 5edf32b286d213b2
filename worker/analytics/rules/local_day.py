"""The time zones that an enrollment was in, and what day and hour it was there."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from itertools import pairwise

from worker.contract.event import EnrollmentCreated
from worker.contract.time_zones import local_zone


@dataclass(frozen=True, slots=True)
class Zones:
    """The time zones of an enrollment: the first one, and each later one with the time from which it rules."""

    first: tzinfo = UTC
    moves: tuple[tuple[datetime, tzinfo], ...] = ()
    """In order; of those from one time on the last rules."""

    @classmethod
    def of(cls, told: Iterable[tuple[datetime, str | None]]) -> "Zones":
        """Zones by what was told of them, in order: a time and a name; the first also rules the time before."""
        zones = [(since, local_zone(name)) for since, name in told]
        return cls(zones[0][1], tuple(zones[1:])) if zones else cls()

    def at(self, moment: datetime) -> tzinfo:
        """The one in force at an aware moment."""
        number = bisect_right(self.moves, moment, key=lambda move: move[0])
        return self.moves[number - 1][1] if number else self.first

    def local(self, moment: datetime) -> datetime:
        """The moment by the clock that was in force at it."""
        return moment.astimezone(self.at(moment))

    def parts(self, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The stretch, cut where another zone came into force."""
        return pairwise([start, *(since for since, _ in self.moves if start < since < end), end])


def enrollment_zones(events: Iterable[EnrollmentCreated]) -> Zones:
    """Those that the events of one enrollment, in order, tell: each rules from its own time on."""
    return Zones.of((event.time, event.data.timezone) for event in events)


def local_day(moment: datetime, zones: Zones) -> date:
    """The date of an aware moment where the learner was then."""
    return zones.local(moment).date()
