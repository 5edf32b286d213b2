"""Make an outline of the lessons that a reader found in a document."""

from collections.abc import Iterable
from dataclasses import dataclass

from worker.adapters.names import to_name, well_formed
from worker.contract.named_event import NamedOutline, NamedOutlineLesson
from worker.errors import InputError


@dataclass(frozen=True, slots=True)
class FoundLesson:
    """A lesson as the document has it."""

    place: str
    """Where it is in the document, for errors."""
    lesson: str
    topic: str | None = None
    title: str | None = None
    aliases: tuple[str, ...] = ()


def named_outline(document_name: str, course: str, found: Iterable[FoundLesson]) -> NamedOutline:
    """Return the outline of the course. Raises InputError for a lesson without a name or a name that comes twice.

    Names that are too long or hold a mail address are replaced by their hash, as those of events are.
    """
    lessons: dict[str, NamedOutlineLesson] = {}
    places: dict[str, str] = {}
    for each in found:
        lesson = to_name(each.lesson)
        if not lesson:
            raise InputError(f"{document_name}, {each.place}: the lesson has no name.")
        if lesson in lessons:
            raise InputError(
                f"{document_name}, {each.place}: lesson {lesson!r:.100} is already at {places[lesson]}. Remove one."
            )
        aliases = dict.fromkeys(to_name(alias) for alias in each.aliases if alias)
        aliases.pop(lesson, None)
        places[lesson] = each.place
        lessons[lesson] = NamedOutlineLesson(
            lesson=lesson,
            topic=to_name(each.topic) if each.topic else None,
            title=well_formed(each.title) if each.title else None,
            aliases=tuple(aliases) or None,
        )
    return NamedOutline(course=to_name(course), lessons=tuple(lessons.values()))
