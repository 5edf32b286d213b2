"""Named events in any order, duplicated and split anyhow: the rows, read back by name, are those of the plain rules."""

from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from tests.support.events import completed, enrolled, entries, reopened, viewed
from tests.support.named import (
    named_completed,
    named_enrolled,
    named_outlined,
    named_reopened,
    named_viewed,
    rows_by_name,
)
from tests.support.tables import clear, rows
from worker.contract.event import CourseOutlined, Event
from worker.contract.named_event import (
    NamedCourseOutlined,
    NamedEnrollmentCreated,
    NamedEvent,
    NamedLessonCompleted,
    NamedLessonReopened,
)
from worker.progress.ingest import ingest
from worker.progress.redrive import apply_parked, sweep_parked
from worker.progress.reference import fold

Names = tuple[str, str, str]
"""A source, learner and course."""
COURSE_OF = {"l1": "c1", "l2": "c1", "l3": "c2"}
"""Each lesson is of one course, so that an event without the course means that one in any order."""
LESSONS = sorted(COURSE_OF)

_envelope = {
    "seconds": st.integers(0, 5),
    "source": st.sampled_from(["moodle", "moodle", "edx"]),
    "id": st.integers(1, 10**9).map(str),
}
_lessons = {**_envelope, "learner": st.sampled_from(["ann", "ann", "Zoë"]), "enrols": st.sampled_from([True, False])}
_places = [{"lesson": lesson, "course": course} for lesson in LESSONS for course in (COURSE_OF[lesson], None)]
activities: st.SearchStrategy[NamedEvent] = st.sampled_from(
    [named_viewed, named_completed, named_completed, named_reopened]
).flatmap(
    lambda kind: st.sampled_from(_places).flatmap(
        lambda place: st.builds(kind, **{name: st.just(each) for name, each in place.items()}, **_lessons)
    )
)
enrollments: st.SearchStrategy[NamedEvent] = st.builds(
    named_enrolled, learner=st.sampled_from(["ann", "Zoë"]), course=st.sampled_from(["c1", "c2"]), **_envelope
)
outlines: st.SearchStrategy[NamedEvent] = st.sampled_from(["c1", "c2"]).flatmap(
    lambda course: st.builds(
        named_outlined,
        course=st.just(course),
        lessons=st.permutations([lesson for lesson in LESSONS if COURSE_OF[lesson] == course]),
        **_envelope,
    )
)
histories = st.lists(
    st.one_of(*[activities] * 5, enrollments, outlines), min_size=4, max_size=14, unique_by=lambda event: event.id
)


def known_lessons(events: Iterable[NamedEvent]) -> set[tuple[str, str]]:
    """The lessons that an outline or an event with a course names, by source."""
    known = set()
    for event in events:
        if isinstance(event, NamedCourseOutlined):
            known |= {(event.source, each.lesson) for each in event.data.lessons}
        elif not isinstance(event, NamedEnrollmentCreated) and event.data.course:
            known.add((event.source, event.data.lesson))
    return known


def expected(
    events: list[NamedEvent],
) -> tuple[dict[tuple[str, ...], tuple[str, datetime | None, datetime | None]], int]:
    """The rows by name, and how many events wait for their lesson or enrollment."""
    known, numbers, numbered = known_lessons(events), dict[Names, int](), list[Event]()
    waiting = 0
    for event in events:
        if isinstance(event, NamedCourseOutlined):
            continue
        if isinstance(event, NamedEnrollmentCreated):
            key = numbers.setdefault((event.source, event.data.learner, event.data.course), len(numbers) + 1)
            numbered.append(enrolled(key))
            continue
        if (event.source, event.data.lesson) not in known:
            waiting += 1
            continue
        names = (event.source, event.data.learner, COURSE_OF[event.data.lesson])
        key = numbers.setdefault(names, len(numbers) + 1)
        if event.data.enrols:
            numbered.append(enrolled(key))
        lesson = (key, 1, LESSONS.index(event.data.lesson) + 1)
        make: Any = {NamedLessonCompleted: completed, NamedLessonReopened: reopened}.get(type(event), viewed)
        numbered.append(make(*lesson, time=event.time, id=event.id, source=event.source))
    state = fold(numbered)
    names_of = {number: names for names, number in numbers.items()}
    waiting += sum(
        not isinstance(each, CourseOutlined) and each.data.user_course_id not in state.enrollments for each in numbered
    )
    return {
        (*names_of[key], LESSONS[lesson - 1]): (row.status.value, row.last_viewed_at, row.completed_at)
        for (key, _, lesson), row in state.progress.items()
    }, waiting


@given(data=st.data(), history=histories)
def test_permutation_duplication_and_split_give_the_rows_of_the_rules(
    engine: Engine, data: st.DataObject, history: list[NamedEvent]
) -> None:
    clear(engine)
    arriving = data.draw(st.permutations([*history, *data.draw(st.lists(st.sampled_from(history), max_size=4))]))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(arriving)), max_size=4)) | {0, len(arriving)})
    for start, end in pairwise(cuts):
        apply_parked(engine, ingest(engine, entries(arriving[start:end])).enrolled)
    for _ in range(2):
        sweep_parked(engine)
    found, waiting = expected(history)
    assert rows_by_name(engine) == found
    assert rows(engine, "SELECT count(DISTINCT body) FROM dead_letter") == [(waiting,)]
