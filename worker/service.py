"""The service layer for asyncio programs: the synchronous core, run by `worker.engine_turns`.

No rule or statement is duplicated.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Unpack

from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.analytics import course_list
from worker.analytics.analysis import CourseAnalysis, LearnerAnalysis
from worker.analytics.class_list import ClassList
from worker.analytics.course_analysis import analyze_course, analyze_course_and_class
from worker.analytics.course_list import CoursePage
from worker.analytics.learner_analysis import analyze_learner
from worker.analytics.lesson_history import lesson_history
from worker.analytics.rules.visit_history import LessonVisits
from worker.analytics.thresholds import AnalysisThresholds
from worker.contract.entry import Entry
from worker.contract.event import LessonActivity
from worker.contract.named_event import NamedEvent
from worker.contract.progress_status import ProgressStatus
from worker.database.engine import open_async_engine, open_engine
from worker.database.server import read_clock
from worker.engine_turns import EngineTurns
from worker.identity import look_up
from worker.identity.event_courses import find_course_of_each
from worker.identity.look_up import NamedEnrollmentIds, NamedLessonIds
from worker.progress import lesson_progress
from worker.progress.correction_rules import Changes
from worker.progress.events_without_course import SourceAndLesson, find_awaited
from worker.progress.lesson_event import LessonAction
from worker.progress.progress_rows import StoredProgress
from worker.progress.submit import LARGE_BYTES, Verdict, submit
from worker.settings import Settings, get_settings
from worker.summary import lessons
from worker.summary.enrollment_list import EnrollmentFilter, EnrollmentPage, list_enrollments
from worker.summary.lessons import Bookmark, LessonPage, TopicProgress
from worker.summary.read import RefreshedSummary, get_refreshed_summaries, get_refreshed_summary


class UserCourseProgressService(EngineTurns):
    """Progress of enrollments in their lessons. Safe to share between tasks of one loop.

    What a method writes is committed when it returns. In addition to the errors named below, all raise SQLAlchemy's
    when PostgreSQL is unavailable or refuses. Nothing is written then, unless the connection broke during the commit:
    call again with the same `event_id`, which counts once.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        blocking: Engine,
        *,
        max_wait_seconds: float = 5,
        thresholds: AnalysisThresholds | None = None,
    ) -> None:
        """Use an engine of `worker.database.engine.open_async_engine`, and one of `open_engine` for long work.

        The caller disposes of both. While every connection is busy, calls wait in turn for up to `max_wait_seconds`.
        """
        super().__init__(engine, max_wait_seconds)
        self._blocking = blocking
        self._thresholds = thresholds or AnalysisThresholds()

    async def create_progress(
        self,
        *,
        user_course_id: int,
        topic_id: int,
        lesson_id: int,
        event_id: str | None = None,
        **changes: Unpack[Changes],
    ) -> tuple[StoredProgress, bool]:
        """Return a lesson's row, and whether it is new; see `worker.progress.lesson_progress.create_progress`."""
        key = (user_course_id, topic_id, lesson_id)
        return await self._write(lesson_progress.create_progress, key, changes, event_id)

    async def get_progress(self, *, user_course_id: int, topic_id: int, lesson_id: int) -> StoredProgress:
        """Return a lesson's row. Raises NotFoundError if the enrollment or row does not exist."""
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
        """Correct a lesson's row and return it; see `worker.progress.lesson_progress.update_progress`."""
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
        """Record that the learner viewed the lesson, by default now; return its row.

        An invalid section or duration counts as missing. Raises pydantic.ValidationError for ids out of range,
        InputError for a time out of range, NotFoundError for an unknown enrollment, and ConflictError if the event id
        belongs to another event.
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
        """Record that the learner completed the lesson, which implies a view; otherwise like `mark_lesson_viewed`."""
        activity = _activity(user_course_id, topic_id, lesson_id, section_id, duration_seconds)
        return await self.mark_lesson("completed", activity, occurred_at, event_id)

    async def mark_lesson(
        self, action: LessonAction, activity: LessonActivity, occurred_at: datetime | None, event_id: str | None
    ) -> StoredProgress:
        """Record a view or a completion and return the row; see `worker.progress.lesson_progress.mark_lesson`."""
        return await self._write(lesson_progress.mark_lesson, action, activity, occurred_at, event_id)

    async def get_topic_progress(self, *, user_course_id: int, topic_id: int) -> TopicProgress:
        """Return a topic's lessons in outline order, with totals. Raises NotFoundError if either is unknown."""
        return await self._run(lessons.get_topic, user_course_id, topic_id)

    async def get_all_progress(
        self,
        *,
        user_course_id: int,
        status: ProgressStatus | None = None,
        after: Bookmark | None = None,
        limit: int = lessons.PAGE,
    ) -> LessonPage:
        """Return a page of the course's lessons in outline order; see `worker.summary.lessons.get_lessons`."""
        return await self._run(lessons.get_lessons, user_course_id, status=status, after=after, limit=limit)

    async def get_rows(
        self,
        *,
        user_course_id: int,
        status: ProgressStatus | None = None,
        after: Bookmark | None = None,
        limit: int = lessons.PAGE,
    ) -> LessonPage:
        """Return a page of the enrollment's rows, by topic and lesson; see `worker.summary.lessons.get_rows`."""
        return await self._run(lessons.get_rows, user_course_id, status=status, after=after, limit=limit)

    async def get_user_course_progress_summary(self, *, user_course_id: int) -> RefreshedSummary:
        """Return an enrollment's summary, never stale. Raises NotFoundError if it does not exist."""
        return await self._run(get_refreshed_summary, user_course_id)

    async def get_user_course_progress_summaries(
        self, *, user_course_ids: Collection[int]
    ) -> dict[int, RefreshedSummary]:
        """Return the summaries, never stale, of those of up to 200 enrollments that exist, by id."""
        return await self._run(get_refreshed_summaries, user_course_ids)

    async def list_enrollments(self, **wanted: Unpack[EnrollmentFilter]) -> EnrollmentPage:
        """Return a page of enrollments with summaries; see `worker.summary.enrollment_list.list_enrollments`."""
        return await self._run(list_enrollments, **wanted)

    async def list_courses(
        self, *, courses: Collection[int] | None = None, after: int = 0, limit: int = course_list.PAGE
    ) -> CoursePage:
        """Return a page of courses with their statistics; see `worker.analytics.course_list.list_courses`."""
        return await self._run(course_list.list_courses, courses=courses, after=after, limit=limit)

    async def analyze_learner(self, *, user_course_id: int) -> LearnerAnalysis:
        """Analyze an enrollment now; see `worker.analytics.learner_analysis.analyze_learner`."""
        return await self.aside(analyze_learner, self._blocking, user_course_id, None, self._thresholds)

    async def analyze_course(self, *, course_id: int) -> CourseAnalysis:
        """Analyze a course; see `worker.analytics.course_analysis.analyze_course`."""
        return await self.aside(analyze_course, self._blocking, course_id, None, self._thresholds)

    async def analyze_course_and_class(self, *, course_id: int, limit: int) -> tuple[CourseAnalysis, ClassList]:
        """Analyze a course, and list up to `limit` of its enrollments, in one snapshot."""
        return await self.aside(analyze_course_and_class, self._blocking, course_id, None, self._thresholds, limit)

    async def get_lesson_history(self, *, user_course_id: int, topic_id: int, lesson_id: int) -> LessonVisits:
        """Return a lesson's visits and corrections; see `worker.analytics.lesson_history.lesson_history`."""
        key = (user_course_id, topic_id, lesson_id)
        return await self._run(lesson_history, *key, self._thresholds.idle_cutoff_seconds)

    async def submit_events(self, entries: Sequence[Entry]) -> list[Verdict]:
        """Apply events of any type; return a verdict on each, in order. See `worker.progress.submit.submit`."""
        if sum(len(entry.body or b"") for entry in entries) > LARGE_BYTES:
            return await self.aside(submit, self._blocking, entries)
        return await self._write(submit, entries)

    async def get_course_ids(self, user_course_ids: Collection[int]) -> dict[int, int | None]:
        """Return the course of each of these enrollments that exists."""
        return await self._run(lesson_progress.get_course_ids, user_course_ids)

    async def find_course_of_each(self, events: Collection[NamedEvent]) -> list[int | None]:
        """Return the course of each named event; see `worker.identity.event_courses.find_course_of_each`."""
        return await self._read(find_course_of_each, events) if events else []

    async def find_awaited(self, lessons: Collection[SourceAndLesson]) -> set[SourceAndLesson]:
        """Return the lessons that events wait for; see `worker.progress.events_without_course.find_awaited`."""
        return await self._read(find_awaited, lessons) if lessons else set()

    async def find_enrollment(self, source: str, learner: str, course: str) -> NamedEnrollmentIds | None:
        """Return the ids of an enrollment; see `worker.identity.look_up.find_enrollment`."""
        return await self._read(look_up.find_enrollment, source, learner, course)

    async def find_lesson(self, source: str, lesson: str, course: str | None) -> NamedLessonIds | None:
        """Return the ids of a lesson; see `worker.identity.look_up.find_lesson`."""
        return await self._read(look_up.find_lesson, source, lesson, course)

    async def clock(self) -> datetime:
        """Return the time by PostgreSQL's clock."""
        return await self._run(read_clock)


@asynccontextmanager
async def open_progress_service(settings: Settings | None = None) -> AsyncIterator[UserCourseProgressService]:
    """Open a service on DATABASE_URL with its own connections, closed at the end of the block."""
    settings = settings or get_settings()
    engine = open_async_engine(settings)
    blocking = open_engine(
        settings.model_copy(update={"lock_timeout_seconds": settings.api_lock_timeout_seconds}),
        application_name="progress-worker api",
    )
    try:
        yield UserCourseProgressService(
            engine,
            blocking,
            max_wait_seconds=settings.connect_timeout_seconds,
            thresholds=AnalysisThresholds.of(settings),
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
