"""The tables.

| table                  | one row per                              | written by         | grows with             |
|------------------------|------------------------------------------|--------------------|------------------------|
| `user_course`          | enrollment                                | LMS, ingest        | enrollments             |
| `user_course_progress` | (enrollment, topic, lesson)               | ingest             | lessons touched        |
| `lesson_event`         | distinct lesson event or correction      | ingest             | events; retention      |
| `enrollment_event`     | `enrollment.created` that was recorded   | ingest, a trigger  | enrollments            |
| `voided_event`         | event taken out of the ledger            | `void`             | such events            |
| `course`               | course with an outline                   | ingest             | courses                |
| `course_lesson`        | lesson of a course's live outline        | ingest             | lessons                |
| `moved_lesson`         | place where a live lesson was before     | ingest             | moved lessons          |
| `outline_event`        | `course.outlined` that was recorded      | ingest             | outlines               |
| `dead_letter`          | stream entry that could not be applied   | ingest, redrive    | bad or early events    |
| `user_course_summary`  | enrollment: its summary                   | summary refresh    | enrollments             |
| `enrollment_change`    | change by an LMS not yet in a summary    | triggers           | such changes; emptied  |
| `course_change`        | change not yet in a course's statistics  | refresh, outlines, triggers | refreshes; emptied |
| `course_statistics`    | course                                   | statistics refresh | courses                |
| `lesson_statistics`    | lesson of a course that counts           | statistics refresh | lessons                |
| `course_figures`       | course                                   | statistics refresh | courses                |
| `week_figures`         | week of a course with anything in it     | statistics refresh | weeks                  |
| `lesson_figures`       | lesson of a course that counts           | statistics refresh | lessons                |
| `activity_change`      | change not yet in an activity            | whatever changes it | refreshes; emptied    |
| `enrollment_activity`  | enrollment: its activity                  | activity refresh   | enrollments             |
| `topic_activity`       | (enrollment, topic) with events           | activity refresh   | topics touched         |
| `lesson_activity`      | (enrollment, lesson) with events          | activity refresh   | lessons touched        |
| `daily_activity`       | (enrollment, local day) with activity     | activity refresh   | days of activity       |
| `progress_system`      | database, so one                         | replays            | never                  |
| `stream_position`      | (stream, consumer) of the last day       | ingest             | streams and consumers  |
"""

from worker.contract.progress_status import ProgressStatus
from worker.database.models.activity import (
    ActivityChange,
    DailyActivity,
    EnrollmentActivity,
    LessonActivity,
    TopicActivity,
)
from worker.database.models.base import Base
from worker.database.models.figures import CourseFigures, LessonFigures, WeekFigures
from worker.database.models.outline import Course, CourseLesson, MovedLesson, OutlineEvent
from worker.database.models.progress import (
    DeadLetter,
    EnrollmentEvent,
    LessonEvent,
    UserCourse,
    UserCourseProgress,
    VoidedEvent,
)
from worker.database.models.statistics import CourseChange, CourseStatistics, LessonStatistics
from worker.database.models.summary import EnrollmentChange, UserCourseSummary
from worker.database.models.system import ProgressSystem, StreamPosition

__all__ = [
    "ActivityChange",
    "Base",
    "Course",
    "CourseChange",
    "CourseFigures",
    "CourseLesson",
    "CourseStatistics",
    "DailyActivity",
    "DeadLetter",
    "EnrollmentActivity",
    "EnrollmentChange",
    "EnrollmentEvent",
    "LessonActivity",
    "LessonEvent",
    "LessonFigures",
    "LessonStatistics",
    "MovedLesson",
    "OutlineEvent",
    "ProgressStatus",
    "ProgressSystem",
    "StreamPosition",
    "TopicActivity",
    "UserCourse",
    "UserCourseProgress",
    "UserCourseSummary",
    "VoidedEvent",
    "WeekFigures",
]
