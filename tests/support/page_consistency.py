"""What a course's page and its learners' pages say of each other: every contradiction, as a sentence.

Compares what a reader sees: figures, sentences, and the rows of tables. Beside a page stands the JSON of its analysis.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from tests.support.pages import ReportText
from worker.reports.formatting import NOTHING, shown
from worker.reports.table import Kind

Document = dict[str, Any]


def page_contradictions(
    course: ReportText, analysis: Document, learners: Mapping[int, tuple[ReportText, Document]]
) -> list[str]:
    """Return everything on which the pages and the analyses disagree."""
    found = [*_freshness(course, analysis), *_course(course, analysis)]
    if not analysis["pending"]:
        found += _totals(course)
    for row in course.tables.get("learners", []):
        found += _row(row, *learners[int(row["Enrollment"])])
    for key, (page, its) in learners.items():
        found += [f"learner {key}: {said}" for said in (*_freshness(page, its), *_learner(page, its))]
    return found


def _freshness(page: ReportText, analysis: Document) -> Iterator[str]:
    is_computed, is_pending = page.freshness.startswith("As of "), "changes" in page.freshness
    yield from _unless(is_computed == (analysis["as_of"] is not None), f"computed? {page.freshness}")
    yield from _unless(is_pending == (analysis["pending"] > 0), f"pending? {page.freshness}")
    yield from _unless(is_computed or not page.figures.get("Sessions"), "sessions of what is not computed")


def _course(page: ReportText, analysis: Document) -> Iterator[str]:
    of, pending = analysis["statistics"] or {}, analysis["pending"]
    if pending and not of.get("enrollments"):
        of = {}  # as if it were never computed
    for name in ("enrollments", "started", "completed"):
        yield from _same(page.figures[name.capitalize()], shown(of.get(name), Kind.COUNT), name)
    dormant = analysis["dormant_learners"] if of else None
    yield from _same(page.figures["Dormant learners"], shown(dormant, Kind.COUNT), "dormant")
    yield from _same(len(page.tables.get("dormant", [])), analysis["dormant_learners"], "dormant listed")
    states = Counter(row["State"] for row in page.tables["learners"])
    listed = page.headlines["learners"].split(": ")[1].split(".")[0]
    sentence = {name: int(count) for count, name in (each.split(" ", 1) for each in listed.split(", "))}
    yield from _same(sentence, {name.lower(): count for name, count in states.items()}, "states of the class list")
    if not of:
        yield from _same((set(page.tables), page.absences), ({"learners"}, ""), "not computed")
        return
    for row in page.tables.get("lessons", []):
        yield from _same(row["Enrollments"], page.figures["Enrollments"], "enrollments of a lesson")
        yield from _unless(int(row["Completed"]) >= int(page.figures["Completed"]), "a lesson of the course completed")
    for name, counted in (("Enrollments", states.total()), ("Completed", states["Finished"])):
        yield from _unless(abs(int(page.figures[name]) - counted) <= pending, f"{name}: {counted} in the list")


def _totals(page: ReportText) -> Iterator[str]:
    """Where nothing is pending, everything is of one state."""
    members, lessons = page.tables["learners"], page.tables.get("lessons", [])
    states = Counter(row["State"] for row in members)
    yield from _same(int(page.figures["Dormant learners"]), states["Dormant"], "dormant in the list")
    yield from _same(int(page.figures["Started"]), len(members) - states["Not started"], "started in the list")
    by_learner = _total(members, "Lessons completed")
    yield from _same(by_learner, _total(lessons, "Completed"), "lessons completed by learner and lesson")
    yield from _same(by_learner, _total(page.tables.get("weeks", []), "Lessons completed"), "by learner and week")
    stuck = sum(row["Stuck on"] != NOTHING for row in members)
    said = re.search(r"(\d+) learners? (?:is|are) stuck", page.headlines["learners"])
    yield from _same(int(said[1]) if said else 0, stuck, "stuck in the list")
    blockers = [row for row in page.tables.get("blockers", []) if row["Blocker"] == "yes"]
    yield from _same(int(page.figures["Blockers"]), len(blockers), "blockers")
    if "hours" in page.headlines:
        yield from _same(_events(page), _total(page.tables["hours"], "Events"), "events by hour")


def _row(row: Mapping[str, str], page: ReportText, analysis: Document) -> Iterator[str]:
    """A learner's row of the class list, and the learner's page."""
    where = f"enrollment {row['Enrollment']}, list and page"
    yield from _same(row["Progress"], page.figures["Completed"], where)
    yield from _same(row["Lessons completed"], page.figures["Lessons completed"], where)
    yield from _same(row["Last seen"], page.figures["Last seen"], where)
    yield from _same(row["Finished on"], page.figures.get("Completed on", NOTHING), where)
    yield from _same(row["State"] == "Dormant", page.figures.get("Dormant") == "yes", f"{where}: dormant")
    yield from _same(row["State"] == "Finished", analysis["is_finished"], f"{where}: finished")
    yield from _unless(
        row["State"] != "Not started" or page.figures["Completed"] == shown(0, Kind.PERCENT), f"{where}: not started"
    )
    if row["Stuck on"] != NOTHING:
        first = page.tables["stuck"][0]["Lesson"] if "stuck" in page.tables else None
        yield from _same(row["Stuck on"], first, f"{where}: stuck")


def _learner(page: ReportText, analysis: Document) -> Iterator[str]:
    yield from _same(
        page.figures["Completed"], shown(float(analysis["completion_percentage"]), Kind.PERCENT), "completed"
    )
    finished = analysis["is_finished"]
    yield from _same("Completed on" in page.figures, finished, "date of completion")
    yield from _same("Projected completion" in page.figures, not finished, "projected")
    yield from _unless(not finished or "stuck" not in page.tables, "finished and stuck")
    yield from _unless(not finished or page.figures.get("Dormant") != "yes", "finished and dormant")
    kinds = {row["What"] for row in page.tables.get("achievements", [])}
    yield from _same("Course" in kinds, finished, "achievement of the course")
    if "lessons" not in page.tables:
        return
    completed, visited = map(int, re.findall(r"\d+", page.headlines["lessons"])[:2])
    yield from _same(visited, int(page.figures["Lessons visited"]), "lessons visited")
    yield from _same(visited, len(page.tables["lessons"]), "rows of lessons visited")
    done = [row for row in page.tables["lessons"] if row["Status"] == "Completed"]
    yield from _same(completed, len(done), "visited lessons completed")
    if analysis["pending"]:
        return
    yield from _same(_total(page.tables["weeks"], "Lessons completed"), int(page.figures["Lessons completed"]), "weeks")
    yield from _same(_events(page), _total(page.tables["hours"], "Events"), "events by hour")
    yield from _same(_events(page), _total(page.tables["weeks"], "Events"), "events by week")
    if "days" in page.tables:
        active = [row for row in page.tables["days"] if row["Events"] != "0"]
        yield from _same(int(re.findall(r"\d+", page.headlines["days"])[0]), len(active), "active days")


def _total(rows: list[dict[str, str]], column: str) -> int:
    return sum(int(row[column].replace(",", "")) for row in rows)


def _events(page: ReportText) -> int:
    (said,) = re.findall(r"([\d,]+) events?[;:]", page.headlines["hours"])
    return int(said.replace(",", ""))


def _same(one: object, other: object, said: str) -> Iterator[str]:
    yield from _unless(one == other, f"{said}: {one!r}, {other!r}")


def _unless(holds: object, said: str) -> Iterator[str]:
    if not holds:
        yield said
