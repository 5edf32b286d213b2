"""What the analytics of a large course cost: all of them at once, what follows from 1,000 new events, and one reading.

    python benchmarks/analytics.py                      10,000 learners x 200 lessons x 2,000,000 events
    python benchmarks/analytics.py --learners 1000 --chunk 200

An embedded PostgreSQL with up to 3 GB under /var/tmp, the functions that the tasks call, default settings. Each learner
goes through the lessons in order, ten in a sitting, a sitting every other day; half of the events tell a duration.
"""

import argparse
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from sqlalchemy import Engine, NullPool, create_engine, text

from tests.support.databases import clone_database, make_template
from tests.support.events import entries, viewed
from tests.support.rollups import refresh_activity
from worker.analytics.course_analysis import analyze_course
from worker.analytics.learner_analysis import analyze_learner
from worker.analytics.statistics_refresh import refresh_statistics
from worker.analytics.thresholds import AnalysisThresholds
from worker.database.engine import open_engine
from worker.embedded.start import start_servers
from worker.embedded.state import default_directory
from worker.progress.ingest import ingest
from worker.reports.course_report import course_report
from worker.reports.page import as_page
from worker.settings import Settings
from worker.summary.refresh import refresh_summaries

LESSONS = 200
IDLE_CUTOFF_SECONDS = 1_800
ROUNDS = 5
NEW_EVENTS = 1_000

_MAKE = (
    """
    INSERT INTO user_course (id, user_id, course_id, timezone, position_at, position_event_id, stale_since)
    SELECT id, id, 1, (ARRAY['Europe/Berlin', 'America/New_York', 'Asia/Kolkata', NULL])[1 + id % 4],
           timestamptz '2025-06-01', gen_random_uuid(), NULL
    FROM generate_series(1, :learners) AS id
    """,
    """
    INSERT INTO lesson_event (user_course_id, event_id, occurred_at, type, topic_id, lesson_id, duration_seconds)
    SELECT id, gen_random_uuid(),
           timestamptz '2025-01-01' + n / 10 * interval '2 days' + id % 1440 * interval '1 min'
               + n % 10 * interval '11 min' + random() * interval '8 min',
           CASE WHEN random() < 0.8 THEN 'completed' ELSE 'viewed' END::lesson_event_type,
           n / 10 + 1, n + 1, CASE WHEN random() < 0.5 THEN 60 + (600 * random())::int END
    FROM generate_series(0, :lessons - 1) AS n, generate_series(1, :learners) AS id
    ORDER BY n, id
    """,
    """
    INSERT INTO user_course_progress (user_course_id, topic_id, lesson_id, status, last_viewed_at, completed_at)
    SELECT user_course_id, topic_id, lesson_id,
           CASE type WHEN 'completed' THEN 'completed' ELSE 'in_progress' END::progress_status,
           occurred_at, CASE type WHEN 'completed' THEN occurred_at END
    FROM lesson_event
    """,
    "INSERT INTO course (id, outlined_at, outline_event_id) VALUES (1, '2025-01-01', gen_random_uuid())",
    """
    INSERT INTO course_lesson (course_id, topic_id, lesson_id, ordinal, title)
    SELECT 1, n / 10 + 1, n + 1, n + 1, 'Lesson ' || n + 1 FROM generate_series(0, :lessons - 1) AS n
    """,
    "INSERT INTO activity_change (user_course_id) SELECT id FROM user_course",
)


def make(engine: Engine, learners: int) -> None:
    """Fill the tables, without the checks of foreign keys and without waiting for the disk."""
    url = engine.url.render_as_string(hide_password=False)
    options = "-c session_replication_role=replica -c synchronous_commit=off"
    maker = create_engine(url, poolclass=NullPool, connect_args={"options": options})
    for statement in _MAKE:
        with maker.begin() as connection:
            connection.execute(text(statement), {"learners": learners, "lessons": LESSONS})
    settled = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with settled.connect() as connection:
        connection.execute(text("VACUUM ANALYZE"))
        connection.execute(text("CHECKPOINT"))


def measure(engine: Engine, learners: int, chunk: int) -> None:
    make(engine, learners)
    print(f"{learners:,} learners x {LESSONS} lessons, {learners * LESSONS:,} events")
    moments = [time.monotonic()]

    def go_on() -> bool:
        moments.append(time.monotonic())
        return True

    assert refresh_activity(engine, chunk, IDLE_CUTOFF_SECONDS, go_on).enrollments == learners
    lengths = sorted(later - earlier for earlier, later in pairwise(moments))
    taken = moments[-1] - moments[0]
    memory = psutil.Process().memory_info().rss / 1e6
    print(
        f"  activity, all of it: {taken:.1f} s, {learners / taken:,.0f} learners a second;"
        f" a transaction of {chunk}: median {statistics.median(lengths):.2f} s, longest {lengths[-1]:.2f} s;"
        f" memory of the process {memory:.0f} MB"
    )
    print(f"  statistics and figures of the course, all of them: {refresh_course(engine):.1f} s")
    chance = random.Random(1)
    again = []
    for number in range(ROUNDS):
        chosen = [chance.randint(1, learners) for _ in range(NEW_EVENTS)]
        ingest(engine, entries(viewed(each, 1, chance.randint(1, LESSONS), seconds=number) for each in chosen))
        refresh_summaries(engine, 500)
        started = time.monotonic()
        assert refresh_activity(engine, chunk, IDLE_CUTOFF_SECONDS).enrollments == len(set(chosen))
        again.append((time.monotonic() - started, refresh_course(engine)))
    for name, seconds in zip(("activity", "statistics and figures"), zip(*again, strict=True), strict=True):
        print(f"  {name} after {NEW_EVENTS:,} new events: {' '.join(f'{each:.2f}' for each in seconds)} s")
    readings: dict[str, Callable[[], object]] = {
        "course": lambda: analyze_course(engine, 1, datetime.now(UTC), AnalysisThresholds()),
        "learner": lambda: analyze_learner(engine, 1, datetime.now(UTC), AnalysisThresholds()),
        "course as a page": lambda: as_page(
            course_report(analyze_course(engine, 1, datetime.now(UTC), AnalysisThresholds()))
        ),
    }
    for name, read in readings.items():
        print(f"  a {name}, analyzed: {' '.join(f'{timed(read):.3f}' for _ in range(ROUNDS))} s")


def refresh_course(engine: Engine) -> float:
    return timed(lambda: refresh_statistics(engine, 600, AnalysisThresholds()))


def timed(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--learners", type=int, default=10_000, help="default: %(default)s")
    parser.add_argument("--chunk", type=int, default=500, help="enrollments in one transaction; default: %(default)s")
    arguments = parser.parse_args()
    directory = Path(tempfile.mkdtemp(dir=default_directory("test")))
    try:
        with start_servers(directory) as servers:
            _, url = clone_database(servers.database_url, make_template(servers.database_url))
            engine = open_engine(Settings(database_url=url))
            measure(engine, arguments.learners, arguments.chunk)
            engine.dispose()
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
