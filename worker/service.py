"""The service layer for Python programs that live in an event loop.

Each method runs the synchronous core, which owns its transactions, over an asynchronous engine: where the core waits
for PostgreSQL, SQLAlchemy lets the loop go on. What reckons more than it waits, such as an analysis, has a thread.
There is no second copy of a rule or a statement.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar, Unpack

from sqlalchemy import AsyncAdaptedQueuePool, Engine
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import greenlet_spawn

from worker.analytics.analysis import CourseAnalysis, LearnerAnalysis
from worker.analytics.course_analysis import analyze_course
from worker.analytics.learner_analysis import analyze_learner
from worker.analytics.lesson_history import lesson_history
from worker.analytics.rules.visit_history import LessonVisits
from worker.analytics.thresholds import AnalysisThresholds
from worker.contract.entry import Entry
from worker.contract.event import LessonActivity
from worker.contract.progress_status import ProgressStatus
from worker.database.engine import open_async_engine, open_engine
from worker.database.server import read_clock
from worker.errors import ServerUnavailableError
from worker.progress import lesson_event, lesson_progress
from worker.progress.correction_rules import Changes
from worker.progress.progress_rows import StoredProgress, read_courses
from worker.progress.submit import LARGE_BYTES, Verdict, submit
from worker.settings import Settings, get_settings
from worker.summary import lessons
from worker.summary.lessons import Bookmark, LessonPage, TopicProgress
from worker.summary.read import RefreshedSummary, get_refreshed_summary

P = ParamSpec("P")
T = TypeVar("T")


THREADS = 2
"""Analyses, and large batches, at a time."""


class UserCourseProgressService:
    """Progress of enrollments in their lessons. Safe to share between tasks of one loop.

    What a method writes is committed when it returns. Besides the errors that each names, all raise SQLAlchemy's when
    PostgreSQL is away or refuses; nothing is written then, or, when the connection broke at the very end, it may be:
    calling again with the same `event_id` counts once.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        blocking: Engine,
        *,
        patience_seconds: float = 5,
        rules: AnalysisThresholds | None = None,
    ) -> None:
        """On an engine of `worker.database.engine.connect_async`, and one of `connect` for what takes long.

        Both stay the caller's to dispose of. Who finds every connection busy waits for so long at most, in turn.
        Analyses go by the rules.
        """
        pool = engine.pool
        assert isinstance(pool, AsyncAdaptedQueuePool)  # noqa: S101 - for the type checker
        self._engine = engine
        # The pool's own queue lets a newcomer overtake who waits, again and again: seen as a p99 of five times the p50.
        self._free = asyncio.Semaphore(pool.size())
        # Who waits for a locked enrollment must not keep everybody from reading.
        self._free_to_write = asyncio.Semaphore(max(1, pool.size() * 2 // 3))
        self._blocking = blocking
        self._free_threads = asyncio.Semaphore(THREADS)
        self._patience_seconds = patience_seconds
        self._rules = rules or AnalysisThresholds()

    async def create_progress(
        self,
        *,
        user_course_id: int,
        topic_id: int,
        lesson_id: int,
        event_id: str | None = None,
        **changes: Unpack[Changes],
    ) -> tuple[StoredProgress, bool]:
        """The row of a lesson, and whether it was made now; see `worker.progress.lesson_progress.create_progress`."""
        key = (user_course_id, topic_id, lesson_id)
        return await self._write(lesson_progress.create_progress, key, changes, event_id)

    async def get_progress(self, *, user_course_id: int, topic_id: int, lesson_id: int) -> StoredProgress:
        """The row of a lesson. Raises NotFoundError where there is no enrollment or no row."""
        return await self._run(lesson_progress.get_progress, (user_course_id, topic_id, lesson_id))

    async def update_progress(
        self,
        *,
        user_course_id: int,
        topic_id: int,
        lesson_id: int,
        event_id: str | None = None,
        **changes: Unpack[Changes],
    ) -> StoredProgress:
        """Set what is given by hand; the row. See `worker.progress.lesson_progress.update_progress`."""
        key = (user_course_id, topic_id, lesson_id)
        return await self._write(lesson_progress.update_progress, key, changes, event_id)

    async def mark_lesson_viewed(
        self,
        *,
        user_course_id: int,
        topic_id: int,
        lesson_id: int,
        section_id: int | None = None,
        duration_seconds: int | None = None,
        occurred_at: datetime | None = None,
        event_id: str | None = None,
    ) -> StoredProgress:
        """Record that the learner viewed the lesson, by default now; its row.

        A section or duration that is not valid counts as not given. Raises pydantic.ValidationError for ids out of
        range, InputError for such a time, NotFoundError where there is no enrollment, and ConflictError where the event
        id belongs to something else.
        """
        activity = _activity(user_course_id, topic_id, lesson_id, section_id, duration_seconds)
        return await self.mark_lesson("viewed", activity, occurred_at, event_id)

    async def mark_lesson_completed(
        self,
        *,
        user_course_id: int,
        topic_id: int,
        lesson_id: int,
        section_id: int | None = None,
        duration_seconds: int | None = None,
        occurred_at: datetime | None = None,
        event_id: str | None = None,
    ) -> StoredProgress:
        """Record that the learner completed the lesson, which is an access too; otherwise like viewing it."""
        activity = _activity(user_course_id, topic_id, lesson_id, section_id, duration_seconds)
        return await self.mark_lesson("completed", activity, occurred_at, event_id)

    async def mark_lesson(
        self, deed: lesson_event.Deed, activity: LessonActivity, occurred_at: datetime | None, event_id: str | None
    ) -> StoredProgress:
        """Record what the learner did; the lesson's row. See `worker.progress.lesson_progress.mark_lesson`."""
        return await self._write(lesson_progress.mark_lesson, deed, activity, occurred_at, event_id)

    async def get_topic_progress(self, *, user_course_id: int, topic_id: int) -> TopicProgress:
        """The lessons of a topic in outline order, with their totals. Raises NotFoundError where there is neither."""
        return await self._run(lessons.get_topic, user_course_id, topic_id)

    async def get_all_progress(
        self,
        *,
        user_course_id: int,
        status: ProgressStatus | None = None,
        after: Bookmark | None = None,
        limit: int = lessons.PAGE,
    ) -> LessonPage:
        """All lessons of the course in outline order, page by page; see `worker.summary.lessons.get_lessons`."""
        return await self._run(lessons.get_lessons, user_course_id, status=status, after=after, limit=limit)

    async def get_user_course_progress_summary(self, *, user_course_id: int) -> RefreshedSummary:
        """How far an enrollment is, and its next lesson; never stale. Raises NotFoundError where there is none."""
        return await self._run(get_refreshed_summary, user_course_id)

    async def analyze_learner(self, *, user_course_id: int) -> LearnerAnalysis:
        """The analysis of an enrollment as of now; see `worker.analytics.learner_analysis.analyze_learner`."""
        return await self.aside(analyze_learner, self._blocking, user_course_id, None, self._rules)

    async def analyze_course(self, *, course_id: int) -> CourseAnalysis:
        """The analysis of a course; see `worker.analytics.course_analysis.analyze_course`."""
        return await self.aside(analyze_course, self._blocking, course_id, None, self._rules)

    async def get_lesson_history(self, *, user_course_id: int, topic_id: int, lesson_id: int) -> LessonVisits:
        """Each visit to a lesson, and what was set by hand; see `worker.analytics.lesson_history.lesson_history`."""
        key = (user_course_id, topic_id, lesson_id)
        return await self._run(lesson_history, *key, self._rules.idle_cutoff_seconds)

    async def submit_events(self, entries: Sequence[Entry]) -> list[Verdict]:
        """Apply events of any type; what became of each, in order. See `worker.progress.submit.submit`."""
        if sum(len(entry.body or b"") for entry in entries) > LARGE_BYTES:
            return await self.aside(submit, self._blocking, entries)
        return await self._write(submit, entries)

    async def get_course_ids(self, user_course_ids: Collection[int]) -> dict[int, int | None]:
        """The courses of those of these enrollments that exist."""
        return await self._run(_course_ids, list(user_course_ids))

    async def clock(self) -> datetime:
        """The present by PostgreSQL's clock."""
        return await self._run(read_clock)

    async def aside(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Have a thread do what would hold up the loop, in turn: few threads, as they share the interpreter with it.

        Raises what the work raises, and ServerUnavailableError where the turn does not come.
        """
        async with self._turn(self._free_threads):
            return await asyncio.to_thread(work, *args, **kwargs)

    async def _write(self, work: Callable[Concatenate[Engine, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        async with self._turn(self._free_to_write):
            return await self._run(work, *args, **kwargs)

    async def _run(self, work: Callable[Concatenate[Engine, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What AsyncConnection.run_sync does, for functions that open their own transactions on an engine.

        They use one connection at a time.
        """
        async with self._turn(self._free):
            return await greenlet_spawn(partial(work, self._engine.sync_engine, *args, **kwargs))

    @asynccontextmanager
    async def _turn(self, free: asyncio.Semaphore) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._patience_seconds if free.locked() else None):
                await free.acquire()
        except TimeoutError:
            raise ServerUnavailableError("Everybody who could answer this is busy. Try again.") from None
        try:
            yield
        finally:
            free.release()


@asynccontextmanager
async def open_progress_service(settings: Settings | None = None) -> AsyncIterator[UserCourseProgressService]:
    """A service on DATABASE_URL with connections of its own, closed at the end of the block."""
    settings = settings or get_settings()
    engine = open_async_engine(settings)
    blocking = open_engine(
        settings.model_copy(update={"lock_timeout_seconds": settings.api_lock_timeout_seconds}),
        application_name="progress-worker api",
    )
    try:
        yield UserCourseProgressService(
            engine, blocking, patience_seconds=settings.connect_timeout_seconds, rules=AnalysisThresholds.of(settings)
        )
    finally:
        blocking.dispose()
        await engine.dispose()


def _activity(
    user_course_id: int, topic_id: int, lesson_id: int, section_id: int | None, duration_seconds: int | None
) -> LessonActivity:
    return LessonActivity(
        user_course_id=user_course_id,
        topic_id=topic_id,
        lesson_id=lesson_id,
        section_id=section_id,
        duration_seconds=duration_seconds,
    )


def _course_ids(engine: Engine, user_course_ids: list[int]) -> dict[int, int | None]:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        return {key: found.course_id for key, found in read_courses(connection, user_course_ids).items()}
