"""Reports in Debian's Chromium: on a phone, a tablet and a desk, light, dark and printed; checked by axe-core."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.reports import class_list, course, empty_course, learner, new_learner
from worker.analytics.rules.reasons import Reason, Rule
from worker.analytics.rules.stuck import Stuck
from worker.reports.course_report import course_report
from worker.reports.learner_report import learner_report
from worker.reports.page import as_page
from worker.reports.table import Report

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.second_tier,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]

LONG = "How to add vulgar fractions without a common denominator, and why nobody should, in three acts "
RTL = "\u05e9\u05dc\u05d5\u05dd <b>"
FOUND = course(topics=5, lessons=5)
ON_LONG = Stuck(1, 101, (Reason(Rule.MANY_VISITS, visits=4),), (LONG * 4)[:300])
REPORTS: dict[str, Report] = {
    "course": course_report(
        replace(FOUND, lessons=[replace(each, title=LONG * 2) for each in FOUND.lessons[:9]] + FOUND.lessons[9:]),
        [replace(each, stuck=[ON_LONG] if each.stuck else []) for each in class_list(enrollments=40)],
    ),
    "small course": course_report(replace(course(topics=1, lessons=1), pending=2), class_list(enrollments=3)),
    "empty course": course_report(empty_course()),
    "learner": learner_report(learner(title=LONG)),
    "right-to-left learner": learner_report(learner(title=RTL)),
    "new learner": learner_report(new_learner()),
}
PAPER = 688
"""Pixels of the width that A4 leaves inside its margins."""
LOOKS = [*((width, scheme, "screen") for width in (375, 768, 1280) for scheme in ("light", "dark"))]
LOOKS.append((PAPER, "light", "print"))
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]


CLIPPED = """elements => elements.filter(each => each.scrollWidth > each.clientWidth + 1
    && getComputedStyle(each).display != 'inline' && !each.matches('.quiet, caption, .clipped span, .scroll'))
    .map(each => each.outerHTML.slice(0, 200))"""
SCROLLING = """regions => [regions.filter(each => each.scrollWidth > each.clientWidth),
    regions.filter(each => each.tabIndex == 0 && each.role == 'region'
        && each.ariaLabel.endsWith('that scrolls sideways')
        && each.previousElementSibling.checkVisibility())].map(them => them.map(each => each.ariaLabel))"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: Browser, tmp_path: Path, name: str, look: tuple[int, Any, Any]) -> Iterator[Page]:
    """The page of a report with all of its tables unfolded."""
    width, scheme, medium = look
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.emulate_media(media=medium)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("request", lambda request: complaints.append(request.url))
    (tmp_path / "page.html").write_text(as_page(REPORTS[name], is_served=True), encoding="utf-8")
    page.goto((tmp_path / "page.html").as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert complaints == [page.url]
    yield page
    page.close()


EVERYWHERE = [(name, look) for name in ("course", "learner") for look in LOOKS]
ELSEWHERE = [
    (name, LOOKS[index % len(LOOKS)]) for index, name in enumerate(REPORTS, 4) if name not in {"course", "learner"}
]
every_look = pytest.mark.parametrize(("name", "look"), [each for each in EVERYWHERE if each[0] == "course"], ids=str)


@pytest.mark.parametrize(("name", "look"), EVERYWHERE + ELSEWHERE, ids=str)
def test_axe_finds_nothing_and_only_tables_that_say_so_scroll_sideways(opened: Page) -> None:
    assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert opened.locator("body *").evaluate_all(CLIPPED) == []
    scrolling, saying = opened.locator(".scroll").evaluate_all(SCROLLING)
    assert scrolling == saying

    opened.evaluate((files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8"))
    found = opened.evaluate("tags => axe.run({runOnly: tags})", TAGS)
    assert [
        (each["id"], node["html"], node["failureSummary"]) for each in found["violations"] for node in each["nodes"]
    ] == []
    assert len(found["passes"]) > 10


@every_look
def test_the_hour_grid_is_whole(opened: Page) -> None:
    cells = opened.locator(".heat tbody td")
    assert cells.count() == 7 * 24
    width = opened.evaluate("innerWidth")
    for box in (cells.first.bounding_box(), cells.last.bounding_box()):
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["width"] >= 14
    texts = cells.evaluate_all("cells => cells.filter(each => each.scrollWidth > each.clientWidth + 1).length")
    assert texts == 0


@every_look
def test_a_bar_fills_its_share_of_a_visible_track(opened: Page) -> None:
    measured = opened.locator(".bars li, .progress").evaluate_all(
        """bars => bars.map(each => [each.textContent, ...['strong', 'track'].map(
            name => each.querySelector('.' + name).getBoundingClientRect().width),
            getComputedStyle(each.querySelector('.track')).fill])"""
    )
    page_color = opened.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    shares = [each for each in measured if each[0].strip().endswith("%")]
    assert len(shares) > 40
    for text, strong, track, color in shares:
        percent = float(text.strip().split("\n")[-1].removesuffix("%").replace("<", "").split("”")[-1])
        assert (100 * strong / track, track > 0, color != page_color) == (pytest.approx(percent, abs=1), True, True), (
            text
        )


@pytest.mark.parametrize("weeks", range(1, 6))
@pytest.mark.parametrize("width", [375, 1280])
def test_few_columns_fill_their_chart(browser: Browser, weeks: int, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.set_content(as_page(course_report(replace(FOUND, weeks=FOUND.weeks[:weeks]))))
    charts = page.locator("[aria-labelledby=weeks] svg").evaluate_all(
        "charts => charts.map(each => [each, each.querySelector('g:last-of-type rect:last-child')]"
        ".map(part => part.getBoundingClientRect()).map(box => [box.right, box.width]))"
    )
    page.close()
    assert len(charts) == 3
    for (end, full), (right, column) in charts:
        assert full / weeks == pytest.approx(column / 0.8, rel=0.01)
        assert end - right < column
        assert column < 70
