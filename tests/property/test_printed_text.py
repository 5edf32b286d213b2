"""Whatever strangers send, a terminal gets nothing to obey: by `dead-letters`, as tables and JSON, and by the log."""

import json
import logging
import unicodedata
from typing import Literal

from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from tests.support.commands import invoke
from tests.support.tables import clear, rows
from worker.contract.entry import Entry, Reason
from worker.logs import configure_logging, get_logger
from worker.printable import MAX_MARKS, printable
from worker.progress.ingest import store_dead_letter

NASTY = (
    "\x1b[2J", "\x1b]0;owned\x07", "\x9b2J",
    "\x00", "\r", "\t", "\x7f", "\u202e", "\u2066", "\u200b", "\ufeff", "\u2028",
    "\x85", "e" + "\u0301" * 50, "\U000e0041", "\ud800", "[red]", ":smile:", "\\x1b",
)  # fmt: skip
FORMS: tuple[Literal["console", "json"], ...] = ("console", "json")
COLOURS = ["\x1b[0m", "\x1b[1m", "\x1b[2m", *(f"\x1b[{number}m" for number in range(31, 37))]
"""The log's own."""
texts = st.lists(st.sampled_from(NASTY) | st.text(st.characters(), max_size=5), max_size=8).map("".join)
storable = texts.map(lambda text: text.replace("\x00", "").encode(errors="ignore").decode())


def harmless(output: str) -> bool:
    """Nothing but printable characters and line ends, and no pile of marks."""
    marks = 0
    for each in output:
        marks = marks + 1 if unicodedata.combining(each) else 0
        if marks > MAX_MARKS or not (each.isprintable() or each == "\n"):
            return False
    return True


@given(texts)
def test_what_is_made_printable_is_harmless_and_one_line(text: str) -> None:
    assert harmless(printable(text))
    assert "\n" not in printable(text)


@settings(max_examples=25)
@given(content=texts.map(lambda text: text.encode(errors="surrogatepass")) | st.binary(), stream=storable, why=storable)
@example(content="".join(NASTY[:-4]).encode(), stream="\x1b[2J", why="\x9b\u202e")
def test_dead_letters_are_listed_and_shown_harmlessly(
    environment: dict[str, str], engine: Engine, content: bytes, stream: str, why: str
) -> None:
    clear(engine)
    store_dead_letter(engine, Entry(stream, "1-1", content), Reason.DATA_ERROR, why)
    ((letter,),) = rows(engine, "SELECT id FROM dead_letter")
    for arguments in (["list"], ["show", str(letter)], ["list", "--json"], ["show", str(letter), "--json"]):
        result = invoke(environment, "dead-letters", *arguments)
        assert result.exit_code == 0, result.output
        assert harmless(result.output), repr(result.output)
        if "--json" in arguments:
            assert result.output.isascii()
            assert json.loads(result.output)


@given(texts, st.sampled_from(FORMS))
def test_the_log_is_harmless_in_either_form(text: str, form: Literal["console", "json"]) -> None:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        configure_logging(form, "INFO")
        (handler,) = root.handlers
        printed: list[str] = []
        handler.emit = lambda record: printed.append(handler.format(record))  # type: ignore[method-assign]
        get_logger("worker").warning("server_away", detail=text)
        logging.getLogger("some.library").error("received %s", text)
        get_logger("worker").error("broken", exc_info=ValueError(text))
    finally:
        root.handlers[:], root.level = handlers, level
    assert len(printed) == 3
    for line in printed:
        plain = line
        for color in COLOURS:
            plain = plain.replace(color, "")
        assert harmless(plain), repr(line)
