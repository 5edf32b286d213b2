"""A course, or a topic, is completed with the last of its lessons."""

import pytest

from tests.support.learners import ago, completed, started
from worker.analytics.rules.completion import Completion, completion
from worker.analytics.rules.learner_history import History, LessonHistory
from worker.contract.lesson import Lesson
from worker.contract.progress_status import ProgressStatus

LESSONS = [(1, 1), (1, 2)]
BOTH = {(1, 1): completed(ago(days=1)), (1, 2): completed(ago(days=3))}


@pytest.mark.parametrize(
    ("history", "lessons", "expected"),
    [
        (BOTH, LESSONS, Completion(ago(days=1))),
        (BOTH | {(9, 9): completed(ago(days=0))}, LESSONS, Completion(ago(days=1))),
        (BOTH | {(1, 2): LessonHistory(ProgressStatus.COMPLETED)}, LESSONS, Completion(None)),
        (BOTH | {(1, 2): started(ago(days=0))}, LESSONS, None),
        ({(1, 1): completed(ago(days=1))}, LESSONS, None),
        (BOTH, [], None),
        (BOTH, None, None),
    ],
    ids=[
        "with the last one",
        "others do not matter",
        "at an unknown time",
        "one is in progress",
        "one is untouched",
        "no lessons",
        "no outline",
    ],
)
def test_lessons_are_completed(history: History, lessons: list[Lesson] | None, expected: Completion | None) -> None:
    assert completion(history, lessons) == expected
