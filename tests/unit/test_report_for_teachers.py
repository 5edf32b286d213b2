"""A page as a teacher reads it: four figures first, lessons by title, a class list, charts only of what there is."""

from dataclasses import replace
from datetime import date
from itertools import pairwise

import pytest

from tests.support.pages import Page, report_text
from tests.support.reports import AS_OF, class_list, course, learner
from worker.analytics.rules.velocity import Projection, ProjectionState
from worker.reports.chart import Bars, Columns, Part, bars
from worker.reports.class_list import class_headline
from worker.reports.course_report import DROP_OFF, course_report
from worker.reports.formatting import MAX_TITLE, lesson_name, pieces
from worker.reports.learner_report import learner_report
from worker.reports.page import as_page, sections

MEMBERS = class_list()
UNFINISHED = replace(learner(), projection=Projection(ProjectionState.NOT_AT_PRESENT_PACE))
FINISHED = replace(
    learner(),
    is_finished=True,
    completed_at=AS_OF,
    completed_on=date(2025, 7, 3),
    projection=Projection(ProjectionState.FINISHED),
)


@pytest.mark.parametrize("report", [course_report(course()), learner_report(learner())])
def test_four_figures_stand_above_the_others_and_these_under_headings(report: object) -> None:
    page = Page(as_page(report))  # type: ignore[arg-type]
    first, *others = page.all("dl")
    assert (first.attributes["class"], len(page.all("div", within=first))) == ("figures", 4)
    assert [each.text for each in page.all("h3")] == [page.elements[each.ancestors[-1] + 1].text for each in others]


def test_the_fourth_figure_of_a_learner_is_the_date_of_completion() -> None:
    figures = [
        list(report_text(as_page(learner_report(each))).figures.items())[3]
        for each in (learner(), UNFINISHED, FINISHED)
    ]
    assert figures == [
        ("Projected completion", "30 Sep 2025"),
        ("Projected completion", "not at the present pace"),
        ("Completed on", "3 Jul 2025"),
    ]


@pytest.mark.parametrize(
    ("pending", "sentence"),
    [
        (0, ""),
        (1, " 1 enrollment has changes that are not included yet."),
        (1_200, " 1,200 enrollments have changes that are not included yet."),
    ],
)
def test_what_is_pending_stands_beside_the_instant(pending: int, sentence: str) -> None:
    text = report_text(as_page(course_report(replace(course(), pending=pending))))
    assert text.freshness == f"As of 14 Jul 2025, 10:30 UTC.{sentence}"


@pytest.mark.parametrize(("pending", "enrollments"), [(0, "0"), (5, "\N{EN DASH}")])
def test_of_no_enrollments_no_figure_is_given_and_of_those_not_computed_not_even_their_number(
    pending: int, enrollments: str
) -> None:
    found = course()
    assert found.statistics
    idle = replace(found, statistics=replace(found.statistics, enrollments=0, started=0, completed=0), pending=pending)
    figures = report_text(as_page(course_report(idle))).figures
    assert figures.pop("Enrollments") == enrollments
    assert figures.pop("Outline is known") == "yes"
    assert set(figures.values()) == {"\N{EN DASH}"}


def test_the_class_list_names_states_and_links_only_where_it_is_served() -> None:
    report = course_report(course(), MEMBERS)
    rows = report_text(as_page(report)).tables["learners"]
    assert [row["Enrollment"] for row in rows] == [str(each.user_course_id) for each in MEMBERS]
    assert [row["Stuck on"] != "\N{EN DASH}" for row in rows] == [bool(each.stuck) for each in MEMBERS]
    assert class_headline(MEMBERS) == (
        "120 enrollments in the list: 15 dormant, 14 not started, 59 active, 32 finished. 20 learners are stuck."
    )
    links = [each.attributes["href"] for each in Page(as_page(report, is_served=True)).all("a")]
    numbers = [*(each.user_course_id for each in MEMBERS), *(each.user_course_id for each in course().dormant)]
    assert links == [f"../learner/{number}" for number in numbers]
    assert Page(as_page(report)).all("a") == []
    (back,) = Page(as_page(learner_report(learner()), is_served=True)).all("a")
    assert back.attributes["href"] == "../course/3"


def test_a_list_says_of_how_many_it_has_the_first() -> None:
    found = report_text(as_page(course_report(replace(course(), dormant_learners=1_100), MEMBERS, 1_200))).headlines
    assert found["learners"].endswith(" These are the first 120 of 1,200.")
    assert found["dormant"] == (
        "100 enrollments in the table, last seen on 30 Jun 2025 or earlier. These are the first 100 of 1,100."
    )
    whole = report_text(as_page(course_report(replace(course(), dormant_learners=100), MEMBERS, 120))).headlines
    assert [name for name in ("learners", "dormant") if "first" in whole[name]] == []


@pytest.mark.parametrize("is_known", [True, False])
def test_progress_without_an_outline_is_that_of_the_lessons_known_so_far(is_known: bool) -> None:
    members = [replace(each, total_is_known=is_known) for each in MEMBERS]
    page = report_text(as_page(learner_report(replace(learner(), total_is_known=is_known))))
    said = "of the lessons known so far"
    assert (f"Completed, {said}" in page.figures, f"Progress is {said}" in class_headline(members)) == (
        not is_known,
        not is_known,
    )


def test_a_long_class_list_is_folded() -> None:
    folded = [
        each.is_folded
        for members in (MEMBERS[:40], MEMBERS)
        for each in sections(course_report(course(), members))[0]
        if each.table.name == "learners"
    ]
    assert folded == [False, True]


def test_a_share_is_its_share_of_the_track_and_other_bars_are_compared() -> None:
    lessons = [replace(each, drop_off=ratio) for each, ratio in zip(course().lessons, (0.4, 0.25, 0.0), strict=False)]
    drawn: Bars = bars(lessons, "Drop-off", Part("drop-off", DROP_OFF), name=lesson_name)
    assert [each.length for each in drawn.bars] == [40, 25, 0]


def test_an_axis_of_time_ends_today() -> None:
    page = Page(as_page(learner_report(learner())))
    last = {
        section.attributes["aria-labelledby"]: {
            each.text for each in page.all("span", within=section) if each.attributes.get("class") == "last"
        }
        for section in page.all("section")
    }
    assert {name: texts for name, texts in last.items() if texts} == {"weeks": {"this week"}, "days": {"today"}}


@pytest.mark.parametrize("weeks", [1, 2, 5, 40])
def test_labels_leave_room_for_the_last(weeks: int) -> None:
    (chart, *_) = next(
        each.pictures
        for each in sections(course_report(replace(course(), weeks=course().weeks[:weeks])))[0]
        if each.table.name == "weeks"
    )
    assert isinstance(chart, Columns)
    starts = [0.0, *(mark.at for mark in chart.labels), 100.0]
    assert min(later - earlier for earlier, later in pairwise(starts[1:])) >= 20 if weeks > 1 else not chart.labels


def test_without_data_there_is_no_chart() -> None:
    idle = [replace(week, completed=0) for week in course().weeks]
    (weeks,) = [
        each for each in sections(course_report(replace(course(), weeks=idle)))[0] if each.table.name == "weeks"
    ]
    assert [each.title for each in weeks.pictures] == ["Active learners", "Time spent"]


@pytest.mark.parametrize("length", [1, MAX_TITLE, MAX_TITLE + 1, 500])
def test_a_long_title_is_clipped_and_whole_in_its_tooltip_and_text(length: int) -> None:
    title = ("“<Fractions>” & \u05e9\u05dc\u05d5\u05dd " * 40)[:length].strip()
    lessons = [replace(each, title=title, is_blocker=True) for each in course().lessons]
    page = Page(as_page(course_report(replace(course(), lessons=lessons))))
    names = page.all("bdi")
    assert {each.text for each in names} == {title}
    assert {each.attributes.get("title") for each in names} == {title if len(title) > MAX_TITLE else None}
    assert {len(each.text) for each in page.all("span", within=names[0])} <= {len(title) - MAX_TITLE + 1}


def test_only_titles_are_pieces_of_a_sentence() -> None:
    lesson = replace(course().lessons[0], title="“A\u2069” b")
    assert pieces(f"Next is {lesson_name(lesson)}: go on.") == [
        ("Next is ", False),
        ("“A\\u2069” b", True),
        (": go on.", False),
    ]
