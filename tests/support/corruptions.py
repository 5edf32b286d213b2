"""Statements that make some row wrong, as a bug or a person might: by name, so that examples are readable."""

CORRUPTIONS = {
    "status": "UPDATE user_course_progress SET status = 'completed', completed_at = NULL WHERE id % 2 = 0",
    "times": "UPDATE user_course_progress SET last_viewed_at = last_viewed_at + interval '1 s', completed_at = now()",
    "corrected": "UPDATE user_course_progress SET corrected_at = CASE WHEN corrected_at IS NULL THEN now() END",
    "row gone": "DELETE FROM user_course_progress WHERE id % 2 = 1",
    "row invented": """
        INSERT INTO user_course_progress (user_course_id, topic_id, lesson_id, status)
        SELECT id, 77, 77, 'completed' FROM user_course
    """,
    "position": "UPDATE user_course SET current_lesson = 999, current_section = NULL WHERE position_at IS NOT NULL",
    "position gone": "UPDATE user_course SET current_topic = NULL, position_at = NULL, position_event_id = NULL",
    "position invented": "UPDATE user_course SET position_at = coalesce(position_at, now()), current_topic = 5",
    "summary": """
        UPDATE user_course_summary
        SET completed_lessons = 99, next_lesson_id = NULL, next_reason = NULL, current_section_id = 5
    """,
    "summary gone": "DELETE FROM user_course_summary",
    "summary of another outline": "UPDATE user_course_summary SET outline_version = outline_version + 7",
    "course statistics": "UPDATE course_statistics SET enrollments = enrollments + 1, completion_rate = 3.14",
    "course statistics gone": "DELETE FROM course_statistics WHERE course_id = 1",
    "lesson statistics": "UPDATE lesson_statistics SET started = started + 1",
    "lesson statistics gone": "DELETE FROM lesson_statistics",
    "lesson invented": """
        INSERT INTO lesson_statistics (course_id, topic_id, lesson_id, enrollments, started, completed, completion_rate)
        SELECT course_id, 77, 77, 1, 1, 1, 100 FROM course_statistics
    """,
    "figures": """
        UPDATE course_figures SET median_days = coalesce(median_days, 0) + 1, events_by_hour[5] = events_by_hour[5] + 1
    """,
    "figures gone": "DELETE FROM course_figures",
    "a week's figures": "UPDATE week_figures SET learners = learners + 1",
    "a week invented": "INSERT INTO week_figures SELECT course_id, date '2001-01-01', 1, 1, 1, 1 FROM course_figures",
    "a lesson's figures": "UPDATE lesson_figures SET stuck = stuck + 1, median_seconds = 0.5",
    "a lesson's figures gone": "DELETE FROM lesson_figures",
    "activity": """
        UPDATE enrollment_activity
        SET sessions = sessions + 1, events_by_hour[9] = events_by_hour[9] + 1, last_at = now()
    """,
    "activity gone": "DELETE FROM enrollment_activity WHERE user_course_id % 2 = 1",
    "lesson's activity": "UPDATE lesson_activity SET visits = visits + 1, visits_to_complete = 99",
    "lesson's activity invented": """
        INSERT INTO lesson_activity
        SELECT user_course_id, 77, 77, 1, 1, 1, refreshed_at, refreshed_at, 1 FROM enrollment_activity
    """,
    "topic's activity": "UPDATE topic_activity SET measured_seconds = measured_seconds + 0.000001",
    "topic's activity gone": "DELETE FROM topic_activity",
    "day's activity": "UPDATE daily_activity SET events = events + 1",
    "day's activity at another day": "UPDATE daily_activity SET day = day - 20000",
}
"""Summaries stay marked as current where they are wrong: that is what an audit is for."""
