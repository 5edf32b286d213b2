"""An enrollment's activity: time spent, visits, sessions and active days.

The definitions in their simplest form; production computes the same in SQL (`activity_statement.py`). Activity is the
viewed and completed events, without corrections. All functions take the distinct events of one enrollment: `ordered`
by `in_order`, and `covered`, one of their `intervals` for each.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from itertools import pairwise, zip_longest

from worker.analytics.rules.local_day import Zones, local_day
from worker.contract.event import LessonEvent
from worker.contract.lesson import Lesson
from worker.progress.reference import order

HOURS_OF_A_WEEK = 168

DOUBTFUL = timedelta(minutes=5)
"""An event this long before its enrollment is doubtful: some clock was wrong."""

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Interval:
    """The time one event covers; empty if start and end are equal."""

    start: datetime
    end: datetime
    is_measured: bool
    """The event had a duration; otherwise the interval ends with the next event."""


@dataclass(frozen=True, slots=True)
class TimeSpent:
    """Seconds, to the microsecond: in all intervals, and in the measured ones only."""

    seconds: float
    measured_seconds: float

    @property
    def measured_ratio(self) -> float | None:
        """The measured ratio, 0...1; None if no time was spent."""
        return self.measured_seconds / self.seconds if self.seconds else None


@dataclass(frozen=True, slots=True)
class Visits:
    """The visits to one lesson, and when the first and the last began."""

    visits: int
    first_visit_at: datetime
    last_visit_at: datetime
    visits_to_complete: int | None
    """Visits begun at or before the row's `completed_at`; None if it has none."""


@dataclass(frozen=True, slots=True)
class Day:
    """The time spent and the number of events on a local day."""

    spent: TimeSpent
    events: int


@dataclass(frozen=True, slots=True)
class Activity:
    """The activity of an enrollment.

    Each time spent is the length of a union: those of lessons need not add up to that of their topic or enrollment,
    those of days do.
    """

    lessons: dict[Lesson, tuple[TimeSpent, Visits]]
    topics: dict[int, TimeSpent]
    days: dict[date, Day]
    spent: TimeSpent
    sessions: int
    session_seconds: float
    first_at: datetime | None
    last_at: datetime | None
    events_by_hour: list[int]
    doubtful_events: int = 0
    """Events dated before the enrollment was made."""


def activity(
    events: Iterable[LessonEvent],
    completed_at: Mapping[Lesson, datetime | None],
    zones: Zones,
    idle_cutoff: timedelta,
    made_at: datetime | None = None,
) -> Activity:
    """Return the activity of an enrollment from its distinct events and each lesson row's `completed_at`.

    `made_at` is the time of the enrollment's earliest event; None if the LMS wrote the row.
    """
    ordered = in_order(events)
    covered = intervals(ordered, idle_cutoff)
    lessons: dict[Lesson, list[int]] = defaultdict(list)
    topics: dict[int, list[Interval]] = defaultdict(list)
    for index, event in enumerate(ordered):
        lessons[event.data.topic_id, event.data.lesson_id].append(index)
        topics[event.data.topic_id].append(covered[index])
    number, seconds = sessions(ordered, covered, idle_cutoff)
    return Activity(
        lessons={
            lesson: (
                time_spent(covered[index] for index in its),
                visits([ordered[index].time for index in its], completed_at.get(lesson), idle_cutoff),
            )
            for lesson, its in lessons.items()
        },
        topics={topic_id: time_spent(its) for topic_id, its in topics.items()},
        days=days(ordered, covered, zones),
        spent=time_spent(covered),
        sessions=number,
        session_seconds=seconds,
        first_at=ordered[0].time if ordered else None,
        last_at=ordered[-1].time if ordered else None,
        events_by_hour=events_by_hour(ordered, zones),
        doubtful_events=sum(made_at is not None and event.time < made_at - DOUBTFUL for event in ordered),
    )


def in_order(events: Iterable[LessonEvent]) -> list[LessonEvent]:
    """Return the events in ledger order, the latest last."""
    return sorted(events, key=order)


def intervals(ordered: Sequence[LessonEvent], idle_cutoff: timedelta) -> list[Interval]:
    """Return the interval of each event.

    An event with a duration covers that duration, ending at its time. Any other covers the time until the enrollment's
    next event, of any lesson, if that is at most the cut-off away, otherwise nothing.
    """
    covered = []
    for event, following in zip_longest(ordered, ordered[1:]):
        start = end = event.time
        duration = event.data.duration_seconds
        if duration is not None:
            start = end - timedelta(seconds=duration)
        elif following is not None and following.time - start <= idle_cutoff:
            end = following.time
        covered.append(Interval(start, end, is_measured=duration is not None))
    return covered


def union(covered: Iterable[Interval]) -> list[tuple[datetime, datetime]]:
    """Return the time covered by any of them, as disjoint stretches in order."""
    stretches: list[tuple[datetime, datetime]] = []
    for start, end in sorted((each.start, each.end) for each in covered if each.start < each.end):
        if stretches and start <= stretches[-1][1]:
            stretches[-1] = stretches[-1][0], max(stretches[-1][1], end)
        else:
            stretches.append((start, end))
    return stretches


def time_spent(covered: Iterable[Interval]) -> TimeSpent:
    """Return the length of their union, and of the union of the measured ones; no moment counts twice."""
    covered = list(covered)
    return TimeSpent(_length(union(covered)), _length(union(each for each in covered if each.is_measured)))


def visits(times: Sequence[datetime], completed_at: datetime | None, idle_cutoff: timedelta) -> Visits:
    """Return the visits made by a lesson's events at these ordered times.

    An event begins a visit if it comes the cut-off or more after the previous one.
    """
    begun = [times[0]] + [later for earlier, later in pairwise(times) if later - earlier >= idle_cutoff]
    to_complete = None if completed_at is None else sum(at <= completed_at for at in begun)
    return Visits(len(begun), begun[0], begun[-1], to_complete)


def sessions(ordered: Sequence[LessonEvent], covered: Sequence[Interval], idle_cutoff: timedelta) -> tuple[int, float]:
    """Return the number of sessions and their seconds in total.

    A session is a maximal run of the enrollment's events with gaps below the cut-off. It lasts from the earliest start
    to the latest end of their intervals. A long duration can reach into another session, so the sessions can be longer
    than the time spent.
    """
    runs: list[list[Interval]] = []
    previous: datetime | None = None
    for event, interval in zip(ordered, covered, strict=True):
        if previous is None or event.time - previous >= idle_cutoff:
            runs.append([])
        runs[-1].append(interval)
        previous = event.time
    return len(runs), _length((min(each.start for each in run), max(each.end for each in run)) for run in runs)


def days(ordered: Iterable[LessonEvent], covered: Iterable[Interval], zones: Zones) -> dict[date, Day]:
    """Return the local days that have an event or time spent.

    With daylight saving a day may have 23 or 25 hours; a learner who changes zones may have a day twice or miss one.
    """
    covered = list(covered)
    number = Counter(local_day(event.time, zones) for event in ordered)
    all_, measured = (_by_day(union(its), zones) for its in (covered, [each for each in covered if each.is_measured]))
    return {
        day: Day(TimeSpent(all_[day].total_seconds(), measured[day].total_seconds()), number[day])
        for day in number.keys() | all_.keys()
    }


def events_by_hour(events: Iterable[LessonEvent], zones: Zones) -> list[int]:
    """Return the events in each of the 168 hours of the local week, from Monday 0:00."""
    local = (zones.local(event.time) for event in events)
    count = Counter(24 * (at.isoweekday() - 1) + at.hour for at in local)
    return [count[hour] for hour in range(HOURS_OF_A_WEEK)]


def by_weekday(events_by_hour: Sequence[int]) -> list[list[int]]:
    """Return the 24 hours of each weekday."""
    return [list(events_by_hour[start : start + 24]) for start in range(0, HOURS_OF_A_WEEK, 24)]


def _by_day(stretches: Iterable[tuple[datetime, datetime]], zones: Zones) -> defaultdict[date, timedelta]:
    found: defaultdict[date, timedelta] = defaultdict(timedelta)
    for stretch in stretches:
        for part in zones.parts(*stretch):
            for start, end in pairwise(_cuts(*part, zones.at(part[0]))):
                found[local_day(start, zones)] += end - start
    return found


def _cuts(start: datetime, end: datetime, zone: tzinfo) -> list[datetime]:
    """Return the cuts after which each piece has one local date: none, or one at every minute.

    Since 1980 every zone has changed its date on a whole minute.
    """
    first, last = (moment.astimezone(zone).replace(tzinfo=None) for moment in (start, end))
    if first.date() == last.date() and last - first == end - start:
        return [start, end]
    minute = start.replace(second=0, microsecond=0)
    minutes = range(1, (end - minute) // _MINUTE + 1)
    return [start, *(minute + number * _MINUTE for number in minutes), end]


def _length(stretches: Iterable[tuple[datetime, datetime]]) -> float:
    return sum((end - start for start, end in stretches), timedelta()).total_seconds()
