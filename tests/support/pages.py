"""The elements of an HTML page, and the text of a report's page by what it stands for."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "path", "rect"}


@dataclass
class Element:
    """An element, the numbers of those it stands in, and of the first behind it."""

    number: int
    tag: str
    attributes: dict[str, str | None]
    ancestors: list[int]
    end: int = 0
    texts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.texts).strip()


class Page(HTMLParser):
    """The elements of a page, in order. Whatever is opened is closed, as it should be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self._open: list[int] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        number = len(self.elements)
        self.elements.append(Element(number, tag, dict(attrs), list(self._open), end=number + 1))
        if tag not in VOID:
            self._open.append(number)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        element = self.elements[self._open.pop()]
        assert element.tag == tag
        element.end = len(self.elements)

    def handle_data(self, data: str) -> None:
        for number in self._open:
            self.elements[number].texts.append(data)

    def all(self, *tags: str, within: Element | None = None) -> list[Element]:
        """Those with one of these names, everywhere or inside an element."""
        searched = self.elements[within.number + 1 : within.end] if within else self.elements
        return [element for element in searched if element.tag in tags]


@dataclass(frozen=True)
class ReportText:
    """What a reader of a report's page sees."""

    freshness: str
    figures: dict[str, str]
    headlines: dict[str, str]
    """The sentence of each section by its table's name."""
    tables: dict[str, list[dict[str, str]]]
    """The rows of each section's table by column title."""
    absences: str


def report_text(html: str) -> ReportText:
    """Read a report's page."""
    page = Page(html)
    freshness, *_ = [each.text for each in page.all("p") if each.attributes.get("class") == "as-of"]
    names, values = ([each.text for each in page.all(tag)] for tag in ("dt", "dd"))
    headlines: dict[str, str] = {}
    tables: dict[str, list[dict[str, str]]] = {}
    for section in page.all("section")[1:]:
        name = str(section.attributes["aria-labelledby"])
        (headlines[name],) = [
            each.text for each in page.all("p", within=section) if each.attributes.get("class") == "headline"
        ]
        (table,) = [each for each in page.all("table", within=section) if "rows" in str(each.attributes.get("class"))]
        head, *rows = [[cell.text for cell in page.all("th", "td", within=row)] for row in page.all("tr", within=table)]
        tables[name] = [dict(zip(head, row, strict=True)) for row in rows]
    absences = "".join(each.text for each in page.all("p") if "absences" in str(each.attributes.get("class")))
    return ReportText(freshness, dict(zip(names, values, strict=True)), headlines, tables, absences)
