"""The time zones of an enrollment, and local days and hours in them."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from itertools import pairwise

from worker.contract.event import EnrollmentCreated
from worker.contract.time_zones import local_zone


@dataclass(frozen=True, slots=True)
class Zones:
    """The first time zone of an enrollment, and each later one with the time from which it applies."""

    first: tzinfo = UTC
    moves: tuple[tuple[datetime, tzinfo], ...] = ()
    """In order; of several from the same time, the last applies."""

    @classmethod
    def of(cls, names: Iterable[tuple[datetime, str | None]]) -> "Zones":
        """Return zones from times and zone names in order; the first also applies to the time before."""
        zones = [(since, local_zone(name)) for since, name in names]
        return cls(zones[0][1], tuple(zones[1:])) if zones else cls()

    def at(self, moment: datetime) -> tzinfo:
        """Return the zone that applies at an aware moment."""
        number = bisect_right(self.moves, moment, key=lambda move: move[0])
        return self.moves[number - 1][1] if number else self.first

    def local(self, moment: datetime) -> datetime:
        """Return the moment in local time."""
        return moment.astimezone(self.at(moment))

    def parts(self, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Return the stretch, cut where the zone changes."""
        return pairwise([start, *(since for since, _ in self.moves if start < since < end), end])


def enrollment_zones(events: Iterable[EnrollmentCreated]) -> Zones:
    """Return the zones in one enrollment's ordered events; each applies from its event's time on."""
    return Zones.of((event.time, event.data.timezone) for event in events)


def local_day(moment: datetime, zones: Zones) -> date:
    """Return the learner's local date at an aware moment."""
    return zones.local(moment).date()
