"""What names cost: the same events with numbers and with names, in turns, by two pool processes.

    make bench ARGS=--names                  about five minutes
    make bench ARGS='--names --rounds 1 --events 20000'

* **numbers**: the events of the comparison, with numbers.
* **known**: the same with names of 20 to 80 bytes that the map has.
* **empty map**: the same, and the first event of each learner, course and lesson names it.
* **all new**: every event names a learner and a lesson that no other does; it enrolls the learner.
* **enrolling**: the same with numbers, for comparison with *all new*: each event follows an `enrollment.created`.
* **look-up**: one batch of 4,000 known names, with maps of 1,000 to 10 million names.

Medians of the rounds; the rows, read back by name, are those of the rules in plain Python.
"""

import json
import time
from collections.abc import Callable, Sequence
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks import report
from benchmarks.contenders.this_worker import ThisWorker
from benchmarks.events import Log, Rows, make_lines, make_log
from benchmarks.place import Ground, Place, ground
from tests.support.events import body, enrolled
from tests.support.tables import rows
from worker.identity.look_up import look_up
from worker.identity.names import Names

EVENTS = 200_000
NEW = 40_000
MAPS = (1_000, 100_000, 1_000_000, 10_000_000)
LOOKED_UP = 4_000
SOURCE = "edx"

_BY_NAME = """
    SELECT substr(learner.key, 6)::bigint, split_part(lesson.key, '@', 3), status::text, last_viewed_at, completed_at
    FROM user_course_progress AS progress
    JOIN external_enrollment AS its USING (user_course_id)
    JOIN external_id AS learner ON (learner.kind, learner.id) = ('user', its.user_id)
    JOIN external_id AS lesson ON (lesson.kind, lesson.id) = ('lesson', progress.lesson_id)
    ORDER BY 1, 2
"""
_FILL = """
    INSERT INTO external_id (kind, source, key, id)
    SELECT 'user', 'edx', 'user:' || n, n FROM generate_series(1, CAST(:names AS bigint)) AS n
"""
_FILL_ENROLLMENTS = """
    INSERT INTO external_enrollment (user_id, course_id, user_course_id)
    SELECT n, 1, n FROM generate_series(1, CAST(:names AS bigint)) AS n
"""
_FILL_COURSE = "INSERT INTO external_id (kind, source, key, id) SELECT 'course', 'edx', 'c', 1 WHERE :names > 0"


def named(line: bytes, courses: dict[int, int], *, lesson: str | None = None) -> bytes:
    """The event of a line in named form."""
    event = json.loads(line)
    data = event["data"]
    key = data["user_course_id"]
    course = f"course-v1:Demo+{courses.get(key, 1)}+2025"
    names = {
        "learner": f"user:{key}",
        "course": course,
        "lesson": lesson or f"block-v1:Demo+2025+type@html+block@{data['topic_id']}-{data['lesson_id']}",
    }
    if "duration_seconds" in data:
        names["duration_seconds"] = data["duration_seconds"]
    return json.dumps({**event, "source": SOURCE, "data": names}, separators=(",", ":")).encode()


def by_name(log: Log) -> Rows:
    """The rows of a log, keyed as `_BY_NAME` reads them."""
    progress, _ = log.expected
    return sorted((key, f"{topic}-{lesson}", *rest) for key, topic, lesson, *rest in progress)


def run(console: Console, rounds: int, events: int, maps: Sequence[int], command: str) -> None:
    """Measure, show and write."""
    log = make_log(events)
    enrollments = [json.loads(line)["data"] for line in log.enrollments]
    courses = {data["user_course_id"]: data["course_id"] for data in enrollments if "user_course_id" in data}
    names = [named(line, courses) for line in log.timed]
    warm_up = [named(line, courses) for line in log.warm_up]
    new = min(NEW, events)
    enrolling = [
        each
        for key, line in zip(
            range(1_000_000, 1_000_000 + new), make_lines(range(1_000_000, 1_000_000 + new)), strict=True
        )
        for each in (body(enrolled(key)), line)
    ]
    all_new = [
        named(line, courses, lesson=f"block-v1:Demo+2025+type@html+block@{number}")
        for number, line in enumerate(enrolling[1::2])
    ]
    rates: dict[str, list[float]] = {}

    def measure(where: Ground, name: str, lines: Sequence[bytes], prepare: Callable[[Place, ThisWorker], None]) -> None:
        worker = ThisWorker(2)
        with where.place() as place, worker.running(place, log.warm_up):
            prepare(place, worker)
            seconds = worker.drain(place, lines).seconds
            count = len(lines) // 2 if name == "enrolling" else len(lines)
            rates.setdefault(name, []).append(count / seconds)
            console.print(f"{name:12} {count / seconds:8,.0f} events/s")
            if name in {"known", "empty map"}:
                found = [tuple(row) for row in rows(place.engine, _BY_NAME)]
                assert found == by_name(log), f"{name}: the rows differ"

    def nothing(_place: Place, _worker: ThisWorker) -> None:
        pass

    def name_all(place: Place, worker: ThisWorker) -> None:
        first = {
            json.dumps([(d := json.loads(line)["data"])["learner"], d["lesson"]]): line for line in reversed(names)
        }
        worker.drain(place, [*warm_up, *first.values()])

    with ground(log.enrollments) as where:
        for _ in range(rounds):
            measure(where, "numbers", log.timed, nothing)
            measure(where, "known", names, name_all)
            measure(where, "empty map", [*warm_up, *names], nothing)
            measure(where, "enrolling", enrolling, nothing)
            measure(where, "all new", all_new, nothing)
        costs = {size: _look_up_cost(where, size) for size in maps}
    medians = {name: median(its) for name, its in rates.items()}
    ratios = {
        "known / numbers": medians["known"] / medians["numbers"],
        "empty map / numbers": medians["empty map"] / medians["numbers"],
        "all new / numbers": medians["all new"] / medians["numbers"],
        "all new / enrolling": medians["all new"] / medians["enrolling"],
    }
    table = Table("", "", title="Names", show_header=False)
    for name, value in medians.items():
        table.add_row(name, f"{value:,.0f} events/s")
    for name, value in ratios.items():
        table.add_row(name, f"{value:.2f}")
    for size, seconds in costs.items():
        table.add_row(f"look-up of {LOOKED_UP:,} among {size:,}", f"{seconds * 1e6 / LOOKED_UP:.1f} µs a name")
    console.print(table)
    report.write_names({"rates": medians, "ratios": ratios, "look_up_seconds": costs}, command)


def _look_up_cost(where: Ground, size: int) -> float:
    """Seconds for the statement that looks up a batch of learners in one course, the best of five."""
    template = where.fill(_FILL, _FILL_COURSE, _FILL_ENROLLMENTS, names=size)
    with where.place(template) as place, place.engine.connect() as connection:
        step = max(1, size // LOOKED_UP)
        learners = {(SOURCE, f"user:{1 + n * step % size}", 1, 0): n + 1 for n in range(min(size, LOOKED_UP))}
        names = Names({(SOURCE, "c"): 1}, learners=learners)
        spans = []
        for _ in range(5):
            started = time.perf_counter()
            numbers = look_up(connection, names)
            spans.append((time.perf_counter() - started) * LOOKED_UP / len(learners))
            assert all(numbers.enrollments)
        return min(spans)
