"""The overview of a course: statistics as they are stored, learners as they are now, all of one snapshot."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import Connection, Engine, event

from tests.support.events import completed, corrected, enrolled, entries, outlined, viewed
from tests.support.rollups import refresh_all
from tests.support.tables import counted_statements, execute, insert_as_lms
from worker.analytics.course_overview import Overview, get_overview
from worker.analytics.rules.completion_statistics import tallies
from worker.analytics.statistics_refresh import refresh_statistics
from worker.analytics.thresholds import AnalysisThresholds
from worker.contract.event import Event
from worker.contract.lesson import Lesson
from worker.database.engine import open_engine
from worker.errors import InputError
from worker.progress.ingest import ingest
from worker.progress.reference import fold
from worker.settings import Settings
from worker.summary.rules import Summary, summaries

COURSE = 3
OUTLINE = [(2, 1, "Two"), (1, 2, "One"), (1, 1, "Last")]
IN_ORDER: list[Lesson] = [(2, 1), (1, 2), (1, 1)]
MAKERS: list[Callable[..., Event]] = [viewed, completed, completed, corrected]


def history(learners: int, *, outlines: bool = True) -> list[Event]:
    """Learners 1, 2, 3, … at random places of COURSE (odd ids) and of another one (even ids)."""
    chance = random.Random(7)
    found: list[Event] = [enrolled(each, course_id=COURSE + (each + 1) % 2) for each in range(1, learners + 1)]
    if outlines:
        found += [outlined(COURSE, OUTLINE), outlined(COURSE + 1, [(1, 1, "Other")])]
    for number in range(6 * learners):
        lesson = chance.choice([*IN_ORDER, (9, 9)])
        found.append(chance.choice(MAKERS)(chance.randint(1, learners), *lesson, seconds=number))
    return found


def lessons(overview: Overview) -> list[Lesson]:
    return [(lesson.topic_id, lesson.lesson_id) for lesson in overview.lessons]


def learners(overview: Overview) -> list[Summary]:
    return [each.summary for each in overview.learners]


@contextmanager
def before_statement(engine: Engine, words: str, act: Callable[[], object]) -> Iterator[None]:
    """Do something just before the first statement with these words is sent."""
    waiting = [act]

    def look(_connection: Connection, _cursor: object, sql: str, *_: object) -> None:
        if words in sql and waiting:
            waiting.pop()()

    event.listen(engine, "before_cursor_execute", look)
    yield
    event.remove(engine, "before_cursor_execute", look)
    assert not waiting


@pytest.mark.parametrize("outlines", [True, False], ids=["with an outline", "without one"])
def test_an_overview_is_what_plain_python_makes_of_the_events(engine: Engine, outlines: bool) -> None:
    events = history(12, outlines=outlines)
    ingest(engine, entries(events))
    refresh_all(engine)
    found = get_overview(engine, COURSE)
    state = fold(events)
    tally = tallies(state)[COURSE]
    course, of_lessons = tally.course(), tally.lessons()
    assert found.statistics == course
    assert {(each.topic_id, each.lesson_id): each.statistics for each in found.lessons} == of_lessons
    assert lessons(found) == (IN_ORDER if outlines else [(1, 1), (1, 2), (2, 1), (9, 9)])
    titles = [each.title for each in found.lessons]
    assert titles == (["Two", "One", "Last"] if outlines else [None] * 4)
    assert learners(found) == [summaries(state)[each] for each in range(1, 13, 2)]


def test_pages_follow_each_other_and_the_last_one_says_so(engine: Engine) -> None:
    events = history(13)
    ingest(engine, entries(events))
    pages = [get_overview(engine, COURSE, limit=3)]
    while (after := pages[-1].next_after) is not None:
        pages.append(get_overview(engine, COURSE, after=after, limit=3))
    assert [[each.user_course_id for each in learners(page)] for page in pages] == [[1, 3, 5], [7, 9, 11], [13]]
    assert get_overview(engine, COURSE, limit=7).next_after is None
    assert learners(get_overview(engine, COURSE, after=13)) == []


def test_what_changed_since_the_refresh_is_shown_right(engine: Engine) -> None:
    events = history(6)
    ingest(engine, entries(events))
    refresh_all(engine)
    before = get_overview(engine, COURSE)
    later: list[Event] = [completed(5, *IN_ORDER[0], seconds=500), viewed(1, *IN_ORDER[1], seconds=501)]
    ingest(engine, entries(later))
    execute(engine, f"UPDATE user_course SET course_id = {COURSE} WHERE id = 2")
    found = get_overview(engine, COURSE)
    state = fold([*events, *later, enrolled(2, course_id=COURSE, seconds=0)])
    assert learners(found) == [summaries(state)[each] for each in (1, 2, 3, 5)]
    assert (found.statistics, found.lessons) == (before.statistics, before.lessons)
    assert before.as_of
    assert found.as_of
    assert (before.pending, before.as_of < found.as_of, found.pending) == (0, True, 3)


def test_before_the_first_refresh_there_are_learners_and_no_statistics(engine: Engine) -> None:
    events = history(4)
    ingest(engine, entries(events))
    found = get_overview(engine, COURSE)
    assert (found.statistics, found.as_of, found.pending) == (None, None, 2)
    assert [(each.title, each.statistics) for each in found.lessons] == [("Two", None), ("One", None), ("Last", None)]
    assert learners(found) == [summaries(fold(events))[each] for each in (1, 3)]


def test_lessons_are_those_of_the_live_outline(engine: Engine) -> None:
    ingest(engine, entries(history(4)))
    refresh_all(engine)
    known = {(each.topic_id, each.lesson_id): each.statistics for each in get_overview(engine, COURSE).lessons}
    ingest(engine, entries([outlined(COURSE, [(1, 1), (5, 5), (2, 1)], seconds=900)]))
    found = get_overview(engine, COURSE)
    assert lessons(found) == [(1, 1), (5, 5), (2, 1)]
    assert [each.statistics for each in found.lessons] == [known[1, 1], None, known[2, 1]]
    ingest(engine, entries([outlined(COURSE, [], seconds=901)]))
    assert get_overview(engine, COURSE).lessons == []


@pytest.mark.parametrize("unknown", [404, 0, -1, 2**63])
def test_a_course_that_nothing_is_known_of_is_told_so(engine: Engine, unknown: int) -> None:
    ingest(engine, entries(history(2)))
    for after in (0, 9):
        with pytest.raises(InputError, match=str(unknown)):
            get_overview(engine, unknown, after=after)


def test_an_enrollment_an_outline_or_statistics_alone_make_a_course_known(engine: Engine) -> None:
    insert_as_lms(engine, 7, course_id=30)
    assert learners(get_overview(engine, 30, after=7)) == []
    ingest(engine, entries([outlined(31, [])]))
    assert get_overview(engine, 31).learners == []
    refresh_all(engine)
    execute(engine, "DELETE FROM user_course")
    assert refresh_statistics(engine, 60, AnalysisThresholds()).courses == 1
    emptied = get_overview(engine, 30)
    assert emptied.statistics
    assert emptied.statistics.enrollments == 0


@pytest.mark.parametrize(("current", "queries"), [(True, 6), (False, 9)], ids=["current", "not current"])
def test_fifty_learners_take_the_queries_of_one(engine: Engine, current: bool, queries: int) -> None:
    ingest(engine, entries(history(99)))
    refresh_all(engine)
    if not current:
        execute(engine, "UPDATE user_course SET stale_since = now()")
    sent = {}
    for limit in (1, 50):
        with counted_statements(engine) as sent[limit]:
            assert len(get_overview(engine, COURSE, limit=limit).learners) == limit
    assert sent[50] == sent[1]
    assert len(sent[50]) == 2 + queries, "BEGIN, the queries, ROLLBACK"


@pytest.mark.parametrize("words", ["lesson_statistics", "FROM user_course WHERE course_id", "user_course_summary"])
def test_everything_is_of_one_snapshot(engine: Engine, settings: Settings, words: str) -> None:
    ingest(engine, entries(history(6)))
    refresh_all(engine)
    before = get_overview(engine, COURSE)
    other = open_engine(settings)

    def interfere() -> None:
        ingest(other, entries([enrolled(7, course_id=COURSE), completed(3, *IN_ORDER[0], seconds=900)]))
        refresh_all(other)

    with before_statement(engine, words, interfere):
        assert replace(get_overview(engine, COURSE), as_of=before.as_of) == before
    other.dispose()
    assert len(get_overview(engine, COURSE).learners) == 4
