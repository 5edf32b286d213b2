"""What stored summaries and statistics cost: it follows what changed, in short transactions and little memory.

    python benchmarks/rollups.py                  1,000 changes among 10,000 and among 1,000,000 enrollments
    python benchmarks/rollups.py --first-build    1,000,000 summaries that were never made, by 1 and 2 processes
    python benchmarks/rollups.py --chunks         200,000 of them, by summaries in one transaction
    python benchmarks/rollups.py --statistics     one large course
    python benchmarks/rollups.py --shared-buffers 2GB    on a server that holds the first's databases in memory
    python benchmarks/rollups.py --scale 0.001    a trial: every size is a thousandth; for each of them

An embedded PostgreSQL with up to 6 GB under /var/tmp, the functions that the tasks call, default settings; a quarter of
an hour at most, most of it for making the rows. They lie in the order in which a class makes them, lesson by lesson: so
each row of an enrollment is on another page. The ledger holds only what is recorded while measuring.
"""

import argparse
import multiprocessing
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from sqlalchemy import Engine, NullPool, create_engine, text

from tests.support.databases import clone_database, drop_database, make_template
from tests.support.events import entries, outlined, viewed
from tests.support.rollups import STALE
from tests.support.tables import execute, rows
from worker.analytics.statistics_refresh import refresh_statistics
from worker.analytics.thresholds import AnalysisThresholds
from worker.database.engine import open_engine
from worker.embedded.postgresql import SETTINGS
from worker.embedded.start import start_servers
from worker.embedded.state import default_directory
from worker.progress.ingest import ingest
from worker.settings import Settings
from worker.summary.refresh import refresh_summaries

ROUNDS = 9
SIZES = (10_000, 1_000_000)
CHANGES = 1_000
CHUNK = 500
CHUNKS = (100, 200, 500, 1_000, 2_000, 5_000)
CHUNKS_SIZE = 200_000
PROCESSES = (1, 2)
COURSES = 100
STATISTICS_SECONDS = 100
AT_ONCE = 10_000
"""Enrollments that one statement makes: a cohort, whose rows lie together."""

_ENROLLMENTS = """
    INSERT INTO user_course (
        id, user_id, course_id, current_topic, current_lesson, position_at, position_event_id, stale_since
    )
    SELECT id, id, CASE WHEN id <= :in_first THEN 1 ELSE 2 + id % (:courses - 1) END,
           (:rows - 1) / 5 + 1, :rows, timestamptz '2025-01-01', gen_random_uuid(), timestamptz '2025-02-02'
    FROM generate_series(CAST(:first AS bigint), :last) AS id
"""
_PROGRESS = """
    INSERT INTO user_course_progress (user_course_id, topic_id, lesson_id, status, last_viewed_at, completed_at)
    SELECT id, n / 5 + 1, n + 1, CASE WHEN done THEN 'completed' ELSE 'in_progress' END::progress_status,
           timestamptz '2025-01-01', CASE WHEN done THEN timestamptz '2025-01-01' END
    FROM generate_series(0, :rows - 1) AS n, generate_series(CAST(:first AS bigint), :last) AS id,
         LATERAL (SELECT (31 * id + 17 * n) % 5 > 0) AS learner (done)
    ORDER BY n, id
"""

_MARK_FIRST_COURSE = "INSERT INTO course_change (course_id) VALUES (1)"


@dataclass(frozen=True)
class Shape:
    """Enrollments with so many rows each, of outlines with so many lessons; so many of them are in the first course."""

    enrollments: int
    rows: int = 20
    lessons: int = 30
    in_first: int = 1_000


@dataclass
class Run:
    """One process's refresh: when each of its rounds of up to a chunk ended, and the process's memory then."""

    moments: list[float] = field(default_factory=lambda: [time.monotonic()])
    megabytes: list[float] = field(default_factory=lambda: [_megabytes()])
    summaries: int = 0

    def go_on(self) -> bool:
        """Note a round and have it go on."""
        self.moments.append(time.monotonic())
        self.megabytes.append(_megabytes())
        return True


def refresh_in_process(url: str, chunk: int) -> Run:
    """Refresh whatever is stale."""
    engine = open_engine(Settings(database_url=url))
    run = Run()
    run.summaries = refresh_summaries(engine, chunk, run.go_on).summaries
    engine.dispose()
    return run


def _megabytes() -> float:
    return float(psutil.Process().memory_info().rss) / 1e6


class Bench:
    """Databases full of learners on one server."""

    def __init__(self, database_url: str, scale: float) -> None:
        self._database_url = database_url
        self._scale = scale
        self._template = make_template(database_url)

    def scaled(self, number: int) -> int:
        """A size, or as much of it as a trial wants."""
        return max(2, int(number * self._scale))

    def shape(self, enrollments: int) -> Shape:
        """So many enrollments, a thousandth of a million of them in the first course."""
        return Shape(self.scaled(enrollments), in_first=self.scaled(Shape.in_first))

    @contextmanager
    def learners(self, shape: Shape) -> Iterator[Engine]:
        """A database of this shape without any summary, gone afterwards."""
        name, url = clone_database(self._database_url, self._template)
        engine = open_engine(Settings(database_url=url))
        try:
            _make(engine, shape)
            yield engine
        finally:
            engine.dispose()
            drop_database(self._database_url, name)

    def build(self, shape: Shape, chunk: int, processes: int = 1) -> list[Run]:
        """Make every summary of a new database by so many processes at once."""
        with self.learners(shape) as engine:
            spawn = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(processes, mp_context=spawn) as pool:
                url = _url(engine)
                runs = [pool.submit(refresh_in_process, url, chunk) for _ in range(processes)]
                done = [run.result() for run in runs]
            assert rows(engine, STALE) == [(0,)]
        return done


def _make(engine: Engine, shape: Shape) -> None:
    """In bounded statements, without the checks of foreign keys and without waiting for the disk."""
    outline = [(n // 5 + 1, n + 1) for n in range(shape.lessons)]
    ingest(engine, entries(outlined(course_id, outline) for course_id in range(1, COURSES + 1)))
    options = "-c session_replication_role=replica -c synchronous_commit=off"
    maker = create_engine(_url(engine), poolclass=NullPool, connect_args={"options": options})
    known = {"rows": shape.rows, "in_first": shape.in_first, "courses": COURSES}
    for first in range(1, shape.enrollments + 1, AT_ONCE):
        last = min(first + AT_ONCE - 1, shape.enrollments)
        for statement in (_ENROLLMENTS, _PROGRESS):
            with maker.begin() as connection:
                connection.execute(text(statement), {"first": first, "last": last, **known})
    _settle(engine)


def _settle(engine: Engine) -> None:
    """As autovacuum leaves a database, and without a checkpoint under way."""
    maker = create_engine(_url(engine), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with maker.connect() as connection:
        connection.execute(text("VACUUM ANALYZE"))
        connection.execute(text("CHECKPOINT"))


def _url(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def print_changed(bench: Bench) -> None:
    """The sizes take turns, so that a noisy moment hits both."""
    measured: dict[str, list[list[float]]] = {name: [[], []] for name in ("summaries", "statistics")}
    chance = random.Random(1)
    sizes, changes, chunk = [bench.scaled(size) for size in SIZES], bench.scaled(CHANGES), bench.scaled(CHUNK)
    with bench.learners(bench.shape(SIZES[0])) as small, bench.learners(bench.shape(SIZES[1])) as large:
        for engine in (small, large):
            refresh_summaries(engine, chunk)
            _settle(engine)
        for _ in range(ROUNDS):
            for which, engine in enumerate((small, large)):
                _record(engine, chance.sample(range(1, sizes[which] + 1), changes), chance)
                started = time.monotonic()
                assert refresh_summaries(engine, chunk).summaries == changes
                measured["summaries"][which].append(1000 * (time.monotonic() - started))
                execute(engine, "DELETE FROM course_change", _MARK_FIRST_COURSE)
                started = time.monotonic()
                assert refresh_statistics(engine, STATISTICS_SECONDS, AnalysisThresholds()).courses == 1
                measured["statistics"][which].append(1000 * (time.monotonic() - started))
    in_first = bench.scaled(Shape.in_first)
    print(f"ms for the summaries of {changes:,} enrollments that changed, and for one course of {in_first:,}")
    for name, both in measured.items():
        for size, each in zip(sizes, both, strict=True):
            print(f"  {name} of {size:9,}  {_listed(each, '6.0f')}")
        small_median, large_median = map(statistics.median, both)
        print(f"  {name} ratio {large_median / small_median:.2f} (at most 1.5 wanted)")


def _record(engine: Engine, ids: Sequence[int], chance: random.Random) -> None:
    """One new event of each enrollment, the latest of all."""
    chosen = [(each, chance.randrange(Shape.lessons)) for each in ids]
    events = [viewed(each, n // 5 + 1, n + 1, seconds=time.monotonic()) for each, n in chosen]
    assert ingest(engine, entries(events)).applied == len(ids)


def _listed(measured: Sequence[float], form: str) -> str:
    return f"{' '.join(f'{one:{form}}' for one in measured)}   median {statistics.median(measured):{form}}"


def print_first_build(bench: Bench) -> None:
    """Does it slow down, does it grow?"""
    size, chunk = bench.scaled(SIZES[-1]), bench.scaled(CHUNK)
    for processes in PROCESSES:
        runs = bench.build(bench.shape(SIZES[-1]), chunk, processes)
        print(f"{size:,} new summaries, {processes} process(es), {chunk} a transaction: {_rate(runs):,.0f} a second")
        ends = sorted(moment for run in runs for moment in run.moments[1:])
        marks = [min(run.moments[0] for run in runs), *(ends[len(ends) * tenth // 10 - 1] for tenth in range(1, 11))]
        tenth = size / 10
        print(f"  each tenth    {' '.join(f'{tenth / (end - start):6,.0f}' for start, end in pairwise(marks))}")
        for run in runs:
            start, middle, end = (run.megabytes[index] for index in (0, len(run.megabytes) // 2, -1))
            most = max(run.megabytes)
            print(f"  memory in MB  start {start:.1f}   middle {middle:.1f}   end {end:.1f}   most {most:.1f}")


def _rate(runs: Sequence[Run]) -> float:
    seconds = max(run.moments[-1] for run in runs) - min(run.moments[0] for run in runs)
    return sum(run.summaries for run in runs) / seconds


def print_chunks(bench: Bench) -> None:
    """A round's length is that of its transaction, for which events of its enrollments may have to wait."""
    print(f"{bench.scaled(CHUNKS_SIZE):,} new summaries, one process")
    for chunk in map(bench.scaled, CHUNKS):
        runs = bench.build(bench.shape(CHUNKS_SIZE), chunk)
        lengths = sorted(1000 * (end - start) for start, end in pairwise(runs[0].moments[1:]))  # the first does more
        p50, p95 = lengths[len(lengths) // 2], lengths[int(len(lengths) * 0.95)]
        print(f"  {chunk:5,} a transaction  {_rate(runs):7,.0f} a second   p50 {p50:6.1f} ms   p95 {p95:6.1f} ms")


def print_statistics(bench: Bench) -> None:
    """Of one course, again and again."""
    print("seconds for the statistics of one course")
    small, large = bench.scaled(10_000), bench.scaled(100_000)
    for shape in (Shape(small, 130, 130, in_first=small), Shape(large, in_first=large)):
        seconds = []
        with bench.learners(shape) as engine:
            for _ in range(ROUNDS):
                execute(engine, "DELETE FROM course_change", _MARK_FIRST_COURSE)
                started = time.monotonic()
                assert refresh_statistics(engine, STATISTICS_SECONDS, AnalysisThresholds()).courses == 1
                seconds.append(time.monotonic() - started)
        print(f"  {shape.enrollments:7,} enrollments x {shape.rows:3}   {_listed(seconds, '5.2f')}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    chosen = parser.add_mutually_exclusive_group()
    for measure in (print_first_build, print_chunks, print_statistics):
        name = measure.__name__.removeprefix("print_").replace("_", "-")
        chosen.add_argument(f"--{name}", action="store_const", const=measure, dest="measure", help=measure.__doc__)
    parser.add_argument(
        "--shared-buffers", default=SETTINGS["shared_buffers"], help="PostgreSQL's; default: %(default)s"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="multiply every size, for a trial")
    arguments = parser.parse_args()
    measure = arguments.measure or print_changed
    SETTINGS["shared_buffers"] = arguments.shared_buffers
    directory = Path(tempfile.mkdtemp(dir=default_directory("test")))
    try:
        with start_servers(directory) as servers:
            measure(Bench(servers.database_url, arguments.scale))
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
