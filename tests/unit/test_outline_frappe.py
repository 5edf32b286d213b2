"""Outlines of Frappe LMS, from its documents or its own answer, and a sentence for what is none."""

import json
from typing import Any

import pytest

from worker.adapters.outlines.document import OutlineDocument
from worker.adapters.outlines.frappe import read_frappe
from worker.contract.connection import Connection
from worker.contract.named_event import NamedOutline
from worker.errors import InputError

ANSWER = {
    "message": [
        {
            "name": "c1",
            "title": "One",
            "idx": 1,
            "lessons": [{"name": "l1", "title": " First "}, {"name": "l2", "title": None}],
        },
        {"name": "c2", "title": "Two", "idx": 2, "lessons": [{"name": "l3"}]},
        {"name": "c3", "title": "Empty", "idx": 3, "lessons": []},
    ]
}
LESSONS = [("l1", "c1", "First"), ("l2", "c1", None), ("l3", "c2", None)]


def course(name: str = "guide", *chapters: str) -> dict[str, Any]:
    rows = [{"doctype": "Chapter Reference", "idx": n, "chapter": each} for n, each in enumerate(chapters, 1)]
    return {"doctype": "LMS Course", "name": name, "title": "A guide", "chapters": rows[::-1]}


def chapter(name: str, *lessons: str) -> dict[str, Any]:
    rows = [{"doctype": "Lesson Reference", "idx": n, "lesson": each} for n, each in enumerate(lessons, 1)]
    return {"doctype": "Course Chapter", "name": name, "title": "A chapter", "lessons": rows[::-1]}


DOCUMENTS = [
    chapter("c2", "l3"),
    {"data": course("guide", "c1", "c2")},
    {"data": chapter("c1", "l1", "l2")},
    {"doctype": "Course Lesson", "name": "l1", "title": "First"},
]


def read(content: object, course_name: str | None = None) -> list[NamedOutline]:
    return read_frappe(OutlineDocument(json.dumps(content).encode(), "x", Connection(name="lms"), course_name))


def lessons(outline: NamedOutline) -> list[tuple[str, str | None, str | None]]:
    return [(each.lesson, each.topic, each.title) for each in outline.lessons]


@pytest.mark.parametrize("content", [ANSWER, DOCUMENTS], ids=["answer", "documents"])
def test_a_course(content: object) -> None:
    (outline,) = read(content, "guide")
    assert (outline.course, lessons(outline)) == ("guide", LESSONS)


def test_several_courses_in_one_file() -> None:
    outlines = read([*DOCUMENTS, course("empty"), course("same", "c2")])
    assert [(each.course, len(each.lessons)) for each in outlines] == [("guide", 3), ("empty", 0), ("same", 1)]


def test_a_document_given_twice_counts_once() -> None:
    assert read([*DOCUMENTS, *DOCUMENTS]) == read(DOCUMENTS)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (ANSWER, "x: Frappe's answer does not say which course it is of. Add --course"),
        (
            {"exc_type": "PermissionError", "_server_messages": "[]"},
            "x is an error that Frappe answered: 'PermissionError'",
        ),
        (1, "x, document 1: not an object with doctype"),
        ([course(), 7], "x, document 2: not an object with doctype"),
        ({"data": [course()]}, "x, document 1: not an object with doctype"),
        ([], "x has no document of doctype LMS Course."),
        (chapter("c1"), "x has no document of doctype LMS Course."),
        (course("guide", "c1"), "x, course guide: the document of its chapter c1 is missing. Add it."),
        (course() | {"chapters": None}, "x, course guide: no list of chapters. Export the document by its name"),
        (course() | {"chapters": [1]}, "x, course guide, chapters: not an object."),
        (course() | {"chapters": [{}]}, "x, course guide, chapters: no chapter."),
        (course() | {"name": None}, "x, document 1: no name."),
        ([course("guide", "c1"), chapter("c1", "l1", "l1")], "x, chapter c1, lesson l1: lesson 'l1' is already at"),
    ],
    ids=range(13),
)
def test_what_is_none_is_told(content: object, problem: str) -> None:
    with pytest.raises(InputError) as refused:
        read(content)
    assert str(refused.value).startswith(problem)


@pytest.mark.parametrize("chapters", [[1], [{"lessons": 1}], [{"lessons": [1]}], [{"lessons": [{}]}]], ids=range(4))
def test_an_answer_that_is_not_frappes_is_told(chapters: object) -> None:
    with pytest.raises(InputError, match=r"^x, chapter number 1"):
        read({"message": chapters}, "guide")
