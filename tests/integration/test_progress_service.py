"""The service layer in an event loop: the three calls that Python programs make, and the rest of its methods."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TypedDict, TypeVar

import pytest
from pydantic import ValidationError
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from tests.support.events import at, enrolled, entries, outlined, viewed
from tests.support.model import assert_progress_follows_from_ledger
from tests.support.rollups import audited
from tests.support.tables import insert_as_lms, rows, snapshot
from tests.support.wait import wait_until
from worker.database.models import ProgressStatus, UserCourseProgress
from worker.errors import ConflictError, InputError, NotFoundError
from worker.progress.ingest import ingest
from worker.progress.submit import Result
from worker.service import UserCourseProgressService, open_progress_service
from worker.settings import Settings

Answer = TypeVar("Answer")
Ask = Callable[[Callable[[UserCourseProgressService], Awaitable[Answer]]], Answer]


class Lesson(TypedDict):
    user_course_id: int
    topic_id: int
    lesson_id: int


NIL = "00000000-0000-0000-0000-000000000000"
LESSON = Lesson(user_course_id=1, topic_id=1, lesson_id=1)


@pytest.fixture
def ask(settings: Settings, engine: Engine) -> Iterator[Ask[object]]:
    """Run what is asked in a loop and with a service of its own; enrollment 1 exists."""
    insert_as_lms(engine, 1)

    def run(work: Callable[[UserCourseProgressService], Awaitable[object]]) -> object:
        async def main() -> object:
            async with open_progress_service(settings) as service:
                return await work(service)

        return asyncio.run(main())

    yield run
    assert_progress_follows_from_ledger(engine)
    assert rows(engine, "SELECT count(*) FROM dead_letter") == [(0,)]


def test_the_three_calls_of_the_specification(engine: Engine, settings: Settings) -> None:
    async def main() -> None:
        async with open_progress_service(settings) as service:
            seen = await service.mark_lesson_viewed(user_course_id=1, topic_id=1, lesson_id=1)
            assert (seen.status, seen.completed_at) == (ProgressStatus.IN_PROGRESS, None)
            done = await service.mark_lesson_completed(user_course_id=1, topic_id=1, lesson_id=1)
            assert (done.id, done.status) == (seen.id, ProgressStatus.COMPLETED)
            assert done.completed_at == done.last_viewed_at
            summary = await service.get_user_course_progress_summary(user_course_id=1)
            assert (summary.total_lessons, summary.completed_lessons) == (2, 1)
            assert summary.completion_percentage == Decimal("50.00")
            assert (summary.current_topic_id, summary.current_lesson_id) == (1, 1)
            assert (summary.next_topic_id, summary.next_lesson_id) == (1, 2)

    ingest(engine, entries([enrolled(), outlined(3, [(1, 1), (1, 2)])]))
    asyncio.run(main())
    assert audited(engine) == []


def test_marks_carry_what_else_is_known(engine: Engine, ask: Ask[object]) -> None:
    ask(
        lambda service: service.mark_lesson_completed(
            **LESSON, section_id=4, duration_seconds=90, occurred_at=at(5), event_id="done"
        )
    )
    ledger = "SELECT type::text, section_id, duration_seconds, occurred_at FROM lesson_event"
    assert rows(engine, ledger) == [("completed", 4, 90, at(5))]
    assert rows(engine, "SELECT current_section FROM user_course") == [(4,)]


def test_a_mark_with_the_same_event_id_counts_once_and_with_another_meaning_is_refused(
    engine: Engine, ask: Ask[object]
) -> None:
    async def work(service: UserCourseProgressService) -> None:
        first = await service.mark_lesson_viewed(**LESSON, event_id="one")
        before = snapshot(engine)
        assert await service.mark_lesson_viewed(**LESSON, event_id="one") == first
        with pytest.raises(ConflictError, match="lesson 1 of topic 1 was viewed"):
            await service.mark_lesson_completed(**LESSON, event_id="one")
        with pytest.raises(ConflictError):
            await service.mark_lesson_viewed(user_course_id=1, topic_id=1, lesson_id=2, event_id="one")
        assert snapshot(engine) == before

    ask(work)


def test_create_get_and_update_one_row(engine: Engine, ask: Ask[object]) -> None:
    async def work(service: UserCourseProgressService) -> None:
        with pytest.raises(NotFoundError, match="no row for topic 1, lesson 1"):
            await service.get_progress(**LESSON)
        with pytest.raises(NotFoundError, match="no row"):
            await service.update_progress(**LESSON, status=ProgressStatus.COMPLETED)
        made, is_new = await service.create_progress(**LESSON)
        assert (made.status, made.last_viewed_at, is_new) == (ProgressStatus.NOT_STARTED, None, True)
        assert await service.create_progress(**LESSON, status=ProgressStatus.COMPLETED) == (made, False)
        changed = await service.update_progress(**LESSON, status=ProgressStatus.COMPLETED, completed_at=at(3))
        assert (changed.id, changed.status, changed.completed_at) == (made.id, ProgressStatus.COMPLETED, at(3))
        assert await service.get_progress(**LESSON) == changed
        assert rows(engine, "SELECT count(*) FROM lesson_event") == [(1,)]

    ask(work)


def test_a_topic_and_all_lessons(ask: Ask[object]) -> None:
    async def work(service: UserCourseProgressService) -> None:
        for topic_id, lesson_id in ((1, 1), (1, 2), (2, 1)):
            await service.mark_lesson_viewed(user_course_id=1, topic_id=topic_id, lesson_id=lesson_id)
        topic = await service.get_topic_progress(user_course_id=1, topic_id=1)
        assert (topic.total_lessons, topic.in_progress_lessons) == (2, 2)
        page = await service.get_all_progress(user_course_id=1, limit=2)
        assert page.next_after == (1, 2, 0)
        rest = await service.get_all_progress(user_course_id=1, limit=2, after=page.next_after)
        assert [(each.topic_id, each.lesson_id) for each in rest.lessons] == [(2, 1)]
        with pytest.raises(InputError, match="at least 1"):
            await service.get_all_progress(user_course_id=1, limit=0)

    ask(work)


def test_events_of_any_type(ask: Ask[object]) -> None:
    verdicts = ask(lambda service: service.submit_events(entries([viewed(), viewed(9)])))
    assert [each.result for each in verdicts] == [Result.APPLIED, Result.REJECTED]  # type: ignore[attr-defined]


MISTAKES: dict[str, tuple[Callable[[UserCourseProgressService], Awaitable[object]], type[Exception]]] = {
    "no such enrollment, viewed": (
        lambda service: service.mark_lesson_viewed(user_course_id=9, topic_id=1, lesson_id=1),
        NotFoundError,
    ),
    "no such enrollment, made": (
        lambda service: service.create_progress(user_course_id=9, topic_id=1, lesson_id=1),
        NotFoundError,
    ),
    "no such enrollment, summary": (
        lambda service: service.get_user_course_progress_summary(user_course_id=9),
        NotFoundError,
    ),
    "no such enrollment, all": (lambda service: service.get_all_progress(user_course_id=9), NotFoundError),
    "no such topic": (lambda service: service.get_topic_progress(user_course_id=1, topic_id=9), NotFoundError),
    "an id below 1, viewed": (
        lambda service: service.mark_lesson_viewed(user_course_id=1, topic_id=0, lesson_id=1),
        ValidationError,
    ),
    "an id below 1, made": (
        lambda service: service.create_progress(user_course_id=1, topic_id=0, lesson_id=1),
        InputError,
    ),
    "ahead": (
        lambda service: service.mark_lesson_viewed(**LESSON, occurred_at=datetime.now(UTC) + timedelta(minutes=6)),
        InputError,
    ),
    "without an offset": (
        lambda service: service.mark_lesson_viewed(**LESSON, occurred_at=datetime(2025, 1, 1)),  # noqa: DTZ001
        InputError,
    ),
    "made without an offset": (
        lambda service: service.create_progress(**LESSON, last_viewed_at=datetime(2025, 1, 1)),  # noqa: DTZ001
        InputError,
    ),
    "before the year 1980": (
        lambda service: service.create_progress(**LESSON, last_viewed_at=datetime(1979, 1, 1, tzinfo=UTC)),
        InputError,
    ),
    "no identity, viewed": (lambda service: service.mark_lesson_viewed(**LESSON, event_id=NIL), InputError),
    "no identity, made": (
        lambda service: service.create_progress(**LESSON, status=ProgressStatus.COMPLETED, event_id=NIL),
        InputError,
    ),
    "a contradiction": (
        lambda service: service.create_progress(**LESSON, status=ProgressStatus.IN_PROGRESS, completed_at=at(1)),
        InputError,
    ),
}


def test_a_mistake_raises_and_writes_nothing(engine: Engine, ask: Ask[object]) -> None:
    async def each(service: UserCourseProgressService) -> dict[str, type[Exception] | None]:
        raised: dict[str, type[Exception] | None] = dict.fromkeys(MISTAKES)
        for name, (work, _) in MISTAKES.items():
            try:
                await work(service)
            except Exception as error:  # noqa: BLE001 - shown by the assertion
                raised[name] = type(error)
        return raised

    before = snapshot(engine)
    assert ask(each) == {name: error for name, (_, error) in MISTAKES.items()}
    assert snapshot(engine) == before


def test_the_loop_goes_on_while_a_call_waits_for_postgresql(engine: Engine, ask: Ask[object]) -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"

    async def work(service: UserCourseProgressService) -> None:
        with engine.connect() as other:
            other.exec_driver_sql("SELECT FROM user_course WHERE id = 1 FOR UPDATE")
            marking = asyncio.create_task(service.mark_lesson_viewed(**LESSON))
            await asyncio.to_thread(wait_until, lambda: rows(engine, waiting) == [(1,)])
            assert not marking.done()
            summary = await service.get_user_course_progress_summary(user_course_id=1)
            assert summary.total_lessons == 0
            other.rollback()
        assert (await marking).status is ProgressStatus.IN_PROGRESS

    ask(work)


def test_many_calls_at_once_share_few_connections_and_none_is_lost(
    engine: Engine, settings: Settings, ask: Ask[object]
) -> None:
    async def work(service: UserCourseProgressService) -> None:
        await asyncio.gather(
            *(service.mark_lesson_viewed(user_course_id=1, topic_id=1, lesson_id=1 + n % 7) for n in range(60))
        )

    ask(work)
    assert settings.api_connections < 60
    assert rows(engine, "SELECT count(*), count(DISTINCT lesson_id) FROM lesson_event") == [(60, 7)]


def test_a_row_made_through_the_orm_is_one_like_any_other(engine: Engine, ask: Ask[object]) -> None:
    with Session(engine) as session:
        session.add(
            UserCourseProgress(user_course_id=1, topic_id=1, lesson_id=1, status=ProgressStatus.NOT_STARTED),
        )
        session.commit()
    assert audited(engine) == []

    async def work(service: UserCourseProgressService) -> None:
        assert (await service.get_progress(**LESSON)).status is ProgressStatus.NOT_STARTED
        await service.mark_lesson_completed(**LESSON)

    ask(work)
    with Session(engine) as session:
        row = session.query(UserCourseProgress).one()
        assert row.status is ProgressStatus.COMPLETED
        assert row.completed_at == row.last_viewed_at
