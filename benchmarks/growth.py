"""Does this worker get slower as tables and backlogs grow?

    make bench ARGS=--growth                      about half an hour
    make bench ARGS='--growth --scale 0.01'       a trial, two minutes: every size is a hundredth
    make bench ARGS='--growth --backlog 500000'   a shorter backlog than 5 million events

Two pool processes, timed as the comparison is (`benchmarks/contenders/contender.py`); the cases take turns, medians of
the rounds count, and the rows of the timed events are compared with the rules in plain Python.

* **ledger**: with 0, 1 million and 5 million rows in `lesson_event`. Half of them belong to the learners of the timed
  events, half to strangers; they are older, and of lessons that the timed events do not have.
* **enrollments**: the timed events are spread over 1,000, 100,000 and 1 million of them.
* **hot**: every event is of one enrollment.
* **again**: every event has been recorded before.
* **summaries**: those of the 100,000 enrollments, refreshed by one process.
* **backlog**: memory and speed while 5 million events are drained (`benchmarks/backlog.py`).

The large databases are filled once by SQL and copied file by file, so that each round begins the same. Needs 8 GB of
disk. Redis needs about 250 bytes for a waiting event, 1.3 GB for the backlog: see `free -m`. The result says the scale;
a trial's ratio is not written among the ratios.
"""

import random
import time
from dataclasses import dataclass

from rich.console import Console

from benchmarks import report
from benchmarks.backlog import measure_backlog
from benchmarks.contenders.contender import Measured
from benchmarks.contenders.this_worker import ThisWorker
from benchmarks.events import LAST_LESSON, Log, make_log, make_log_of, stored
from benchmarks.place import Ground, Place, ground
from tests.support.rollups import STALE
from tests.support.tables import rows
from worker.database.engine import open_engine
from worker.summary.refresh import refresh_summaries

EVENTS = 100_000
LEDGER = (0, 1_000_000, 5_000_000)
STRANGERS = 25_000
ENROLLMENTS = (1_000, 100_000, 1_000_000)
SUMMARIES_OF = 100_000
HOT_EVENTS = 20_000
BACKLOG = 5_000_000
LEAST = 100
"""Of a trial."""

FIRST = 1_000_000
"""Id of the first enrollment that SQL makes; those of a log are far below."""

_ENROL = """
    INSERT INTO user_course (id, user_id, course_id, stale_since)
    SELECT id, id, 1, NULL FROM generate_series(CAST(:first AS bigint), :first + :enrollments - 1) AS id
"""
_RECORD = """
    INSERT INTO lesson_event (user_course_id, event_id, occurred_at, type, topic_id, lesson_id, section_id)
    SELECT CASE n % 2 WHEN 0 THEN ids[1 + n / 2 % cardinality(ids)] ELSE :first + n / 2 % :enrollments END,
           gen_random_uuid(), timestamptz '2012-01-01' + n * interval '1 second',
           CASE WHEN random() < 0.3 THEN 'completed' ELSE 'viewed' END::lesson_event_type,
           1, :last_lesson + 1 + floor(30 * random())::int, 1
    FROM generate_series(0, :rows - 1) AS n, (SELECT array_agg(id) FROM user_course WHERE id < :first) AS known (ids)
"""
_PROGRESS = """
    INSERT INTO user_course_progress (user_course_id, topic_id, lesson_id, status, last_viewed_at, completed_at)
    SELECT user_course_id, topic_id, lesson_id,
           CASE WHEN bool_or(type = 'completed') THEN 'completed' ELSE 'in_progress' END::progress_status,
           max(occurred_at), min(occurred_at) FILTER (WHERE type = 'completed')
    FROM lesson_event GROUP BY user_course_id, topic_id, lesson_id
"""


@dataclass(frozen=True)
class Case:
    """Events to be timed on a copy of a template, None for the plain one; twice: when they have been recorded."""

    title: str
    log: Log
    template: str | None = None
    twice: bool = False

    def measure(self, place: Place) -> Measured:
        """One run; raises AssertionError when the rows are not those of the rules."""
        worker = ThisWorker(2)
        with worker.running(place, self.log.warm_up):
            measured = worker.drain(place, self.log.timed)
            if self.twice:
                measured = worker.drain(place, self.log.timed)
        assert stored(place.engine) == self.log.expected, f"{self.title}: the rows differ"
        return measured


def make_cases(where: Ground, log: Log, scale: float) -> dict[str, Case]:
    """By key; fills the templates."""
    cases = {}
    for size in LEDGER:
        scaled = int(size * scale)
        numbers = {"first": FIRST, "enrollments": max(1, int(STRANGERS * scale)), "last_lesson": LAST_LESSON}
        template = where.fill(_ENROL, _RECORD, _PROGRESS, rows=scaled, **numbers) if scaled else None
        cases[f"ledger_{size}"] = Case(f"{scaled:,} rows in the ledger", log, template)
    for size in ENROLLMENTS:
        scaled = int(size * scale)
        template = where.fill(_ENROL, first=FIRST, enrollments=scaled)
        keys = [FIRST + number * scaled // len(log.timed) for number in range(len(log.timed))]
        random.Random(1).shuffle(keys)
        cases[f"enrollments_{size}"] = Case(f"{scaled:,} enrollments", make_log_of(keys, log), template)
    hot = make_log_of([FIRST] * int(HOT_EVENTS * scale), log)
    cases["hot"] = Case("one enrollment alone", hot, cases[f"enrollments_{ENROLLMENTS[0]}"].template)
    cases["again"] = Case("recorded before", log, twice=True)
    return cases


def refresh_rate(place: Place) -> float:
    """Summaries a second, until none is stale."""
    engine = open_engine(place.settings)
    started, count = time.monotonic(), 0
    while rows(engine, STALE) != [(0,)]:
        count += refresh_summaries(engine, place.settings.summary_chunk).summaries
    seconds = time.monotonic() - started
    engine.dispose()
    return count / seconds


def run(console: Console, rounds: int, scale: float, backlog_events: int | None, command: str) -> None:
    """Measure, print and write everything."""
    log = make_log(max(LEAST, int(EVENTS * scale)))
    summaries: list[float] = []
    with ground(log.enrollments) as where:
        console.print("filling the tables")
        cases = make_cases(where, log, scale)
        results = {key: report.Result(case.title, len(case.log.timed)) for key, case in cases.items()}
        for number in range(1, rounds + 1):
            for key, case in cases.items():
                with where.place(case.template) as place:
                    results[key].runs.append(case.measure(place))
                    _say(console, number, case.title, f"{results[key].rates[-1]:8,.0f} events/s  rows equal")
                    if key == f"enrollments_{SUMMARIES_OF}":
                        summaries.append(refresh_rate(place))
                        _say(console, number, "their summaries refreshed", f"{summaries[-1]:8,.0f} summaries/s")
        events = backlog_events or int(BACKLOG * scale)
        with where.place(cases["hot"].template) as place:
            backlog = measure_backlog(place, range(FIRST, FIRST + int(ENROLLMENTS[0] * scale)), events)
        console.print(f"backlog  {events:<35,} {backlog.rate:8,.0f} events/s  rows counted")
    report.show_growth(console, results, summaries, scale)
    report.show_backlog(console, backlog)
    report.write_growth(results, summaries, backlog, scale, command)


def _say(console: Console, number: int, what: str, figures: str) -> None:
    console.print(f"round {number}  {what:35} {figures}")
