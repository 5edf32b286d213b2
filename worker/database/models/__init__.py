"""The tables.

| table                  | one row per                            | written by                 | grows with          |
|------------------------|----------------------------------------|----------------------------|---------------------|
| `user_course`          | enrollment                             | LMS, ingest                | enrollments         |
| `user_course_progress` | enrollment, topic and lesson           | ingest                     | lessons touched     |
| `lesson_event`         | lesson event or correction             | ingest                     | events; retention   |
| `enrollment_event`     | recorded `enrollment.created`          | ingest, trigger            | enrollments         |
| `voided_event`         | voided event                           | `void`                     | voided events       |
| `external_id`          | name of a learner, course, topic, …    | resolve, outlines, `map`   | names               |
| `external_enrollment`  | enrollment of a named learner          | resolve                    | enrollments         |
| `course`               | course with an outline                 | ingest                     | courses             |
| `course_lesson`        | lesson of a live outline               | ingest                     | lessons             |
| `moved_lesson`         | former place of a live lesson          | ingest                     | moved lessons       |
| `outline_event`        | recorded `course.outlined`             | ingest                     | outlines            |
| `dead_letter`          | stream entry that was not applied      | ingest, redrive            | bad or early events |
| `user_course_summary`  | enrollment                             | summary refresh            | enrollments         |
| `enrollment_change`    | unsummarized change by an LMS          | triggers                   | changes; emptied    |
| `course_change`        | change that no statistics show yet     | refresh, outlines, trigger | refreshes; emptied  |
| `course_statistics`    | course                                 | statistics refresh         | courses             |
| `lesson_statistics`    | lesson that counts                     | statistics refresh         | lessons             |
| `course_figures`       | course                                 | statistics refresh         | courses             |
| `week_figures`         | week of a course with any activity     | statistics refresh         | weeks               |
| `lesson_figures`       | lesson that counts                     | statistics refresh         | lessons             |
| `activity_change`      | change that no activity shows yet      | whatever changes it        | changes; emptied    |
| `enrollment_activity`  | enrollment                             | activity refresh           | enrollments         |
| `topic_activity`       | enrollment and topic with events       | activity refresh           | topics touched      |
| `lesson_activity`      | enrollment and lesson with events      | activity refresh           | lessons touched     |
| `daily_activity`       | enrollment and local day with activity | activity refresh           | days of activity    |
| `progress_system`      | database: a single row                 | replays                    | never               |
| `stream_position`      | stream and consumer of the last day    | ingest                     | consumers           |
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
from worker.database.models.external import ExternalEnrollment, ExternalId
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
from worker.database.models.time_statistics import CourseFigures, LessonFigures, WeekFigures

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
    "ExternalEnrollment",
    "ExternalId",
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
