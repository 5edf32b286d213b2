"""docs/names.md: its table of a connection's members is that of the model, and its examples are valid."""

import re
import tomllib
from pathlib import Path
from textwrap import dedent

from worker.contract.connection import Connection
from worker.identity.map_csv import read_names

PAGE = (Path(__file__).parents[2] / "docs" / "names.md").read_text(encoding="utf-8")
MAX_LINES = 125


def examples() -> list[str]:
    """The indented blocks."""
    return [dedent(block) for block in re.findall(r"(?:^ {4}.*\n)+(?:\n(?: {4}.*\n)+)*", PAGE, re.MULTILINE)]


def test_the_table_has_each_member_with_its_default_and_description() -> None:
    members = {name: field for name, field in Connection.model_fields.items() if name != "name"}
    assert re.findall(r"^\| `(\w+)` \| (.*?) ?\| (.*) \|$", PAGE, re.MULTILINE) == [
        (name, "" if field.default is None else f"`{field.default}`".lower(), field.description)
        for name, field in members.items()
    ]


def test_the_examples_are_valid() -> None:
    (connections,) = (tomllib.loads(each) for each in examples() if each.startswith("["))
    for name, members in connections.items():
        Connection.model_validate({**members, "name": name})
    (file,) = (each for each in examples() if each.startswith("kind,"))
    assert [name.kind for name in read_names(file.splitlines(keepends=True), "f")] == ["user", "course", "lesson"]


def test_the_page_is_short() -> None:
    assert len(PAGE.splitlines()) <= MAX_LINES
