"""Whatever the bytes of an outline: outlines that a worker takes, or a sentence about them."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.adapters.outlines.document import OutlineDocument
from worker.adapters.outlines.formats import READERS
from worker.contract.connection import Connection
from worker.contract.named_event import NamedCourseOutlined
from worker.contract.parse import parse
from worker.errors import InputError

NOW = datetime(2025, 7, 14, tzinfo=UTC)
WORDS = [
    *("root", "blocks", "children", "type", "display_name", "id", "modules", "modname", "name", "itemid", "instance"),
    *(
        "component",
        "mod_subsection",
        "subsection",
        "exception",
        "detail",
        "course",
        "chapter",
        "html",
        "\x00",
        "\ud800",
    ),
    *("items", "html_url", "content_id", "page_url", "https://c.example/courses/5/x", "Page", "SubHeader", "published"),
    *("visible", "block-v1:o+c+r+type@course+block@course", "i4x://o/c/course/r", "é" * 600),
]
words = st.sampled_from(WORDS) | st.text(max_size=5)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.integers() | st.floats() | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=5),
    max_leaves=25,
)
block = st.fixed_dictionaries(
    {}, optional={"type": words, "children": st.lists(words, max_size=4) | values, "display_name": values}
)
module = st.fixed_dictionaries(
    {"id": st.integers(1, 9) | values}, optional={"modname": words | values, "name": words, "instance": values}
)
section = st.fixed_dictionaries(
    {"id": st.integers(1, 9), "modules": st.lists(module | values, max_size=4)},
    optional={"component": st.just("mod_subsection"), "itemid": st.integers(0, 2) | values},
)
item = st.fixed_dictionaries({"id": st.integers(1, 9) | values}, optional={"type": words, "content_id": values})
canvas_module = st.fixed_dictionaries(
    {"id": st.integers(1, 9), "items": st.lists(item | values, max_size=4)}, optional={"html_url": words}
)
documents = (
    values
    | st.lists(canvas_module, max_size=4)
    | st.lists(section, max_size=4)
    | st.fixed_dictionaries({"root": words, "blocks": st.dictionaries(words, block | values, max_size=6)})
)
tags = st.sampled_from(
    [
        *(
            "<courseStructure xmlns='u'>",
            "</courseStructure>",
            "<course id='c'/>",
            "<au id='a'>",
            "<au id='b'/>",
            "</au>",
        ),
        *(
            "<block id='b'>",
            "<block>",
            "</block>",
            "<title>",
            "</title>",
            "<langstring lang='en'>",
            "</langstring>",
            "t",
        ),
        *(
            "<!DOCTYPE a [<!ENTITY e 'x'>]>",
            "&e;",
            "&#0;",
            "<?xml version='1.0' encoding='utf-7'?>",
            "<![CDATA[",
            "]]>",
        ),
    ]
)
cells = st.sampled_from(
    ["course", "topic", "lesson", "title", "aliases", ",", ",", ";", "\t", "\n", "\n", '"', "|", "x"]
)
contents = (
    st.binary(max_size=60)
    | documents.map(lambda value: json.dumps(value).encode())
    | st.lists(tags, max_size=14).map(lambda each: "".join(["<courseStructure xmlns='u'>", *each]).encode())
    | st.lists(tags, max_size=14).map(lambda each: "".join(each).encode())
    | st.lists(cells, max_size=30).map(lambda each: f"course,lesson,aliases\n{''.join(each)}".encode())
    | st.lists(cells, max_size=30).map(lambda each: "".join(each).encode())
)


@pytest.mark.parametrize("format_name", READERS)
@given(content=contents, level=st.sampled_from(["block", "vertical", "sequential"]))
def test_any_bytes_are_outlines_that_a_worker_takes_or_a_sentence(format_name: str, content: bytes, level: str) -> None:
    connection = Connection.model_validate({"name": "lms", "edx_level": level})
    try:
        outlines = READERS[format_name](OutlineDocument(content, "x", connection, "5"))
    except InputError as error:
        outlines, sentence = [], str(error)
    else:
        sentence = "x"
    assert sentence.startswith("x")
    assert "\n" not in sentence
    for outline in outlines:
        event = NamedCourseOutlined(id="1", source="lms", time=NOW, data=outline)
        dropped: list[str] = []
        assert parse(event.to_json(), NOW.timestamp() * 1000, dropped) == event
        assert dropped == []
