"""Find out which courses named events are about, without naming anything."""

from collections.abc import Iterable

from sqlalchemy import Connection

from worker.contract.named_event import NamedCourseOutlined, NamedEvent
from worker.identity.look_up import look_up
from worker.identity.names import Names, Places


def find_course_of_each(connection: Connection, events: Iterable[NamedEvent]) -> list[int | None]:
    """Return the course of each event, or None if the map does not tell. One statement, which locks nothing.

    Of an event that names no course it is the only one of its connection in which its lesson is known.
    """
    names = Names()
    places = [_places(names, event) for event in events]
    numbers = look_up(connection, names)
    return [numbers.course_of(each) or None for each in places]


def _places(names: Names, event: NamedEvent) -> Places:
    if not isinstance(event, NamedCourseOutlined):
        return names.add(event)
    course = names.courses.setdefault((event.source, event.data.course), len(names.courses) + 1)
    return Places(learner=0, course=course, lesson=0)
