"""The values of Moodle's rows, in each spelling that exports have, and the names and events made of them."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property

from worker.adapters.names import well_formed
from worker.adapters.outcome import Ignored, Rejected
from worker.adapters.php_values import read_php_array
from worker.contract.connection import Connection
from worker.contract.named_event import NamedEvent, NamedLesson, NamedLessonEvent

_NOTHING = frozenset({"", "NULL", "null", "\\N", "None"})
_NUMBER = re.compile(r"(-?[0-9]{1,18})(?:\.0*)?")
_ANONYMOUS = frozenset({0, -1})


class MoodleRow:
    """A row or webhook, read without trust in the types of its members."""

    def __init__(self, members: Mapping[str, object]) -> None:
        self._members = members

    def value(self, member: str) -> object:
        """Return the value; None for each spelling of nothing."""
        value = self._members.get(member)
        if isinstance(value, str):
            value = value.strip()
            return None if value in _NOTHING else value
        return value

    def text(self, member: str) -> str:
        """Return the value if it is a text; else the empty one."""
        value = self.value(member)
        return value if isinstance(value, str) else ""

    def number(self, member: str) -> int | None:
        """Return the whole number, which may be a text such as `3` or `3.0`; else None."""
        value = self.value(member)
        if isinstance(value, str):
            match = _NUMBER.fullmatch(value)
            return int(match[1]) if match else None
        if isinstance(value, float) and value.is_integer() and abs(value) < 10**18:
            return int(value)
        return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**18 else None

    def number_or_text(self, member: str) -> int | str | None:
        """Return the whole number, else the text, else None."""
        number = self.number(member)
        return number if number is not None else well_formed(self.text(member)) or None

    @cached_property
    def other(self) -> object:
        """The member `other`: an object as it is, one written as JSON or by PHP, or the text that is neither."""
        value = self.value("other")
        if not isinstance(value, str):
            return value
        if value == "N;":
            return None
        try:
            return read_php_array(value) if value.startswith("a:") else json.loads(value)
        except (ValueError, RecursionError):
            return value

    @property
    def event_name(self) -> str:
        r"""The event's class, such as `\core\event\course_viewed`. Raises Rejected, `missing_member`.

        MySQL's command line doubles backslashes.
        """
        name = self.text("eventname").replace("\\\\", "\\")
        if not name:
            raise Rejected("missing_member", "The row has no eventname")
        return name if name.startswith("\\") else f"\\{name}"


def learner_name(user: int | None, connection: Connection) -> str:
    """Return the name of the user with this id. Raises Ignored, `anonymous`, and Rejected, `no_learner`."""
    if user is None:
        raise Rejected("no_learner", "The row has no id of the user whose progress it is")
    if user in _ANONYMOUS or user == connection.guest:
        raise Ignored("anonymous")
    return f"user:{user}"


def require_course(course: int | None, connection: Connection) -> str:
    """Return the name of the course with this id. Raises Ignored, `site_level`, and Rejected, `no_course`."""
    if course is None:
        raise Rejected("no_course", "The row has no courseid")
    if course in {0, connection.site_course}:
        raise Ignored("site_level")
    return f"course:{course}"


def event_of(
    kind: type[NamedLessonEvent],
    id: str,  # noqa: A002 - the member's name
    learner: str,
    course: str | None,
    module: int | None,
    time: datetime,
    connection: Connection,
) -> NamedEvent:
    """Return the event of a course module. Raises Rejected, `no_lesson`, unless its id is known."""
    if not module:
        raise Rejected("no_lesson", "The row has no contextinstanceid, the id of a course module")
    data = NamedLesson(learner=learner, lesson=f"cm:{module}", course=course)
    return kind(id=id, source=connection.name, time=time, data=data)
