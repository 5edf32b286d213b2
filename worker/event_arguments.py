"""The keyword arguments of `EventMethods`: of each method one set with numbers and one with names, never both.

A method's two sets are declared here once, for type checkers and for the check at run time.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NotRequired, TypedDict

from worker.contract.event import OutlineLesson
from worker.contract.named_event import NamedOutlineLesson


class EventArguments(TypedDict, total=False):
    """What every method takes."""

    occurred_at: datetime | None
    event_id: str | None


class LessonNumbers(EventArguments):
    """A lesson of an enrollment."""

    user_course_id: int
    topic_id: int
    lesson_id: int


class ActivityNumbers(LessonNumbers):
    """A learner's activity in a lesson."""

    section_id: NotRequired[int | None]
    duration_seconds: NotRequired[float | None]


class LessonNames(EventArguments):
    """A lesson and a learner."""

    learner: str
    lesson: str
    course: NotRequired[str | None]
    topic: NotRequired[str | None]
    enrols: NotRequired[bool]


class ActivityNames(LessonNames):
    """A learner's activity in a lesson."""

    duration_seconds: NotRequired[float | None]


class EnrollmentNumbers(EventArguments):
    """A learner in a course."""

    user_course_id: int
    user_id: int
    course_id: int
    timezone: NotRequired[str | None]


class EnrollmentNames(EventArguments):
    """A learner in a course."""

    learner: str
    course: str
    timezone: NotRequired[str | None]


class OutlineNumbers(EventArguments):
    """A course's lessons, each with `topic_id`, `lesson_id` and optionally `title` and `moved_from`."""

    course_id: int
    lessons: Iterable[OutlineLesson | Mapping[str, Any]]


class OutlineNames(EventArguments):
    """A course's lessons, each with `lesson` and optionally `topic`, `title` and `aliases`."""

    course: str
    lessons: Iterable[NamedOutlineLesson | Mapping[str, Any]]


def are_names(method: str, given: Iterable[str], numbers: Any, names: Any) -> bool:
    """Return whether a method was called with names. Raises TypeError for a wrong call, as Python does.

    `numbers` and `names` are the TypedDicts of the method's two sets, `given` the arguments' own names.
    """
    given, by_numbers, by_names = set(given), _all(numbers), _all(names)
    of_names = given & (by_names - by_numbers)
    if of_names and (mixed := given & (by_numbers - by_names)):
        raise TypeError(f"{method}() takes names or numbers, not both: {min(of_names)} or {min(mixed)}")
    expected = names if of_names else numbers
    if unknown := given - _all(expected):
        raise TypeError(f"{method}() got an unexpected keyword argument {min(unknown)!r}")
    if missing := expected.__required_keys__ - given:
        raise TypeError(f"{method}() misses a required keyword argument: {', '.join(sorted(missing))}")
    return bool(of_names)


def _all(arguments: Any) -> frozenset[str]:
    members: frozenset[str] = arguments.__required_keys__ | arguments.__optional_keys__
    return members
