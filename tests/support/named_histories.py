"""Random named events: few learners, courses and lessons, whose names are of every ugliness and collide."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from tests.support.named import named
from worker.contract.named_event import NamedEvent

UGLY = (
    "ann",
    "Ann",
    "ann ",
    " ann",
    "ann\n",
    "\u202eann\u202c",
    "an\u0303n",
    "a\u00f1n",
    "\u200b",
    " ",
    "漢" * 341 + "a",
    "漢" * 341 + "b",
    "'",
    '"; DROP TABLE external_id; --',
    "\\",
    "\\u0041",
    "A",
    '{"learner":"ann"}',
    "[1,2]",
    "{a,NULL}",
    "%(names)s %s :names",
    "1",
    "01",
    "1000000000",
    "null",
    "\x01\x7f",
    "\U0001f680",
    "\ufeffann",
)
"""Names of 1 to 1,024 bytes of which some look equal."""
_SOURCES = ("moodle", "Moodle", "漢" * 341 + "b")

_members: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "source": st.sampled_from([_SOURCES[0]] * 4 + [*_SOURCES]),
        "seconds": st.integers(0, 5),
        "sequence": st.sampled_from([None, None, None, 1, "2"]),
    }
)
Names = tuple[list[str], list[str], list[str]]
"""Learners, courses, lessons"""
_distinct = st.lists(st.sampled_from(UGLY), min_size=2, max_size=3, unique=True)
names: st.SearchStrategy[Names] = st.tuples(
    _distinct, _distinct, st.lists(st.sampled_from(UGLY), min_size=4, max_size=6, unique=True)
)
"""One name may be a learner's, a course's and a lesson's, in several sources."""


@st.composite
def lesson_events(draw: st.DrawFn, given: Names, lesson_of: Callable[[str | None], list[str]]) -> Callable[[str], Any]:
    """A function that makes the event with an id; `lesson_of` gives the lessons of a course or of none."""
    learners, courses, _ = given
    course = draw(st.sampled_from([*courses, *courses, None]))
    data: dict[str, object] = {
        "learner": draw(st.sampled_from(learners)),
        "lesson": draw(st.sampled_from(lesson_of(course))),
        "course": course,
        "enrols": draw(st.sampled_from([True, True, False])),
        "topic": draw(st.none() | st.sampled_from(UGLY)),
        "duration_seconds": draw(st.none() | st.integers(0, 9)),
    }
    kind = draw(st.sampled_from(["lesson.viewed", "lesson.viewed", "lesson.completed", "lesson.reopened"]))
    members = draw(_members)
    return lambda id: named(kind, data, id=id, **members)  # noqa: A006 - the member's name


@st.composite
def enrollments(draw: st.DrawFn, given: Names) -> Callable[[str], Any]:
    """The same for an enrollment; the id makes its time unlike any other."""
    learners, courses, _ = given
    data: dict[str, object] = {"learner": draw(st.sampled_from(learners)), "course": draw(st.sampled_from(courses))}
    timezone = draw(st.sampled_from(["UTC", "Asia/Tokyo", "Europe/Berlin"]))
    members = draw(_members)
    seconds = draw(st.sampled_from([0, -1_300_000_000]))  # also before 2000
    return lambda id: named(  # noqa: A006 - the member's name
        "enrollment.created", data, timezone=timezone, **members | {"id": id, "seconds": seconds + int(id) / 1000}
    )


@st.composite
def outlines(draw: st.DrawFn, given: Names, lesson_of: Callable[[str | None], list[str]]) -> Callable[[str], Any]:
    """The same for an outline, with aliases."""
    course = draw(st.sampled_from(given[1]))
    own = draw(st.lists(st.sampled_from(lesson_of(course)), max_size=3, unique=True))
    lessons = [
        {
            "lesson": each,
            "topic": draw(st.none() | st.sampled_from(UGLY)),
            "title": draw(st.none() | st.sampled_from(UGLY)),
            "aliases": draw(st.none() | st.lists(st.sampled_from(lesson_of(course)), max_size=2)),
        }
        for each in own
    ]
    members = draw(_members)
    return lambda id: named(  # noqa: A006 - the member's name
        "course.outlined", {"course": course, "lessons": lessons}, **members | {"id": id, "seconds": int(id) / 1000}
    )


@st.composite
def ordinary_histories(draw: st.DrawFn) -> tuple[list[NamedEvent], list[NamedEvent]]:
    """Outlines, and events whose outcome depends on no order once the outlines are known.

    An event without a course has a lesson that is in one course only.
    """
    given = draw(names)
    courses, lessons = given[1], given[2]
    own = {course: lessons[1 + number :: len(courses)] for number, course in enumerate(courses)}

    def lesson_of(course: str | None) -> list[str]:
        return own[courses[0]] if course is None else [*own[course], lessons[0]]

    first = draw(st.lists(outlines(given, lesson_of), max_size=3))
    events = st.one_of(*[lesson_events(given, lesson_of)] * 4, enrollments(given))
    rest = draw(st.lists(events, min_size=4, max_size=16))
    made = [make(str(number)) for number, make in enumerate([*first, *rest])]
    return made[: len(first)], made[len(first) :]


@st.composite
def any_histories(draw: st.DrawFn) -> list[list[NamedEvent]]:
    """Batches of anything once: lessons of several courses or none, outlines that come late or in the wrong order."""
    given = draw(names)
    lessons = given[2][:3]
    kinds = [lesson_events(given, lambda _: lessons)] * 4
    makers = draw(
        st.lists(st.one_of(*kinds, enrollments(given), outlines(given, lambda _: lessons)), min_size=8, max_size=20)
    )
    events = draw(st.permutations([make(str(number)) for number, make in enumerate(makers)]))
    cuts = sorted({0, len(events), *draw(st.sets(st.integers(0, len(events)), max_size=4))})
    return [events[start:end] for start, end in pairwise(cuts)]
