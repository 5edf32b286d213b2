"""`python -m tests.support.screenshots`: an invented class, recorded by the worker, photographed for the docs."""

import random
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import sync_playwright
from sqlalchemy import Engine

from tests.support.databases import clone_database, make_template
from tests.support.events import completed, enrolled, entries, outlined, viewed
from tests.support.rollups import refresh_all
from worker.analytics.course_analysis import analyze_course_and_class
from worker.analytics.learner_analysis import analyze_learner
from worker.analytics.thresholds import AnalysisThresholds
from worker.contract.event import Event
from worker.database.engine import open_engine
from worker.embedded.start import start_servers
from worker.progress.ingest import ingest
from worker.reports.class_list import MAX_MEMBERS
from worker.reports.course_report import course_report
from worker.reports.learner_report import learner_report
from worker.reports.page import as_page
from worker.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"
COURSE, LEARNERS, WEEKS = 3, 16, 9
SHOWN_LEARNER = 4
TITLES = {
    1: ["What an equation says", "Both sides alike", "Brackets", "Fractions in equations"],
    2: ["Slope", "Lines through two points", "Where two lines meet", "Word problems"],
    3: ["Squares and roots", "Completing the square", "The quadratic formula", "Parabolas"],
}
LESSONS = [(topic, 10 * topic + place, title) for topic, its in TITLES.items() for place, title in enumerate(its, 1)]
BLOCKER = 6
"""Lessons after which many stop."""


def a_class(now: datetime) -> Iterator[Event]:
    """The events of a term: most learners go on week by week, some stop at a hard lesson, one never starts."""
    chance = random.Random(5)
    start = now - timedelta(weeks=WEEKS)
    yield outlined(COURSE, LESSONS, time=start)
    for key in range(1, LEARNERS + 1):
        yield enrolled(key, user_id=5_000 + key, course_id=COURSE, time=start)
        goal = 0 if key == 9 else BLOCKER if chance.random() < 0.3 else chance.randint(7, 17)
        moment = start + timedelta(days=chance.uniform(0, 6))
        for number, (topic, lesson, _) in enumerate(LESSONS[:goal]):
            is_last = number == goal - 1 and goal < len(LESSONS)
            for _ in range(chance.randint(3, 6) if is_last and goal == BLOCKER else chance.randint(1, 2)):
                moment = _waking(moment + timedelta(hours=chance.uniform(20, 110)), chance)
                if moment > now:
                    break
                seconds = chance.randint(300, 2_400)
                yield viewed(key, topic, lesson, time=moment, duration_seconds=seconds)
            moment += timedelta(minutes=40)
            if is_last or moment > now:
                break
            yield completed(key, topic, lesson, time=moment, duration_seconds=chance.randint(60, 600))


def _waking(moment: datetime, chance: random.Random) -> datetime:
    return moment.replace(hour=min(22, max(7, int(chance.gauss(16, 3)))), minute=chance.randint(0, 59))


def pages(engine: Engine) -> dict[str, str]:
    """Record the class; the page of the course and of one learner."""
    ingest(engine, entries(list(a_class(datetime.now(UTC)))))
    refresh_all(engine)
    found, members = analyze_course_and_class(engine, COURSE, None, AnalysisThresholds(), MAX_MEMBERS)
    learner = analyze_learner(engine, SHOWN_LEARNER, None, AnalysisThresholds())
    return {
        "course": as_page(course_report(found, members.enrollments, members.total), is_served=True),
        "learner": as_page(learner_report(learner), is_served=True),
    }


def main() -> None:
    """Write docs/report-course.png in light and docs/report-learner.png in dark."""
    directory = Path(tempfile.mkdtemp(prefix="screenshots-"))
    directory.chmod(0o755)
    with start_servers(directory) as servers, sync_playwright() as playwright:
        url = clone_database(servers.database_url, make_template(servers.database_url))[1]
        engine = open_engine(Settings(database_url=url, redis_url=servers.redis_url))
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        for name, html in pages(engine).items():
            page = browser.new_page(
                viewport={"width": 1_000, "height": 2_200}, color_scheme="dark" if name == "learner" else "light"
            )
            page.set_content(html)
            page.screenshot(path=DOCS / f"report-{name}.png")
        browser.close()
        engine.dispose()
    shutil.rmtree(directory)


if __name__ == "__main__":
    main()
