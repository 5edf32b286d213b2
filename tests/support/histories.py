"""Random histories: few enrollments, lessons, times and identities, so that they collide all the time."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from uuid import UUID

from hypothesis import strategies as st

from tests.support.events import at, completed, corrected, enrolled, outlined, reopened, viewed
from worker.contract.event import CourseOutlined, EnrollmentCreated, Event
from worker.contract.identity import sequence_key

ENROLLMENTS = (1, 2, 3)

_enrollment = st.sampled_from([1, 1, 1, 2, 3])
_number = st.integers(1, 2)
_seconds = st.integers(0, 5)
_maybe_time = st.none() | st.integers(-3, 8).map(at)
_id = st.one_of(
    st.integers(1, 40).map(lambda number: str(UUID(int=number))),
    st.sampled_from(["a", "B", "00000000-0000-0000-0000-00000000000A"]),
)
_envelope = {
    "id": _id,
    "seconds": _seconds,
    "source": st.sampled_from(["/one", "/two"]),
    "sequence": st.sampled_from([None, None, None, 1, "1", "2", 10, "b"]),
}
_often_one = st.sampled_from([1, 1, 1, 2])
_lesson = {**_envelope, "user_course_id": _enrollment, "topic_id": _often_one, "lesson_id": _often_one}
_activity = {
    **_lesson,
    "section_id": st.none() | st.integers(1, 3),
    "duration_seconds": st.none() | st.integers(0, 86_400),
}
_statuses = st.sampled_from(["not_started", "in_progress", "completed"])
_lessons = st.lists(
    st.tuples(
        _number,
        _number,
        st.sampled_from(["", "Größe", "\U0001f680 \u202e'\\"]),
        st.lists(st.tuples(_number, _number), max_size=1),
    ),
    max_size=4,
    unique_by=lambda row: row[:2],
)

activities: st.SearchStrategy[Event] = st.builds(viewed, **_activity) | st.builds(completed, **_activity)
corrections: st.SearchStrategy[Event] = st.builds(
    corrected, **_lesson, status=_statuses, last_viewed_at=_maybe_time, completed_at=_maybe_time
)
reopenings: st.SearchStrategy[Event] = st.builds(reopened, **_lesson)
_enrollment_event = {
    **_envelope,
    "user_course_id": _enrollment,
    "course_id": _number,
    "timezone": st.sampled_from([None, "", "Europe/Berlin", "Asia/Tokyo", "\U0001f680"]),
}
enrollments: st.SearchStrategy[Event] = st.builds(enrolled, **_enrollment_event)
enrollments_of_anybody: st.SearchStrategy[Event] = st.builds(
    enrolled, **_enrollment_event, user_id=st.sampled_from([7, 7, 8])
)
outlines: st.SearchStrategy[Event] = st.builds(outlined, **_envelope, course_id=_number, lessons=_lessons)
events: st.SearchStrategy[Event] = st.one_of(
    *[activities] * 7, corrections, reopenings, enrollments, enrollments, outlines
)
events_of_anybody: st.SearchStrategy[Event] = st.one_of(events, events, events, enrollments_of_anybody)

Batches = list[list[Event]]


def identity(event: Event) -> tuple[object, ...]:
    """What makes two events the same one."""
    key = event.data.course_id if isinstance(event, CourseOutlined) else event.data.user_course_id
    kind = type(event) if isinstance(event, EnrollmentCreated | CourseOutlined) else None
    return kind, key, event.event_id


def moment(event: Event) -> object:
    """What decides between two enrollments or outlines of one key, but for the order in which they arrive."""
    if not isinstance(event, EnrollmentCreated | CourseOutlined):
        return identity(event)
    return *identity(event)[:2], event.time, sequence_key(event.sequence)


distinct_histories = st.lists(events, min_size=5, max_size=20, unique_by=(identity, moment))
"""Events of which no two are the same one; of two enrollments or outlines of one key one is always the later."""


@st.composite
def arrangements(draw: st.DrawFn, of: Sequence[Event]) -> Batches:
    """The events in any order, some of them again, split into batches anyhow."""
    again = draw(st.lists(st.sampled_from(of), max_size=6))
    arrival = draw(st.permutations([*of, *again]))
    cuts = sorted(
        draw(st.sets(st.integers(1, len(arrival)), min_size=min(3, len(arrival)), max_size=9)) | {0, len(arrival)}
    )
    return [list(arrival[start:end]) for start, end in pairwise(cuts)]


@st.composite
def histories(draw: st.DrawFn) -> Batches:
    """Batches in which one identity may also come with unequal bodies."""
    return draw(arrangements(draw(st.lists(events_of_anybody, min_size=8, max_size=24))))


def recorded_order(batches: Iterable[Iterable[Event]], known: Iterable[int] = ()) -> list[Event]:
    """The events in the order of recording: those parked come after the batch that brought the enrollment.

    `known` enrollments are there from the beginning. Events parked to the end come last.
    """
    known = set(known)
    parked: list[Event] = []
    order: list[Event] = []
    for batch in map(list, batches):
        known |= {event.data.user_course_id for event in batch if isinstance(event, EnrollmentCreated)}
        for event in batch:
            (order if isinstance(event, CourseOutlined) or event.data.user_course_id in known else parked).append(event)
        arrived = [event for event in parked if _waits_for(event) in known]
        parked = [event for event in parked if _waits_for(event) not in known]
        order += arrived
    return order + parked


def _waits_for(event: Event) -> int | None:
    return None if isinstance(event, CourseOutlined) else event.data.user_course_id
