"""Outlines from a CSV file with the columns course, topic, lesson and title: one outline for each course."""

from worker.adapters.outlines.csv_rows import Header, csv_rows
from worker.adapters.outlines.document import OutlineDocument
from worker.adapters.outlines.named_outline import FoundLesson, named_outline
from worker.contract.named_event import NamedOutline
from worker.errors import InputError

_NEEDED, _OPTIONAL = frozenset({"course", "lesson"}), frozenset({"topic", "title", "aliases"})
_HEADER = Header(
    accepts=lambda columns: _NEEDED <= columns <= _NEEDED | _OPTIONAL,
    otherwise="not the header of a CSV file with an outline. It begins with the line course,topic,lesson,title; "
    "topic and title may be left out, and aliases, names separated by |, may be added.",
)


def read_csv(document: OutlineDocument) -> list[NamedOutline]:
    """Return the outlines in the order of their first rows. Spaces around a cell are no part of a name."""
    text = document.text
    if not text.strip():
        raise InputError(f"{document.name} is empty.")
    courses: dict[str, list[FoundLesson]] = {}
    for place, row in csv_rows(text, document.name, _HEADER):
        cells = {column: cell.strip() for column, cell in row.items()}
        for column in ("course", "lesson"):
            if not cells.get(column):
                raise InputError(f"{document.name}, {place}: the {column} is missing.")
        aliases = tuple(alias.strip() for alias in cells.get("aliases", "").split("|"))
        courses.setdefault(cells["course"], []).append(
            FoundLesson(place, cells["lesson"], cells.get("topic"), cells.get("title"), aliases)
        )
    return [named_outline(document.name, course, found) for course, found in courses.items()]
