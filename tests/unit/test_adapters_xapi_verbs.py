"""What the verb and result of a statement mean, in a lesson and in a course."""

from typing import Any

import pytest

from tests.support.statements import (
    AS,
    COURSE,
    EDX_COURSE,
    LESSON,
    MOODLE,
    MOODLE_COURSE,
    TINCAN,
    activity,
    around,
    event_of,
    moodle,
    outcome,
    shown,
    statement,
)

CMI5_PROGRESS = "https://w3id.org/xapi/cmi5/result/extensions/progress"
VIDEO_PROGRESS = "https://w3id.org/xapi/video/extensions/progress"
MARKED = "http://vocab.xapi.fr/verbs/marked-completion"


class TestCourseLevel:
    """Row 6: the object is the course."""

    @pytest.mark.parametrize(
        "verb",
        [
            *("registered", "http://www.tincanapi.co.uk/verbs/enrolled_onto_learning_plan", AS + "join"),
            *("https://xapi.edlm/profiles/edlm-lms/concepts/verbs/enrolled", "http://activitystrea.ms/join"),
        ],
    )
    def test_enrollment(self, verb: str) -> None:
        event = event_of(statement(verb, COURSE))
        assert (event.type, event.data.course, event.data.timezone) == ("enrollment.created", COURSE["id"], "UTC")
        assert event_of(statement(verb, COURSE), timezone="Asia/Kolkata").data.timezone == "Asia/Kolkata"

    @pytest.mark.parametrize(
        "verb",
        [*("unregistered", TINCAN + "verb/unregistered", AS + "leave", "http://activitystrea.ms/leave")],
    )
    def test_unenrollment(self, verb: str) -> None:
        assert outcome(statement(verb, MOODLE_COURSE)) == "unenrolment"

    @pytest.mark.parametrize(
        "verb", ["completed", "passed", TINCAN + "verb/viewed", "progressed", "https://x.example/y"]
    )
    @pytest.mark.parametrize("target", [COURSE, MOODLE_COURSE, EDX_COURSE], ids=shown)
    def test_anything_else(self, verb: str, target: object) -> None:
        assert outcome(statement(verb, target, result={"completion": True})) == "course_level"

    def test_a_lesson_one_registers_for(self) -> None:
        assert outcome(statement("registered")) == "verb"
        assert outcome(statement(AS + "join")) == "verb"


RESULTS: list[tuple[str, dict[str, Any], str]] = [
    ("completed", {}, "lesson.completed"),
    ("completed", {"success": False}, "lesson.completed"),
    ("completed", {"completion": False}, "lesson.viewed"),
    ("completed", {"completion": None}, "lesson.completed"),
    ("completed", {"completion": "false"}, "lesson.completed"),
    ("passed", {}, "lesson.completed"),
    ("passed", {"success": True}, "lesson.completed"),
    ("passed", {"success": False}, "lesson.viewed"),
    ("passed", {"success": False, "completion": True}, "lesson.viewed"),
    ("passed", {"completion": False}, "lesson.viewed"),
    ("mastered", {}, "lesson.completed"),
    ("https://w3id.org/xapi/adl/verbs/waived", {"completion": True}, "lesson.completed"),
    (AS + "complete", {}, "lesson.completed"),
    ("http://activitystrea.ms/complete", {"completion": False}, "lesson.viewed"),
    ("progressed", {"completion": True}, "lesson.completed"),
    ("attempted", {"completion": True}, "lesson.completed"),
    ("failed", {"completion": True, "success": False}, "lesson.completed"),
    ("answered", {"completion": True}, "lesson.completed"),
    ("https://verbs.example/pondered", {"completion": True}, "lesson.completed"),
    ("answered", {"completion": False}, "verb"),
    ("answered", {"completion": "true"}, "verb"),
    ("answered", {"completion": 1}, "verb"),
    ("failed", {}, "lesson.viewed"),
    ("progressed", {"completion": False}, "lesson.viewed"),
    ("progressed", {"completion": False, "extensions": {CMI5_PROGRESS: 0}}, "lesson.reopened"),
    ("progressed", {"completion": False, "extensions": {CMI5_PROGRESS: 0.0}}, "lesson.reopened"),
    ("progressed", {"completion": False, "extensions": {CMI5_PROGRESS: 50.0}}, "lesson.viewed"),
    ("progressed", {"completion": False, "extensions": {CMI5_PROGRESS: False}}, "lesson.viewed"),
    ("progressed", {"completion": False, "extensions": {CMI5_PROGRESS: "0"}}, "lesson.viewed"),
    ("progressed", {"extensions": {CMI5_PROGRESS: 0}}, "lesson.viewed"),
    ("terminated", {"completion": False, "extensions": {VIDEO_PROGRESS: 0}}, "lesson.viewed"),
    ("progressed", {"extensions": {CMI5_PROGRESS: 100}}, "lesson.viewed"),
    ("terminated", {"extensions": {VIDEO_PROGRESS: 1}}, "lesson.viewed"),
    ("https://w3id.org/xapi/video/verbs/paused", {"extensions": {VIDEO_PROGRESS: 1}}, "lesson.viewed"),
    (MARKED, {"completion": True}, "lesson.completed"),
    (MARKED, {"completion": False}, "lesson.reopened"),
    (MARKED, {}, "lesson.reopened"),
    ("uncompleted", {}, "lesson.reopened"),
    ("uncompleted", {"completion": True}, "lesson.reopened"),
    ("https://verbs.example/uncompleted", {}, "lesson.reopened"),
]
VIEWING = [
    *("initialized", "launched", "attempted", "experienced", "resumed", "suspended", "terminated", "exited", "failed"),
    *("progressed", "interacted", TINCAN + "verb/viewed", TINCAN + "verb/previewed", TINCAN + "verb/downloaded"),
    *("https://w3id.org/xapi/dod-isd/verbs/navigated", "https://w3id.org/xapi/adl/verbs/abandoned"),
    *("http://activitystrea.ms/schema/1.0/" + each for each in ("access", "open", "play", "read", "watch", "start")),
    *("https://w3id.org/xapi/video/verbs/" + each for each in ("played", "paused", "seeked")),
    *("https://w3id.org/xapi/acrossx/verbs/evaluated", "http://www.tincanapi.co.uk/verbs/evaluated"),
    *("https://xapi.edlm/profiles/edlm-lms/concepts/verbs/restarted", "https://adlnet.gov/expapi/verbs/experienced"),
]
OTHER_VERBS = [
    *("answered", "asked", "attended", "commented", "scored", "shared", "voided-not", "http://example.com/verbs/read"),
    *("https://verbs.example/completed", "https://brindlewaye.com/xAPITerms/verbs/loggedin", TINCAN + "verb/rated"),
    *(
        AS + "submit",
        AS + "receive",
        "https://w3id.org/xapi/acrossx/verbs/posted",
        "x",
        "http://adlnet.gov/expapi/verbs/",
    ),
]


class TestVerb:
    """Rows 7 to 16: what it means."""

    @pytest.mark.parametrize(("verb", "result", "expected"), RESULTS, ids=shown)
    def test_result(self, verb: str, result: object, expected: str) -> None:
        assert outcome(statement(verb, result=result)) == expected

    @pytest.mark.parametrize("verb", VIEWING)
    def test_viewed(self, verb: str) -> None:
        assert outcome(statement(verb)) == "lesson.viewed"

    @pytest.mark.parametrize("verb", OTHER_VERBS)
    def test_other(self, verb: str) -> None:
        assert outcome(statement(verb if verb != "x" else "urn:x")) == "verb"

    @pytest.mark.parametrize(
        "result", [None, [], "completed", 1, True, {"completion": []}, {"extensions": []}], ids=shown
    )
    def test_results_of_other_types(self, result: object) -> None:
        assert outcome(statement("completed", result=result)) == "lesson.completed"
        assert outcome(statement("progressed", result=result)) == "lesson.viewed"

    @pytest.mark.parametrize(("verb", "result", "expected"), RESULTS, ids=shown)
    def test_parts_never_complete_or_reopen(self, verb: str, result: object, expected: str) -> None:
        record = statement(
            verb, "https://lms.example/slides/9", context=around(parent=[activity(LESSON, "lesson")]), result=result
        )
        claims = expected != "verb" and not verb.endswith(("answered", "pondered"))
        assert outcome(record) == ("lesson.viewed" if claims else "verb")

    @pytest.mark.parametrize(
        ("verb", "event", "result", "expected"),
        [
            ("completed", "\\core\\event\\course_module_completion_updated", {}, "lesson.completed"),
            ("completed", "\\core\\event\\course_module_completion_updated", {"success": True}, "lesson.completed"),
            ("completed", "\\core\\event\\course_module_completion_updated", {"success": False}, "lesson.viewed"),
            ("completed", "\\core\\event\\course_module_completion_updated", {"completion": False}, "lesson.viewed"),
            ("completed", "\\mod_scorm\\event\\sco_launched", {}, "lesson.viewed"),
            ("completed", "\\mod_quiz\\event\\attempt_submitted", {"completion": True}, "lesson.viewed"),
            (AS + "submit", "\\mod_assign\\event\\assessable_submitted", {"completion": True}, "lesson.viewed"),
            (AS + "submit", "\\mod_assign\\event\\assessable_submitted", {}, "verb"),
            ("passed", "", {}, "lesson.viewed"),
            ("uncompleted", "\\core\\event\\course_module_completion_updated", {}, "lesson.reopened"),
            (TINCAN + "verb/viewed", "\\mod_quiz\\event\\course_module_viewed", {}, "lesson.viewed"),
        ],
        ids=shown,
    )
    def test_only_one_event_of_moodle_completes(self, verb: str, event: str, result: object, expected: str) -> None:
        assert outcome(moodle(verb, event=event, result=result)) == expected

    def test_a_course_completed_inmoodle(self) -> None:
        assert outcome(moodle("completed", MOODLE_COURSE, "\\core\\event\\course_completed")) == "course_level"

    def test_someone_logged_in_tomoodle(self) -> None:
        assert outcome(moodle("https://brindlewaye.com/xAPITerms/verbs/loggedin/", f"{MOODLE}/x")) == "verb"

    def test_of_two_extensions_the_order_does_not_matter(self) -> None:
        extensions = {VIDEO_PROGRESS: 0.5, CMI5_PROGRESS: 0}
        for each in (extensions, dict(reversed(extensions.items()))):
            record = statement("progressed", result={"completion": False, "extensions": each})
            assert outcome(record) == "lesson.reopened"
