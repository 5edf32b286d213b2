"""Random months of learners in one course, told from NOW backwards, in time zones around the world."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from tests.support.events import completed, corrected, enrolled, outlined, reopened, viewed
from tests.support.learners import ago
from worker.contract.event import Event

OUTLINE = [(2, 1, "Two"), (1, 1, "One"), (1, 2), (1, 3), (2, 2)]
MOVED = [(2, 1, "Two"), (1, 1, "One and two", [(1, 2)]), (1, 3), (1, 9, "From elsewhere", [(3, 3), (2, 2)])]
"""Lessons merged, and lessons that came from other topics."""
ZONES = ("Europe/Berlin", "Pacific/Auckland", "America/New_York", "Not/AZone", None)

_lessons = st.sampled_from([(1, 1), (1, 1), (1, 2), (1, 3), (1, 9), (2, 1), (2, 2), (3, 3)])
_minutes = st.sampled_from([0, 0, 10, 29, 31, 90, 600, 1_439])


@st.composite
def months(draw: st.DrawFn, keys: Sequence[int]) -> Sequence[Event]:
    """These enrollments, most busy the first: two months up to now, with days on end on one lesson.

    In course 3, which has an outline, one whose lessons have moved, or none.
    """
    number = iter(range(1, 1_000))

    def identity() -> str:
        return str(UUID(int=draw(st.integers(0, 2**64)) * 1_000 + next(number)))

    found: list[Event] = [
        enrolled(key, timezone=draw(st.sampled_from(ZONES)), time=ago(days=70), id=identity()) for key in keys
    ]
    for key in draw(st.lists(st.sampled_from(keys), max_size=2)):
        moved_at = ago(days=draw(st.integers(0, 80))) - timedelta(minutes=draw(_minutes))
        found.append(enrolled(key, timezone=draw(st.sampled_from(ZONES)), time=moved_at, id=identity()))
    if draw(st.booleans()):
        found.append(
            outlined(
                3,
                draw(st.sampled_from([OUTLINE, MOVED, MOVED, OUTLINE[:2], OUTLINE[1:2], []])),
                time=ago(days=71),
                id=identity(),
            )
        )
    first = draw(st.integers(0, 40))
    on_end = range(first, first + draw(st.sampled_from([0, 5, 9])))
    days = draw(st.lists(st.integers(0, 60), max_size=12))
    places = [(day, (1, 1, 1)) for day in on_end]
    places += [(day, (draw(st.sampled_from([keys[0], *keys])), *draw(_lessons))) for day in days]
    for day, lesson in places:
        when: dict[str, Any] = {"time": ago(days=day) - timedelta(minutes=draw(_minutes)), "id": identity()}
        kind: Any = draw(st.sampled_from([viewed, viewed, viewed, completed, completed, corrected, reopened]))
        if kind is corrected:
            done_at = draw(st.none() | st.just(ago(days=day + 1)))
            status = (
                draw(st.sampled_from(["completed", "in_progress", "not_started"])) if done_at is None else "completed"
            )
            found.append(corrected(*lesson, **when, status=status, completed_at=done_at))
        elif kind is reopened:
            found.append(reopened(*lesson, **when))
        else:
            found.append(kind(*lesson, **when, duration_seconds=draw(st.sampled_from([None, None, 0, 60, 86_400]))))
    return found
