"""A class that has every kind of learner, as events, and its reports read over HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.support.events import completed, enrolled, outlined, viewed
from tests.support.pages import ReportText, report_text
from worker.contract.event import Event

LESSONS = [(1, 1), (1, 2), (2, 1)]
CLASS = range(1, 9)
NOW = datetime.now(UTC)


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def a_class() -> list[Event]:
    """Enrollment 1 finished long ago, 2 is dormant, 3 stuck, 4 active, 5 finished today; the others did not start."""
    return [
        outlined(3, [(*lesson, f"Lesson {lesson}") for lesson in LESSONS], time=ago(80)),
        *(enrolled(key, user_id=key, time=ago(80)) for key in CLASS),
        *(completed(1, *lesson, time=ago(60 - day)) for day, lesson in enumerate(LESSONS)),
        completed(2, 1, 1, time=ago(40)),
        viewed(2, 1, 2, time=ago(39)),
        *(viewed(3, 1, 1, time=ago(day)) for day in (1, 2, 3, 4)),
        completed(4, 1, 1, time=ago(3), duration_seconds=600),
        *(completed(5, *lesson, time=ago(0.5 + number / 100)) for number, lesson in enumerate(LESSONS)),
    ]


def what_followed() -> list[Event]:
    """The dormant one finishes, the stuck one goes on, and two start."""
    return [
        *(completed(2, *lesson, time=ago(0.1)) for lesson in LESSONS[1:]),
        completed(3, 1, 1, time=ago(0.1)),
        viewed(6, 2, 1, time=ago(0.1)),
        completed(7, 1, 1, time=ago(30)),
    ]


def read_pages(client: httpx.Client) -> tuple[ReportText, Any, dict[int, tuple[ReportText, Any]]]:
    """The course's page and the JSON of its analysis, and the same of each learner."""
    learners = {
        key: (
            report_text(client.get(f"/reports/learner/{key}").text),
            client.get(f"/analytics/learner/{key}").json(),
        )
        for key in CLASS
    }
    course = report_text(client.get("/reports/course/3").text)
    assert len(course.tables["learners"]) == len(CLASS)
    return course, client.get("/analytics/course/3").json(), learners
