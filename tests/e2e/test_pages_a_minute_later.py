"""Published, then read a minute later: workers and beat have kept every page of a class up, and no two disagree."""

import pytest

from tests.support.api import served
from tests.support.page_consistency import page_contradictions
from tests.support.reported_class import a_class, read_pages, what_followed
from tests.support.system import System
from tests.support.wait import wait_until

pytestmark = pytest.mark.second_tier

SHOWN_WITHIN_SECONDS = 60.0


def test_no_sentence_contradicts_another_a_minute_after_publishing(system: System) -> None:
    system.start_worker(2)
    system.start_beat()
    with served(system.settings) as client:
        for finished, events in ((2, a_class()), (3, what_followed())):
            system.publish(events)
            wait_until(
                lambda finished=finished: (
                    client.get("/analytics/course/3").json().get("pending") == 0  # type: ignore[misc]
                    and client.get("/analytics/course/3").json()["statistics"]["completed"] == finished
                ),
                SHOWN_WITHIN_SECONDS,
                "what was published to be shown",
            )
            course, analysis, learners = read_pages(client)
            assert page_contradictions(course, analysis, learners) == []
            assert course.figures["Completed"] == str(finished)
