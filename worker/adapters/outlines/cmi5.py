"""The outline of a cmi5 course structure, cmi5.xml: its assignable units in document order.

The standard library's parser expands entities and would read the files that they name, so a document that declares
any, which takes a document type declaration, is refused where that begins.
"""

from dataclasses import dataclass, field
from xml.parsers import expat

from worker.adapters.outlines.document import OutlineDocument, check_size
from worker.adapters.outlines.named_outline import FoundLesson, named_outline
from worker.contract.named_event import NamedOutline
from worker.errors import InputError


def read_cmi5(document: OutlineDocument) -> list[NamedOutline]:
    """Return the course's outline. A lesson is an `au`, named by its id; its topic is the innermost block around it.

    Its title is the first in English, else the first.
    """
    check_size(document.content, document.name)
    reader = _Reader(document.name)
    reader.read(document.content)
    if not reader.course:
        raise InputError(f"{document.name}: the course has no id.")
    found = [FoundLesson(au.place, au.id, au.topic, au.title) for au in reader.units]
    return [named_outline(document.name, reader.course, found)]


@dataclass(slots=True)
class _Unit:
    place: str
    id: str
    topic: str | None
    titles: dict[str, str] = field(default_factory=dict)
    """By lower-case language."""

    @property
    def title(self) -> str | None:
        english = (title for language, title in self.titles.items() if language.partition("-")[0] == "en")
        return next(english, next(iter(self.titles.values()), None))


class _Reader:
    """Reads elements as they come, however deep: the course's id and the units."""

    def __init__(self, name: str) -> None:
        self.course = ""
        self.units: list[_Unit] = []
        self._name = name
        self._namespace = ""
        self._path: list[str] = []
        """Local names of the open elements; empty for those of other namespaces."""
        self._topics: list[str | None] = [None]
        self._language = ""
        self._text: list[str] = []
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._add_text

    def read(self, content: bytes) -> None:
        try:
            self._parser.Parse(content, True)
        except expat.ExpatError as error:
            raise InputError(f"{self._name}, line {error.lineno}: not XML ({expat.ErrorString(error.code)}).") from None
        except (LookupError, ValueError):
            raise InputError(f"{self._name}, line 1: its encoding is unknown. Save the file as UTF-8.") from None

    @property
    def _in_title(self) -> bool:
        return self._path[-3:] == ["au", "title", "langstring"]

    @property
    def _place(self) -> str:
        return f"line {self._parser.CurrentLineNumber}"

    def _refuse(self, *_declared: object) -> None:
        raise InputError(
            f"{self._name}, {self._place}: a document type declaration, which a course structure has no use for and "
            "which could name other files. Remove it."
        )

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        namespace, _, name = tag.rpartition(" ")
        if not self._path:
            if name != "courseStructure":
                raise InputError(f"{self._name}: not a cmi5 course structure, which begins with <courseStructure>.")
            self._namespace = namespace
        self._path.append(name if namespace == self._namespace else "")
        given = attributes.get("id", "").strip()
        match self._path[-1]:
            case "course":
                self.course = self.course or given
            case "block":
                self._topics.append(given or self._topics[-1])
            case "au":
                self.units.append(_Unit(self._place, given, self._topics[-1]))
            case _ if self._in_title:
                self._language, self._text = attributes.get("lang", "").strip().lower(), []
            case _:
                pass

    def _end(self, _tag: str) -> None:
        if self._in_title and (title := " ".join("".join(self._text).split())):
            self.units[-1].titles.setdefault(self._language, title)
        if self._path.pop() == "block":
            self._topics.pop()

    def _add_text(self, text: str) -> None:
        if self._in_title:
            self._text.append(text)
