"""Each format's outline, clause by clause, and a sentence that names the place for what is none."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support import canvas
from worker.adapters.outlines.document import OutlineDocument
from worker.adapters.outlines.formats import READERS
from worker.cli.outline_load import FORMATS
from worker.contract.connection import Connection
from worker.contract.named_event import NamedOutline
from worker.errors import InputError

DATA = Path(__file__).parents[1] / "data" / "lms" / "outline"
EXPECTED = [json.loads(line) for line in (DATA / "expected.jsonl").read_text(encoding="utf-8").splitlines()]
Lesson = tuple[str, str | None, str | None]


def read(format_name: str, content: object, course: str | None = None, **options: Any) -> list[NamedOutline]:
    """The outlines of bytes, text or what becomes JSON."""
    if not isinstance(content, bytes | str):
        content = json.dumps(content)
    data = content if isinstance(content, bytes) else content.encode()
    return READERS[format_name](OutlineDocument(data, "x", Connection(name="lms", **options), course))


def lessons(outline: NamedOutline) -> list[Lesson]:
    return [(each.lesson, each.topic, each.title) for each in outline.lessons]


def problem(format_name: str, content: object, course: str | None = None) -> str:
    with pytest.raises(InputError) as refused:
        read(format_name, content, course)
    return str(refused.value)


def test_the_command_offers_every_format() -> None:
    assert set(FORMATS) == set(READERS)


# ---- cmi5


@pytest.mark.parametrize("expected", EXPECTED, ids=[each["file"] for each in EXPECTED])
def test_published_course_structures_give_their_outline(expected: dict[str, Any]) -> None:
    (outline,) = read("cmi5", (DATA / Path(expected["file"]).name).read_bytes())
    assert outline.course == expected["course"]
    assert lessons(outline) == [(each["lesson"], each["topic"], each["title"]) for each in expected["lessons"]]


def structure(inside: str, course: str = '<course id="c"/>', declared: str = "") -> str:
    return f'{declared}<courseStructure xmlns="urn:cmi5">{course}{inside}</courseStructure>'


def test_a_topic_is_the_innermost_block_with_an_id() -> None:
    (outline,) = read(
        "cmi5",
        structure(
            '<au id="a"/><block id="b1"><au id="b"/><block id=" b2 "><au id=" c "/></block><block><au id="d"/></block>'
            '<au id="e"/></block><au id="f"/>'
        ),
    )
    assert [each[:2] for each in lessons(outline)] == [
        *(("a", None), ("b", "b1"), ("c", "b2"), ("d", "b1"), ("e", "b1"), ("f", None)),
    ]


@pytest.mark.parametrize(
    ("titles", "title"),
    [
        ('<langstring lang="de">Eins</langstring><langstring lang="en-GB">One</langstring>', "One"),
        ('<langstring lang="de">Eins</langstring><langstring lang="fr">Un</langstring>', "Eins"),
        ('<langstring lang="de"> </langstring><langstring lang="fr">\n Un\n  deux </langstring>', "Un deux"),
        ("<langstring>Q &amp; <![CDATA[<A>]]></langstring>", "Q & <A>"),
        ('<langstring lang="enx">No</langstring><langstring lang="EN">One</langstring>', "One"),
        ("", None),
    ],
)
def test_the_title_is_the_english_one_or_the_first(titles: str, title: str | None) -> None:
    (outline,) = read("cmi5", structure(f'<au id="a"><title>{titles}</title></au>'))
    assert outline.lessons[0].title == title


def test_extensions_and_descriptions_are_neither_lessons_nor_titles() -> None:
    other = '<k:au xmlns:k="urn:k" id="k"><k:title><k:langstring>No</k:langstring></k:title></k:au>'
    text = f'<au id="a">{other}<description><langstring>No</langstring></description></au>'
    (outline,) = read("cmi5", structure(text))
    assert lessons(outline) == [("a", None, None)]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "iso-8859-1", "windows-1252"])
def test_xml_says_its_encoding(encoding: str) -> None:
    name = "utf-8" if encoding == "utf-8-sig" else encoding
    declared = f'<?xml version="1.0" encoding="{name}"?>'
    (outline,) = read("cmi5", structure('<au id="Li\u00e8ge"/>', declared=declared).encode(encoding))
    assert outline.lessons[0].lesson == "Liège"


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
DECLARED = "x, line 1: a document type declaration, which a course structure has no use for"


def test_a_billion_laughs_are_none() -> None:
    text = f'<!DOCTYPE courseStructure [<!ENTITY l0 "ha">{LAUGHS}]>' + structure('<au id="&l9;"/>')
    assert problem("cmi5", text).startswith(DECLARED)


@pytest.mark.parametrize("where", ["SYSTEM", 'PUBLIC "p"'])
def test_a_file_that_an_entity_names_is_not_read(where: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    entity = f'<!DOCTYPE c [<!ENTITY e {where} "{(tmp_path / "secret").as_uri()}">]>'
    titled = '<au id="a"><title><langstring>&e;</langstring></title></au>'
    assert problem("cmi5", entity + structure(titled)).startswith(DECLARED)
    external = f'<!DOCTYPE c {where} "{(tmp_path / "secret").as_uri()}">'
    assert problem("cmi5", external + structure(titled)).startswith(DECLARED)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "x, line 1: not XML (no element found)."),
        ("{}", "x, line 1: not XML (not well-formed (invalid token))."),
        ("<a/>", "x: not a cmi5 course structure, which begins with <courseStructure>."),
        (structure("", course=""), "x: the course has no id."),
        (structure("", course='<course id=" "/>'), "x: the course has no id."),
        (structure("\n<au/>"), "x, line 2: the lesson has no name."),
        (structure('\n<au id="a"/>\n<au id="a"/>'), "x, line 3: lesson 'a' is already at line 2. Remove one."),
        (structure("<au>"), "x, line 1: not XML (mismatched tag)."),
        (structure('<au id="&e;"/>'), "x, line 1: not XML (undefined entity)."),
        ('<?xml version="1.0" encoding="nope"?><a/>', "x, line 1: its encoding is unknown. Save the file as UTF-8."),
        ('<?xml version="1.0" encoding="zlib"?><a/>', "x, line 1: its encoding is unknown. Save the file as UTF-8."),
    ],
)
def test_what_is_no_course_structure_is_told_so(content: str, expected: str) -> None:
    assert problem("cmi5", content) == expected


def test_elements_may_be_as_deep_as_the_file_is_long() -> None:
    (outline,) = read("cmi5", structure('<block id="b">' * 100_000 + '<au id="a"/>' + "</block>" * 100_000))
    assert lessons(outline) == [("a", "b", None)]


# ---- Moodle

MOODLE = [
    {
        "id": 11,
        "name": "Week 1",
        "modules": [
            {"id": 1, "name": "Q &amp; A", "modname": "forum", "visible": 1, "uservisible": True},
            {"id": 2, "name": "Text", "modname": "label", "visible": 1},
            {"id": 3, "name": "Going", "modname": "page", "deletioninprogress": 1},
            {"id": 4, "name": "Hidden", "modname": "page", "visible": 0},
            {"id": 5, "name": "Later", "modname": "quiz", "visible": 1, "uservisible": False},
            {"id": 6, "name": "Part", "modname": "subsection", "instance": 7},
            {"id": 9, "name": "", "modname": "page", "visible": 1, "visibleoncoursepage": 0},
            {"id": 16, "name": "Questions", "modname": "qbank", "visible": 1},
        ],
    },
    {"id": 12, "name": "Week 2", "modules": []},
    {"id": 13, "name": "Part", "component": "mod_subsection", "itemid": 7, "modules": [{"id": 8, "modname": "page"}]},
    {"id": 14, "component": "mod_subsection", "itemid": 99, "modules": [{"id": 15, "modname": "page"}]},
    {"id": -1, "modules": [{"id": 10, "name": "Stealth", "modname": "page"}]},
]


@pytest.mark.parametrize("course", ["5", "course:5"])
def test_moodles_activities_are_lessons_in_the_order_of_the_course_page(course: str) -> None:
    (outline,) = read("moodle", MOODLE, course)
    assert outline.course == "course:5"
    assert lessons(outline) == [
        ("cm:1", "section:11", "Q & A"),
        ("cm:4", "section:11", "Hidden"),
        ("cm:5", "section:11", "Later"),
        ("cm:8", "section:13", None),
        ("cm:9", "section:11", None),
        ("cm:10", None, "Stealth"),
        ("cm:15", "section:14", None),
    ]


@pytest.mark.parametrize("course", [None, "", "math-1", "0", "05", "course:", "5 ", "\u0665", "9" * 20])
def test_moodles_course_has_to_be_given(course: str | None) -> None:
    assert problem("moodle", MOODLE, course).endswith(
        f"--course {course!r} is not Moodle's id of the course, a number such as 5."
        if course
        else "Add --course with Moodle's id of the course, such as --course 5."
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            {"exception": "moodle_exception", "errorcode": "invalidtoken", "message": "Invalid token - not found"},
            "x is an error that Moodle answered, not a course: 'Invalid token - not found'.",
        ),
        ({"exception": "e"}, "x is an error that Moodle answered, not a course: 'e'."),
        ({}, "x: not a list of sections, which Moodle's core_course_get_contents answers as JSON."),
        ([1], "x, section number 1: not an object with id and modules."),
        ([{"modules": []}], "x, section number 1: id is not a number of Moodle's."),
        ([{"id": 1}], "x, section number 1: no list of modules. Call the function without excludemodules."),
        ([{"id": 1, "modules": [1]}], "x, section 1, module number 1: not an object with id and name."),
        *(
            ([{"id": 1, "modules": [{"id": wrong}]}], "x, section 1, module number 1: id is not a number of Moodle's.")
            for wrong in (None, "1", True, 0, 2**63, 1.0)
        ),
        (
            [{"id": 1, "modules": [{"id": 2}, {"id": 2}]}],
            "x, section 1, module number 2: lesson 'cm:2' is already at section 1, module number 1. Remove one.",
        ),
        ("[", "x: not JSON (EOF while parsing a list at line 1 column 1)."),
    ],
)
def test_what_is_no_answer_of_moodle_is_told_so(content: object, expected: str) -> None:
    assert problem("moodle", content, "5") == expected


def test_an_id_of_5_000_digits_is_refused() -> None:
    for digits in (100, 5_000):
        sections = '[{"id": 1, "modules": [{"id": ' + "9" * digits + "}]}]"
        assert re.search("id is not a number|number out of range", problem("moodle", sections, "5"))


# ---- Open edX

RUN = "block-v1:edX+DemoX+Demo"


def key(kind: str, name: str) -> str:
    return f"{RUN}+type@{kind}+block@{name}"


def edx(root: str = key("course", "course"), **blocks: tuple[str, list[str]]) -> dict[str, Any]:
    """An answer: each block's type and children by name; the root's name is `course`."""
    keys = {name: key(kind, name) for name, (kind, _) in blocks.items()} | {"course": root}
    answer: dict[str, Any] = {"root": root, "blocks": {}}
    for name, (kind, children) in blocks.items():
        block: dict[str, Any] = {"id": keys[name], "type": kind, "display_name": f" {name.title()} "}
        if children:
            block["children"] = [keys.get(child, child) for child in children]
        answer["blocks"][keys[name]] = block
    return answer


DEMO = edx(
    course=("course", ["c1", "c2"]),
    c2=("chapter", ["s2"]),
    c1=("chapter", ["s1"]),
    s1=("sequential", ["v1", "v2"]),
    s2=("sequential", ["v3"]),
    v1=("vertical", ["text", "talk", "film"]),
    v2=("vertical", []),
    v3=("vertical", ["either", "built", "text"]),
    either=("split_test", ["g1", "g2"]),
    g1=("vertical", ["quiz"]),
    g2=("vertical", ["game"]),
    built=("problem-builder", ["part"]),
    part=("pb-mcq", []),
    text=("html", []),
    talk=("discussion", []),
    film=("video", []),
    quiz=("problem", []),
    game=("lti_consumer", []),
)


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("block", "c1: text film, c2: quiz game built"),
        ("vertical", "c1: v1 v2, c2: v3"),
        ("sequential", "c1: s1, c2: s2"),
    ],
)
def test_a_lesson_of_edx_is_what_is_completed_or_a_unit_or_sequence(level: str, expected: str) -> None:
    (outline,) = read("edx", DEMO, edx_level=level)
    assert outline.course == "course-v1:edX+DemoX+Demo"
    topics: dict[str | None, list[str]] = {}
    for lesson, topic, title in lessons(outline):
        name = lesson.rpartition("@")[2]
        assert title == name.title()
        assert DEMO["blocks"][lesson]["display_name"].strip() == title
        topics.setdefault(topic, []).append(name)
    assert (
        ", ".join(f"{(topic or '').rpartition('@')[2]}: {' '.join(each)}" for topic, each in topics.items()) == expected
    )
    assert set(topics) == {key("chapter", "c1"), key("chapter", "c2")}


def test_what_only_staff_may_see_is_left_out_with_all_that_is_in_it() -> None:
    answer = json.loads(json.dumps(DEMO))
    answer["blocks"][key("chapter", "c1")]["visible_to_staff_only"] = True
    answer["blocks"][key("problem", "quiz")]["visible_to_staff_only"] = False
    (outline,) = read("edx", answer)
    assert [each.lesson.rpartition("@")[2] for each in outline.lessons] == ["quiz", "game", "built", "text"]


@pytest.mark.parametrize(
    ("root", "course"),
    [
        (f"{RUN}+type@course+block@course", "course-v1:edX+DemoX+Demo"),
        ("block-v1:o+c+r+branch@draft-branch+version@5+type@course+block@course", "course-v1:o+c+r"),
        ("ccx-block-v1:o+c+r+ccx@1+type@course+block@course", "ccx-v1:o+c+r+ccx@1"),
        ("i4x://edX/DemoX/course/Demo_Course", "edX/DemoX/Demo_Course"),
        ("i4x://edX/DemoX/course/Demo_Course@draft", "edX/DemoX/Demo_Course"),
    ],
)
def test_the_course_is_named_by_its_course_key(root: str, course: str) -> None:
    (outline,) = read("edx", edx(root, course=("course", ["text"]), text=("html", [])))
    assert outline.course == course
    assert len(outline.lessons) == 1


QUERY = "depth=all&all_blocks=true&requested_fields=children,visible_to_staff_only"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"developer_message": "Not found."}, "x is an error that Open edX answered, not a course: 'Not found.'."),
        ({"detail": "No credentials."}, "x is an error that Open edX answered, not a course: 'No credentials.'."),
        ([{"id": "a"}], f"x: no root and blocks. Ask /api/courses/v2/blocks/ with course_id=…&{QUERY} and without"),
        ({"root": 1, "blocks": {}}, "x: no root and blocks."),
        (edx(course=("course", []), text=("html", [])), f"x: no block has children. Ask with {QUERY}."),
        (edx(course=("course", ["gone"])), f"x: block 'gone' is missing. Ask with {QUERY}."),
        (
            edx(key("chapter", "c"), course=("chapter", ["text"]), text=("html", [])),
            f"x: the root '{RUN}+type@chapter+block@c' is not a course.",
        ),
        (edx("r" * 1_025, course=("course", [])), "x: the root 'rrr"),
        ({"root": "r", "blocks": {"r": {"children": "ab"}}}, "x, block 'r': children is not a list of usage keys."),
        ({"root": "r", "blocks": {"r": {"children": [[]]}}}, "x, block 'r': children is not a list of usage keys."),
    ],
)
def test_what_is_no_answer_of_edx_is_told_so(content: object, expected: str) -> None:
    assert problem("edx", content).startswith(expected)


def test_a_circle_of_blocks_ends() -> None:
    (outline,) = read(
        "edx", edx(course=("course", ["s"]), s=("sequential", ["course", "s", "text"]), text=("html", []))
    )
    assert len(outline.lessons) == 1


def test_a_chain_of_blocks_may_be_long() -> None:
    blocks: dict[str, Any] = {f"b{n}": ("vertical", [f"b{n + 1}"]) for n in range(50_000)}
    (outline,) = read("edx", edx(**{"course": ("course", ["b0"]), **blocks, "b50000": ("html", [])}))
    assert len(outline.lessons) == 1


# ---- CSV

CSV = """course,topic,lesson,title,aliases
math-1,unit-1, l1 ,"One, and more",a|b |l1||a
art,,l1,,
math-1,unit-2,l2,Two
"""


@pytest.mark.parametrize(
    "text",
    [
        CSV,
        f"\ufeff{CSV}".replace("\n", "\r\n"),
        "sep=;\n" + CSV.replace(",", ";").replace("One; and", "One, and"),
        CSV.replace(",", "\t").replace("One\t and", "One, and"),
        CSV.replace("course,topic,lesson,title,aliases", '"Course", TOPIC ,Lesson,Title,Aliases,'),
    ],
    ids=["commas", "of Windows", "semicolons", "tabs", "a header for people"],
)
def test_a_csv_file_has_an_outline_for_each_course(text: str) -> None:
    math, art = read("csv", text)
    assert (math.course, art.course) == ("math-1", "art")
    assert lessons(math) == [("l1", "unit-1", "One, and more"), ("l2", "unit-2", "Two")]
    assert [each.aliases for each in math.lessons] == [("a", "b"), None]
    assert lessons(art) == [("l1", None, None)]


def test_topic_title_and_aliases_may_be_left_out_in_any_order() -> None:
    (outline,) = read("csv", "lesson,course\nl1,c\n")
    assert lessons(outline) == [("l1", None, None)]
    assert read("csv", "lesson,course,topic,title\n") == []


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "x is empty."),
        (
            "topic_id,lesson_id\n1,2\n",
            "x, line 1: 'topic_id,lesson_id' is not the header of a CSV file with an outline",
        ),
        ("course,lesson,colour\n", "x, line 1: 'course,lesson,colour' is not the header"),
        ("course,topic,title\n", "x, line 1: 'course,topic,title' is not the header"),
        ("course,lesson,lesson\n", "x, line 1: 'course,lesson,lesson' is not the header"),
        ("course,lesson\nc,\n", "x, line 2: the lesson is missing."),
        ("course,lesson\n , l1\n", "x, line 2: the course is missing."),
        ("lesson,course\nl1\n", "x, line 2: the course is missing."),
        ("course,lesson\nc,l\n\nc,l\n", "x, line 4: lesson 'l' is already at line 2. Remove one."),
        (
            "course,lesson,aliases\nc,l,a\nd,l,a\nc,m,b|a\n",
            "x, line 4: alias 'a' is already that of the lesson at line 2. Remove one.",
        ),
        (
            "course,lesson,aliases\nd,m,\nc,l,m\nc,m,\n",
            "x, line 3: alias 'm' is the name of the lesson at line 4. Remove one.",
        ),
        ("course,lesson\nc,l,t\n", "x, line 2: 3 cells under 2 columns. Put a title that contains a comma in"),
        ('course,lesson\nc,"l\n', "x, line 2: not CSV (unexpected end of data)."),
        ("course,lesson\nc,l\n".encode("utf-16"), "x, line 1: not UTF-8 text. It looks like UTF-16"),
        ("course,lesson\nc,Li\u00e8ge\n".encode("latin-1"), "x, line 2: not UTF-8 text."),
    ],
)
def test_the_first_mistake_in_a_csv_file_is_named_with_its_line(content: object, expected: str) -> None:
    assert problem("csv", content).startswith(expected)


# ---- All


def test_long_names_are_hashed_as_those_of_events_are() -> None:
    from worker.adapters.names import to_name

    long = "é" * 600
    (outline,) = read("csv", f"course,topic,lesson,title,aliases\n{long}c,{long}t,{long}l,{long},{long}a|short\n")
    (lesson,) = outline.lessons
    assert (outline.course, lesson.topic, lesson.lesson) == (
        to_name(f"{long}c"),
        to_name(f"{long}t"),
        to_name(f"{long}l"),
    )
    assert lesson.lesson.startswith("sha256:")
    assert lesson.aliases == (to_name(f"{long}a"), "short")
    assert lesson.title == long


def test_names_that_hold_a_mail_address_are_hashed_as_those_of_events_are() -> None:
    from worker.adapters.names import to_name

    mail = "ann@school.example"
    (outline,) = read("csv", f"course,topic,lesson,title,aliases\nc {mail},t {mail},l {mail},by {mail},a {mail}\n")
    (lesson,) = outline.lessons
    assert (outline.course, lesson.topic, lesson.lesson, lesson.aliases) == (
        *(to_name(f"c {mail}"), to_name(f"t {mail}"), to_name(f"l {mail}"), (to_name(f"a {mail}"),)),
    )
    assert lesson.lesson.startswith("sha256:")


def test_nuls_and_unpaired_surrogates_are_replaced() -> None:
    sections = '[{"id": 1, "modules": [{"id": 2, "name": "a\\u0000b"}]}]'
    (outline,) = read("moodle", sections, "5")
    assert outline.lessons[0].title == "a\ufffdb"
    (outline,) = read("csv", "course,lesson\nc,a\0b\n")
    assert outline.lessons[0].lesson == "a\ufffdb"


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_file_above_16_mib_is_refused(format_name: str) -> None:
    assert problem(format_name, b" " * (16 * 1024 * 1024 + 1), "5").startswith("x is larger than 16 MiB")


# ---- Canvas

CANVAS: list[dict[str, Any]] = [
    {
        "id": 31,
        "name": "Week 1",
        "items_url": "https://c.example/api/v1/courses/565/modules/31/items",
        "published": True,
        "items": [
            {"id": 1, "type": "Page", "title": " Welcome ", "page_url": "welcome", "published": True},
            {"id": 2, "type": "SubHeader", "title": "Tasks"},
            {"id": 3, "type": "Assignment", "title": "Essay", "content_id": 12, "published": True},
            {"id": 4, "type": "Quiz", "title": "Hidden", "content_id": 22, "published": False},
            {
                "id": 5,
                "type": "Quiz",
                "content_id": "1121~22",
                "html_url": "https://c.example/courses/565/modules/items/5",
            },
        ],
    },
    {"id": 32, "published": False, "items": [{"id": 6, "type": "File", "content_id": 7}]},
    {
        "id": "33",
        "items": [
            {"id": 7, "type": "Discussion", "content_id": 8},
            {"id": 8, "type": "File", "content_id": 9},
            {"id": 9, "type": "ExternalTool", "content_id": 10},
            {"id": 10, "type": "ExternalUrl", "title": "Elsewhere"},
            {"id": 11, "type": "Assignment", "content_id": 12},
            {"id": 12, "type": "Page", "content_id": 13, "page_url": "p"},
        ],
    },
]


@pytest.mark.parametrize("course", [None, "565", "course:565"])
def test_canvas_items_are_lessons_and_what_they_show_their_aliases(course: str | None) -> None:
    (outline,) = read("canvas", CANVAS, course)
    assert outline.course == "course:565"
    assert [(each.lesson, each.topic, each.title, each.aliases) for each in outline.lessons] == [
        ("module_item:1", "module:31", "Welcome", ("wiki_page:welcome",)),
        ("module_item:3", "module:31", "Essay", ("assignment:12",)),
        ("module_item:5", "module:31", None, ("quiz:1121~22",)),
        ("module_item:7", "module:33", None, ("discussion_topic:8",)),
        ("module_item:8", "module:33", None, ("attachment:9",)),
        ("module_item:9", "module:33", None, None),
        ("module_item:10", "module:33", "Elsewhere", None),
        ("module_item:11", "module:33", None, None),
        ("module_item:12", "module:33", None, ("wiki_page:13",)),
    ]


def test_canvas_lessons_are_those_of_its_events() -> None:
    (outline,) = read("canvas", CANVAS)
    names = {name for each in outline.lessons for name in (each.lesson, *(each.aliases or ()))}
    view = canvas.live("asset_accessed", canvas.asset(), url="https://c.example/courses/565/pages/w?module_item_id=1")
    submission = canvas.live("submission_created", {"assignment_id": canvas.wide(12), "user_id": canvas.wide(4)})
    for event in (view, submission):
        assert canvas.event_of(event).data.lesson in names


@pytest.mark.parametrize(
    ("content", "course", "expected"),
    [
        (
            {"errors": [{"message": "Invalid access token."}]},
            None,
            "x is an error that Canvas answered, not modules: [{'message': 'Invalid access token.'}].",
        ),
        ({}, None, "x: not a list of modules, which Canvas answers as JSON to "),
        ([1], None, "x, module number 1: not an object with id and items."),
        ([{"id": "x", "items": []}], "5", "x, module number 1: id is not a number of Canvas's."),
        ([{"id": 1}], "5", "x, module number 1: no list of items. Ask "),
        ([{"id": 1, "items": [1]}], "5", "x, module number 1, item number 1: not an object with id and type."),
        (
            [{"id": 1, "items": [{"id": None}]}],
            "5",
            "x, module number 1, item number 1: id is not a number of Canvas's.",
        ),
        ([{"id": 1, "items": []}], None, "x: nothing says of which course it is. Add --course with Canvas's id of it."),
        ([], "math", "x: the modules are not all of one course, or --course is not its id."),
        (CANVAS, "566", "x: the modules are not all of one course, or --course is not its id."),
        (
            [{"id": 1, "items": [{"id": 2}, {"id": 2}]}],
            "5",
            "x, module number 1, item number 2: lesson 'module_item:2' is already at module number 1, item number 1.",
        ),
    ],
)
def test_what_is_no_answer_of_canvas_is_told_so(content: object, course: str | None, expected: str) -> None:
    assert problem("canvas", content, course).startswith(expected)
