"""How fast the overview of a whole course is answered: from the rollups, against computing it from the rows.

    python benchmarks/overview.py              half a minute
    python benchmarks/overview.py --rounds 1   a trial

An embedded server on the loopback address. Ten courses of 350 learners and 130 lessons, every row of which is there.
Each way takes its turn in every round, so that a noisy moment hits all of them; each answers all 350 learners:

* **rollups**: `get_overview` of a course that is up to date;
* **nothing stored**: `get_overview` of one that was never refreshed, summaries computed on the spot, no statistics;
* **GROUP BY**: three queries of the ORM, as one would write them first: counts by learner, counts by lesson, titles.
  Neither next lessons nor places, nor how many completed the course as a whole.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from sqlalchemy import Engine, and_, func, select
from sqlalchemy.orm import Session

from tests.support.databases import clone_database, drop_database, make_template
from tests.support.rollups import refresh_all
from tests.support.tables import execute
from worker.analytics.course_overview import Overview, get_overview
from worker.contract.progress_status import ProgressStatus
from worker.database.engine import open_engine
from worker.database.models import CourseLesson, UserCourse, UserCourseProgress
from worker.embedded.start import start_servers
from worker.embedded.state import default_directory
from worker.settings import Settings

LEARNERS, LESSONS, COURSES = 350, 130, 10
STORED, NOT_STORED = 1, COURSES
"""The course that is measured with rollups and by GROUP BY, and the one that has none."""
ROUNDS = 40
WANTED_MILLISECONDS = 100

_COURSE = """
    INSERT INTO course (id, outlined_at, outline_event_id)
    VALUES (:course_id, '2025-07-01', gen_random_uuid())
"""
_OUTLINE = """
    INSERT INTO course_lesson (course_id, topic_id, lesson_id, ordinal, title)
    SELECT :course_id, (n - 1) / 10 + 1, n, n, 'Lesson ' || n FROM generate_series(1, :lessons) AS n
"""
_LEARNERS = """
    INSERT INTO user_course (id, user_id, course_id, current_topic, current_lesson, position_at)
    SELECT :course_id * 10000 + n, n, :course_id, n % :lessons / 10 + 1, n % :lessons + 1,
           timestamptz '2025-07-14' + n * interval '1 minute'
    FROM generate_series(1, :learners) AS n
"""
# Learner n is past n % 131 lessons; of what follows every fifth lesson was opened.
_PROGRESS = """
    INSERT INTO user_course_progress (user_course_id, topic_id, lesson_id, status, last_viewed_at)
    SELECT enrollment.id, topic_id, lesson_id,
           CASE WHEN ordinal <= user_id % (:lessons + 1) THEN 'completed'
                WHEN ordinal % 5 = 0 THEN 'in_progress' ELSE 'not_started' END::progress_status,
           position_at - (:lessons - ordinal) * interval '1 hour'
    FROM user_course AS enrollment JOIN course_lesson USING (course_id) WHERE course_id = :course_id
"""


def fill(engine: Engine, course_id: int) -> None:
    """One course with every row."""
    sizes = {"learners": LEARNERS, "lessons": LESSONS}
    execute(engine, _COURSE, _OUTLINE, _LEARNERS, _PROGRESS, course_id=course_id, **sizes)


def prepare(engine: Engine) -> None:
    """All courses, all but the last refreshed."""
    for course_id in range(1, COURSES):
        fill(engine, course_id)
    refresh_all(engine)
    fill(engine, NOT_STORED)
    execute(engine.execution_options(isolation_level="AUTOCOMMIT"), "VACUUM ANALYZE")


Grouped = tuple[dict[int, tuple[int, int]], dict[tuple[int, int], tuple[str | None, int, int]]]
"""Lessons in all and completed by learner; title, started and completed by lesson."""


def from_rollups(engine: Engine, course_id: int = STORED) -> Overview:
    """What is measured."""
    return get_overview(engine, course_id, limit=LEARNERS)


def by_group(engine: Engine) -> Grouped:
    """Most of the same, as one would write it first."""
    row, lesson, enrollment = UserCourseProgress, CourseLesson, UserCourse
    completed = func.count().filter(row.status == ProgressStatus.COMPLETED)
    started = func.count().filter(row.status != ProgressStatus.NOT_STARTED)
    place = and_(
        lesson.course_id == enrollment.course_id, lesson.topic_id == row.topic_id, lesson.lesson_id == row.lesson_id
    )
    joined = (
        select()
        .select_from(enrollment)
        .join(row, row.user_course_id == enrollment.id)
        .join(lesson, place)
        .where(enrollment.course_id == STORED)
    )
    key = (row.topic_id, row.lesson_id)
    with Session(engine) as session:
        outline = session.scalars(select(lesson).where(lesson.course_id == STORED).order_by(lesson.ordinal)).all()
        by_learner = joined.add_columns(enrollment.id, completed).group_by(enrollment.id)
        learners = {each: (len(outline), done) for each, done in session.execute(by_learner)}
        by_lesson = joined.add_columns(*key, started, completed).group_by(*key)
        figures = {(topic, number): (begun, done) for topic, number, begun, done in session.execute(by_lesson)}
        lessons = {
            (each.topic_id, each.lesson_id): (each.title, *figures[each.topic_id, each.lesson_id]) for each in outline
        }
        return learners, lessons


def check(engine: Engine) -> None:
    """All of them say the same."""
    found, (learners, lessons) = from_rollups(engine), by_group(engine)
    summaries = {each.summary.user_course_id: each.summary for each in found.learners}
    assert len(summaries) == LEARNERS
    assert {key: (each.total_lessons, each.completed_lessons) for key, each in summaries.items()} == learners
    assert all(each.statistics for each in found.lessons)
    assert [
        ((each.topic_id, each.lesson_id), (each.title, each.statistics.started, each.statistics.completed))
        for each in found.lessons
        if each.statistics
    ] == list(lessons.items())
    computed = from_rollups(engine, NOT_STORED)
    assert computed.statistics is None
    assert [each.summary.next_lesson_id for each in computed.learners] == [
        each.summary.next_lesson_id for each in found.learners
    ]


def measure(engine: Engine, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each way, sorted."""
    ways: dict[str, Callable[[], object]] = {
        "rollups": lambda: from_rollups(engine),
        "nothing stored": lambda: from_rollups(engine, NOT_STORED),
        "GROUP BY": lambda: by_group(engine),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            taken[name].append(1000 * (time.perf_counter() - started))
    return {name: sorted(each) for name, each in taken.items()}


def report(taken: dict[str, list[float]], rounds: int) -> None:
    """A line a way, the first one being the measure of the others."""
    print(f"overview of {LEARNERS} learners x {LESSONS} lessons, {rounds} rounds, milliseconds")
    print(f"  {'':16}{'median':>9}{'p95':>9}{'max':>9}{'times as long':>16}")
    medians = {name: statistics.median(each) for name, each in taken.items()}
    for name, each in taken.items():
        p95 = each[int(len(each) * 0.95)]
        ratio = medians[name] / medians["rollups"]
        print(f"  {name:16}{medians[name]:9.1f}{p95:9.1f}{each[-1]:9.1f}{ratio:16.1f}")
    verdict = "kept" if medians["rollups"] < WANTED_MILLISECONDS else "MISSED"
    print(f"  under {WANTED_MILLISECONDS} ms from the rollups: {verdict}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="default: %(default)s")
    rounds = parser.parse_args().rounds
    directory = Path(tempfile.mkdtemp(dir=default_directory("test")))
    try:
        with start_servers(directory) as servers:
            name, url = clone_database(servers.database_url, make_template(servers.database_url))
            engine = open_engine(Settings(database_url=url, redis_url=servers.redis_url))
            try:
                prepare(engine)
                check(engine)
                report(measure(engine, rounds), rounds)
            finally:
                engine.dispose()
                drop_database(servers.database_url, name)
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
