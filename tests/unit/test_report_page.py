"""The page: whole by itself, safe, and with the numbers behind each picture."""

import re
import sys
from dataclasses import replace
from typing import Any

import pytest

from tests.support.pages import Page
from tests.support.reports import AS_OF, NO_HOURS, NOTHING, class_list, course, empty_course, learner, new_learner
from worker.errors import ConfigurationError
from worker.reports import page
from worker.reports.course_report import course_report
from worker.reports.formatting import shown
from worker.reports.learner_report import learner_report
from worker.reports.page import POLICY, as_page, page_columns, sections
from worker.reports.table import Column, Kind, Report

NO_PROGRESS = "No lesson of the course is in progress or completed yet."
NO_VISIT = "No visit was recorded."
HOSTILE = "<script>alert(1)</script> \"' & {{ 7 * 7 }}"
REPORTS = {
    "course": course_report(course(topics=5, lessons=5)),
    "small course": course_report(course(topics=1, lessons=1)),
    "empty course": course_report(empty_course()),
    "learner": learner_report(learner()),
    "new learner": learner_report(new_learner()),
}
IDLE = replace(course(), lessons=[], dormant=[], weeks=[], events_by_weekday=NO_HOURS)
every_report = pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)


@every_report
def test_it_asks_for_nothing_and_runs_nothing(report: Report) -> None:
    text = as_page(report)
    assert re.findall(r"https?:|//|url\(|@import|javascript:", text) == []
    found = Page(text)
    assert found.all("script", "link", "img", "iframe", "object", "a", "form") == []
    names = {name for element in found.elements for name in element.attributes}
    assert names & {"src", "href", "srcset", "action", "data"} == set()
    assert [name for name in names if name.startswith("on")] == []
    policies = [each.attributes["content"] for each in found.all("meta") if "http-equiv" in each.attributes]
    assert policies == [POLICY]
    assert POLICY == "default-src 'none'; style-src 'unsafe-inline'"


@every_report
def test_phones_readers_and_programs_find_their_way(report: Report) -> None:
    found = Page(as_page(report))
    assert [each.attributes["lang"] for each in found.all("html")] == ["en"]
    (viewport,) = [each for each in found.all("meta") if each.attributes.get("name") == "viewport"]
    assert viewport.attributes["content"] == "width=device-width, initial-scale=1"
    assert str(report.id) in found.all("title")[0].text
    first, second, *others = [each.tag for each in found.all("h1", "h2", "h3", "h4")]
    assert (first, second, set(others) - {"h3"} <= {"h2"}) == ("h1", "h2", True)
    for table in found.all("table"):
        captions = [each.text for each in found.all("caption", within=table)]
        captions += [
            each.text
            for each in found.elements
            if each.attributes.get("id") == table.attributes.get("aria-labelledby", 0)
        ]
        assert [bool(each) for each in captions] == [True]
        assert {each.attributes.get("scope") for each in found.all("th", within=table)} == {"col", "row"}
    identifiers = [each.attributes["id"] for each in found.elements if "id" in each.attributes]
    assert len(identifiers) == len(set(identifiers))
    assert {each.attributes["aria-labelledby"] for each in found.all("section")} == set(identifiers) - {"grid"}


def cell_text(column: Column[Any], row: Any) -> str:
    if column.kind is not Kind.LESSON:
        return shown(column.value(row), column.kind)
    return f"{row.title or ''}topic {row.topic_id}, lesson {row.lesson_id}"


@every_report
def test_each_picture_says_what_it_shows_and_has_its_table(report: Report) -> None:
    found = Page(as_page(report))
    for figure in found.all("figure"):
        parts = found.all("svg", "div", "ul", "table", within=figure)
        drawn = [each for each in parts if each.attributes.get("role") == "img" and each.attributes["aria-label"]]
        assert drawn or [each for each in parts if each.tag in {"ul", "table"}], "nothing says what it shows"
        (section,) = [found.elements[each] for each in figure.ancestors if found.elements[each].tag == "section"]
        table = report.table(str(section.attributes["aria-labelledby"]))
        body = found.all("tbody", within=section)[-1]
        rows = [[each.text for each in found.all("th", "td", within=row)] for row in found.all("tr", within=body)]
        assert rows == [[cell_text(column, row) for column in page_columns(table)] for row in table.rows]
    unlabeled = [each for each in found.all("svg") if not each.attributes.get("aria-label")]
    assert [each for each in unlabeled if each.attributes.get("aria-hidden") != "true"] == []


def test_every_kind_of_picture_is_drawn() -> None:
    drawn = {
        picture.template for report in REPORTS.values() for each in sections(report)[0] for picture in each.pictures
    }
    assert drawn == {"columns", "bars", "tiles", "grid"}
    assert [len(each.pictures) for each in sections(REPORTS["course"])[0]] == [1, 2, 3, 1, 2, 0]


def test_a_column_is_as_high_as_its_number() -> None:
    report = REPORTS["course"]
    (chart,) = sections(report)[0][0].pictures
    started = [lesson.statistics.started for lesson in report.table("lessons").rows]
    heights = [
        float(each)
        for each in re.findall(r'class="pale" x="[\d.]+" y="[\d.]+" width=".8" height="([\d.]+)"', as_page(report))
    ]
    top = chart.scale.top  # type: ignore[union-attr]
    assert heights[: len(started)] == [round(100 * each / top, 2) for each in started]


def test_titles_are_text_wherever_they_stand() -> None:
    made = course()
    lessons = [replace(each, title=HOSTILE, is_blocker=True) for each in made.lessons]
    for report in (course_report(replace(made, lessons=lessons)), learner_report(learner(title=HOSTILE))):
        text = as_page(report)
        assert "<script" not in text
        found = Page(text)
        assert {tag for tag in ("td", "p", "title") if any(HOSTILE in each.text for each in found.all(tag))} == {
            "td",
            "p",
            "title",
        }


@pytest.mark.parametrize(
    ("report", "sentences"),
    [
        (course_report(IDLE, class_list(enrollments=0)), "No enrollments yet."),
        (course_report(replace(IDLE, pending=1)), ""),
        (REPORTS["empty course"], ""),
        (REPORTS["new learner"], ""),
        (learner_report(replace(new_learner(), as_of=AS_OF)), NO_VISIT),
        (learner_report(replace(new_learner(), as_of=AS_OF, pending=1)), ""),
        (
            learner_report(replace(learner(), stuck=[], achievements=[])),
            "Not stuck on any lesson. No achievements yet.",
        ),
    ],
)
def test_absence_is_stated_once_and_not_drawn(report: Report, sentences: str) -> None:
    made, absences = sections(report)
    assert absences == sentences
    assert as_page(report).count(sentences or (" changes " if report.as_of else "Not computed yet.")) == 1
    assert [each.table.name for each in made if not each.table.rows] == []
    assert bool(made) == ("Not stuck" in sentences)


def test_a_course_that_nobody_has_started_is_not_drawn() -> None:
    found = course()
    lessons = [
        replace(
            each,
            statistics=replace(each.statistics, started=0, completed=0),
            spent=NOTHING,
            stopped=0,
            drop_off=None,
            is_blocker=False,
        )
        for each in found.lessons
    ]
    made, absences = sections(course_report(replace(found, lessons=lessons), class_list()))
    assert {each.table.name for each in made} & {"lessons", "blockers", "time-spent"} == set()
    assert absences == NO_PROGRESS


def test_an_untitled_lesson_is_called_by_its_ids() -> None:
    found = course()
    bare = [replace(each, title=None) for each in found.lessons]
    text = as_page(course_report(replace(found, lessons=bare)))
    assert "topic 1, lesson 101" in text
    assert "None" not in text
    assert "Next is topic 4, lesson 1: first not completed" in as_page(learner_report(learner()))


def test_without_the_extra_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    page._environment.cache_clear()
    try:
        with pytest.raises(ConfigurationError, match=r"pip install 'course-progress-worker\[report\]'"):
            as_page(REPORTS["course"])
    finally:
        page._environment.cache_clear()
