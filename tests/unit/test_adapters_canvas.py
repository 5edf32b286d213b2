"""Canvas's Live Events, row by row, in its own form and in Caliper's."""

import json
from typing import Any

import pytest

from tests.support.caliper import entity, envelope
from tests.support.canvas import (
    ITEM_URL,
    UUID,
    as_caliper,
    asset,
    enrollment,
    event_of,
    events_of,
    live,
    member_of,
    ours,
    outcome,
    urn,
    wide,
)
from tests.support.canvas import shown as shown_asset
from tests.support.statements import shown
from worker.adapters.canvas import split
from worker.adapters.canvas_names import from_urn, local_id, shard_of

LESSONS = {
    "wiki_page": "wiki_page:144",
    "assignment": "assignment:144",
    "quiz": "quiz:144",
    "quizzes:quiz": "quiz:144",
    "discussion_topic": "discussion_topic:144",
    "attachment": "attachment:144",
    "content_tag": "module_item:144",
    "context_external_tool": "context_external_tool:144",
    "lti/tool_proxy": "lti/tool_proxy:144",
}
NO_LESSONS = (
    *("course", "account", "group", "user", "enrollment", "calendar_event", "collaboration", "web_conference"),
    *("learning_outcome", "unheard", ""),
)
NO_IDS: tuple[object, ...] = (
    *(None, "", "0", 0, -5, "-5", "5.0", 5.0, True, [], {}, wide(0)),
    *("1" * 20, 10**25, "~5", "5~", "1~2~3", "\u0665", "a:5"),
)
STAFF = ("TeacherEnrollment", "TaEnrollment", "DesignerEnrollment", "ObserverEnrollment", "AccountUser", "User")
NO_LONGER = ("deleted", "inactive", "rejected", "completed")
STILL = ("active", "invited", "creation_pending", None)


class TestUsable:
    """What is no Live Event."""

    @pytest.mark.parametrize("record", ["text", "", b"{"], ids=shown)
    def test_no_json(self, record: object) -> None:
        assert outcome(record) == "rejected: not_json"

    @pytest.mark.parametrize("record", [None, 1, 1.5, True], ids=shown)
    def test_no_object(self, record: object) -> None:
        assert outcome(record) == "rejected: not_an_object"

    @pytest.mark.parametrize(
        "record",
        [
            {},
            {"metadata": {}},
            {"metadata": {}, "body": []},
            {"metadata": None, "body": {}},
            {"metadata": {}, "body": {}},
            {"metadata": {"event_name": ""}, "body": {}},
            {"metadata": {"event_name": 1}, "body": {}},
        ],
        ids=shown,
    )
    def test_missing_member(self, record: object) -> None:
        assert outcome(record) == "rejected: missing_member"


class TestViews:
    """asset_accessed."""

    @pytest.mark.parametrize(("asset_type", "lesson"), LESSONS.items())
    def test_lesson(self, asset_type: str, lesson: str) -> None:
        found = event_of(live("asset_accessed", asset(asset_type)))
        assert (found.type, found.data.lesson) == ("lesson.viewed", lesson)
        assert (found.data.learner, found.data.course, found.data.enrols) == ("user:4", "course:565", True)

    @pytest.mark.parametrize("asset_type", LESSONS)
    def test_opened_from_its_module(self, asset_type: str) -> None:
        assert event_of(live("asset_accessed", asset(asset_type), url=ITEM_URL)).data.lesson == "module_item:4635203"

    @pytest.mark.parametrize(
        ("url", "lesson"),
        [
            ("https://c.example/courses/1/pages/x?a=b&module_item_id=7#top", "module_item:7"),
            ("https://c.example/courses/1/pages/x?module_item_id=2107~7", "module_item:7"),
            ("https://c.example/courses/1/pages/x?module_item_id=2107%7E7", "module_item:7"),
            ("https://c.example/courses/1/pages/x?module_item_id=9~7", "module_item:9~7"),
            (f"https://c.example/courses/1/pages/x?module_item_id={wide(7)}", "module_item:7"),
            ("https://c.example/courses/1/pages/x?module_item_id=", "wiki_page:144"),
            ("https://c.example/courses/1/pages/x?module_item_id=x", "wiki_page:144"),
            ("https://c.example/courses/1/modules/items/7", "wiki_page:144"),
            (None, "wiki_page:144"),
            (1, "wiki_page:144"),
        ],
        ids=shown,
    )
    def test_url(self, url: object, lesson: str) -> None:
        assert event_of(live("asset_accessed", asset(), url=url)).data.lesson == lesson

    def test_the_page_before_does_not_count(self) -> None:
        assert event_of(live("asset_accessed", asset(), referrer=ITEM_URL)).data.lesson == "wiki_page:144"

    @pytest.mark.parametrize("asset_type", NO_LESSONS)
    def test_not_a_lesson(self, asset_type: str) -> None:
        assert outcome(live("asset_accessed", asset(asset_type))) == "not_a_lesson"

    @pytest.mark.parametrize("asset_type", LESSONS)
    def test_a_list_of_assets(self, asset_type: str) -> None:
        assert outcome(live("asset_accessed", asset(asset_type, asset_subtype="quizzes"))) == "not_a_lesson"

    @pytest.mark.parametrize("context", ["Group", "Account", "User", None])
    def test_outside_of_courses(self, context: str | None) -> None:
        assert outcome(live("asset_accessed", asset(), context_type=context)) == "not_a_lesson"

    @pytest.mark.parametrize("user", [None, "", "x", 0], ids=shown)
    def test_anonymous(self, user: object) -> None:
        assert outcome(live("asset_accessed", asset(), user_id=user)) == "anonymous"

    @pytest.mark.parametrize("role", STAFF)
    def test_staff(self, role: str) -> None:
        assert outcome(live("asset_accessed", asset(role=role))) == "staff"
        assert outcome(live("asset_accessed", asset(role=None), context_role=role)) == "staff"

    @pytest.mark.parametrize("role", ["StudentView", "StudentViewEnrollment"])
    def test_test_student(self, role: str) -> None:
        assert outcome(live("asset_accessed", asset(role=role))) == "test_user"

    @pytest.mark.parametrize("role", [None, ""])
    def test_without_a_role(self, role: str | None) -> None:
        """A request to the API, such as of an app."""
        assert event_of(live("asset_accessed", asset(role=role), context_role=role)).data.enrols is False

    @pytest.mark.parametrize("level", ["submit", "participate", None])
    def test_any_level_is_a_view(self, level: str | None) -> None:
        assert outcome(live("asset_accessed", asset(level=level))) == "lesson.viewed"

    def test_without_ids(self) -> None:
        assert outcome(live("asset_accessed", asset(asset_id=None))) == "rejected: no_lesson"
        assert outcome(live("asset_accessed", asset(asset_id=None), url=ITEM_URL)) == "lesson.viewed"
        assert outcome(live("asset_accessed", asset(), context_id=None)) == "rejected: no_course"


class TestCompletions:
    """submission_created and quiz_submitted."""

    def test_submission(self) -> None:
        body = {"assignment_id": wide(12), "user_id": wide(14), "submission_id": wide(1)}
        found = event_of(live("submission_created", body, user_id=None, context_type=None, context_id=None))
        assert (found.type, found.data.lesson, found.data.learner) == ("lesson.completed", "assignment:12", "user:14")
        assert (found.data.course, found.data.enrols) == (None, True)
        assert event_of(live("submission_created", body)).data.course == "course:565"

    def test_quiz(self) -> None:
        found = event_of(live("quiz_submitted", {"quiz_id": wide(22), "submission_id": wide(1)}))
        assert (found.type, found.data.lesson, found.data.learner) == ("lesson.completed", "quiz:22", "user:4")
        assert found.data.course == "course:565"

    def test_on_another_shard(self) -> None:
        found = event_of(live("quiz_submitted", {"quiz_id": "11210000002223333"}))
        assert found.data.lesson == "quiz:1121~2223333"

    @pytest.mark.parametrize("role", [*STAFF, "StudentViewEnrollment"])
    def test_staff(self, role: str) -> None:
        expected = "test_user" if role == "StudentViewEnrollment" else "staff"
        assert outcome(live("quiz_submitted", {"quiz_id": wide(22)}, context_role=role)) == expected
        body = {"assignment_id": wide(12), "user_id": wide(4)}
        assert outcome(live("submission_created", body, context_role=role)) == expected

    def test_submitted_by_a_teacher_for_a_learner(self) -> None:
        body = {"assignment_id": wide(12), "user_id": wide(14)}
        assert outcome(live("submission_created", body, context_role="TeacherEnrollment")) == "lesson.completed"

    def test_without_ids(self) -> None:
        assert outcome(live("quiz_submitted", {"quiz_id": None})) == "rejected: no_lesson"
        assert outcome(live("quiz_submitted", {"quiz_id": wide(1)}, user_id=None)) == "anonymous"
        assert outcome(live("submission_created", {"user_id": wide(1)})) == "rejected: no_lesson"
        assert outcome(live("submission_created", {"assignment_id": wide(1)})) == "rejected: no_learner"


class TestEnrollments:
    """enrollment_created and enrollment_updated."""

    @pytest.mark.parametrize("name", ["enrollment_created", "enrollment_updated"])
    @pytest.mark.parametrize("state", STILL)
    def test_enrollment(self, name: str, state: str | None) -> None:
        found = event_of(live(name, enrollment(workflow_state=state)), timezone="America/New_York")
        assert (found.type, found.data.learner, found.data.course) == ("enrollment.created", "user:20064", "course:565")
        assert found.data.timezone == "America/New_York"
        assert f"{found.time:%F %T}" == "2025-03-01 10:00:00"

    @pytest.mark.parametrize("state", NO_LONGER)
    def test_no_longer(self, state: str) -> None:
        assert outcome(live("enrollment_updated", enrollment(workflow_state=state))) == "unenrolment"

    @pytest.mark.parametrize("role", STAFF)
    def test_staff(self, role: str) -> None:
        assert outcome(live("enrollment_created", enrollment(type=role, workflow_state="deleted"))) == "staff"

    def test_test_student(self) -> None:
        assert outcome(live("enrollment_created", enrollment(type="StudentViewEnrollment"))) == "test_user"

    def test_without_members(self) -> None:
        assert outcome(live("enrollment_created", enrollment(type=None))) == "rejected: missing_member"
        assert outcome(live("enrollment_created", enrollment(user_id=None))) == "rejected: no_learner"
        assert outcome(live("enrollment_created", enrollment(course_id=None))) == "rejected: no_course"


class TestOthers:
    """What does not count."""

    @pytest.mark.parametrize("name", ["course_progress", "course_completed"])
    def test_course_level(self, name: str) -> None:
        assert outcome(live(name, {"user": {"id": "4", "email": "a@b.example"}})) == "course_level"

    @pytest.mark.parametrize("name", ["module_created", "module_updated", "module_item_created", "module_item_updated"])
    def test_outline(self, name: str) -> None:
        assert outcome(live(name, {})) == "outline"

    @pytest.mark.parametrize(
        "name",
        [
            *("submission_updated", "grade_change", "logged_in", "assignment_created", "enrollment_state_created"),
            *("enrollment_state_updated", "discussion_entry_created", "plagiarism_resubmit", "quiz_created"),
        ],
    )
    def test_event_type(self, name: str) -> None:
        assert outcome(live(name, {})) == "event_type"


class TestTimeAndIdentity:
    """When it was, and what tells it from others."""

    @pytest.mark.parametrize(
        ("time", "expected"),
        [
            (None, "bad_time"),
            ("", "bad_time"),
            ("2025-03-01T10:00:00", "no_offset"),
            ("2027-03-01T10:00:00Z", "time_out_of_range"),
        ],
    )
    def test_time(self, time: str | None, expected: str) -> None:
        for event in (live("asset_accessed", asset()), live("enrollment_created", enrollment())):
            event["metadata"]["event_time"] = time
            assert outcome(event) == f"rejected: {expected}"

    def test_what_a_resend_repeats(self) -> None:
        event = live("asset_accessed", asset())
        first = event_of(event).event_id
        for member in ("client_ip", "user_agent", "session_id", "producer", "url", "user_login"):
            assert event_of(live("asset_accessed", asset(), **{member: "another"})).event_id == first
        for member, value in (("event_time", "2025-03-01T10:00:00.001Z"), ("user_id", wide(5)), ("request_id", "r")):
            assert event_of(live("asset_accessed", asset(), **{member: value})).event_id != first
        assert event_of(live("asset_accessed", asset(asset_name="x"))).event_id != first

    def test_events_of_jobs(self) -> None:
        one, another, none = (
            event_of(live("enrollment_created", enrollment(), request_id=None, job_id=job)).event_id
            for job in ("1", "2", None)
        )
        assert len({one, another, none}) == 3

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (wide(5), "5"),
            (int(wide(5)), "5"),
            ("5", "5"),
            (5, "5"),
            (" 5 ", "5"),
            ("2107~5", "5"),
            ("0~5", "5"),
            ("11210000000000005", "1121~5"),
            ("1121~5", "1121~5"),
            *((value, None) for value in NO_IDS),
        ],
        ids=shown,
    )
    def test_ids(self, value: object, expected: str | None) -> None:
        assert local_id(value, shard_of(wide(1))) == expected

    def test_on_a_canvas_of_your_own(self) -> None:
        """Local ids throughout."""
        found = event_of(live("asset_accessed", asset(asset_id=9), root_account_id=1, user_id="4", context_id=5))
        assert (found.data.learner, found.data.course, found.data.lesson) == ("user:4", "course:5", "wiki_page:9")


class TestCaliper:
    """The same events as Caliper."""

    @pytest.mark.parametrize("kind", [*LESSONS, "wikiPage"])
    def test_view(self, kind: str) -> None:
        lesson = LESSONS["wiki_page" if kind == "wikiPage" else kind]
        view = as_caliper("NavigationEvent", "NavigatedTo", shown_asset(kind), "Learner")
        found = event_of(view)
        assert (found.type, found.event_id, found.data.lesson) == ("lesson.viewed", UUID, lesson)
        assert (found.data.learner, found.data.course, found.data.enrols) == ("user:4", "course:565", True)
        assert event_of(view | ours(request_url=ITEM_URL)).data.lesson == "module_item:4635203"
        plain = entity(urn(kind, 144), "Entity")
        assert event_of(view | {"object": plain}).data.lesson == lesson

    def test_without_a_role(self) -> None:
        view = as_caliper("NavigationEvent", "NavigatedTo", shown_asset("wikiPage"))
        assert event_of(view).data.enrols is False
        assert event_of(view | {"membership": None}).data.enrols is False

    @pytest.mark.parametrize("role", ["Instructor", "TeachingAssistant", "Mentor", "ContentDeveloper", "Administrator"])
    def test_staff(self, role: str) -> None:
        assert outcome(as_caliper("NavigationEvent", "NavigatedTo", shown_asset("wikiPage"), role)) == "staff"

    def test_not_a_person(self) -> None:
        system = entity("http://canvas.example/", "SoftwareApplication")
        view = as_caliper("NavigationEvent", "NavigatedTo", shown_asset("attachment"), actor=system)
        assert outcome(view) == "not_a_person"
        assert outcome(view | {"actor": entity("http://canvas.example/4", "Person")}) == "rejected: no_learner"

    @pytest.mark.parametrize("kind", NO_LESSONS[:-1])
    def test_not_a_lesson(self, kind: str) -> None:
        view = as_caliper("NavigationEvent", "NavigatedTo", shown_asset(kind), "Learner")
        assert outcome(view) == "not_a_lesson"

    def test_a_list_of_assets(self) -> None:
        target = shown_asset("quizzes:quiz", asset_subtype="quizzes")
        assert outcome(as_caliper("NavigationEvent", "NavigatedTo", target, "Learner")) == "not_a_lesson"

    def test_outside_of_courses(self) -> None:
        group = entity(urn("group", 3), "Group")
        view = as_caliper("NavigationEvent", "NavigatedTo", shown_asset("wikiPage"), group=group, membership=None)
        assert outcome(view) == "not_a_lesson"

    @pytest.mark.parametrize(
        ("of_type", "assignable", "lesson"),
        [
            ("AssignableEvent", entity(urn("assignment", 12), "AssignableDigitalResource"), "assignment:12"),
            ("AssessmentEvent", entity(urn("quiz", 22), "Assessment"), "quiz:22"),
            ("AssessmentEvent", entity(urn("quiz", "11210000002223333"), "Assessment"), "quiz:1121~2223333"),
        ],
        ids=shown,
    )
    def test_submission(self, of_type: str, assignable: dict[str, Any], lesson: str) -> None:
        attempt = entity(urn("submission", 1), "Attempt", assignable=assignable)
        found = event_of(as_caliper(of_type, "Submitted", attempt, "Learner"))
        assert (found.type, found.data.lesson, found.data.course) == ("lesson.completed", lesson, "course:565")
        alone = event_of(as_caliper(of_type, "Submitted", attempt, group=None, membership=None))
        assert (alone.data.learner, alone.data.course, alone.data.enrols) == ("user:4", None, True)

    def test_submission_to_nothing(self) -> None:
        attempt = entity(urn("submission", 1), "Attempt")
        assert outcome(as_caliper("AssignableEvent", "Submitted", attempt)) == "rejected: no_lesson"

    @pytest.mark.parametrize("action", ["Created", "Modified"])
    @pytest.mark.parametrize("is_of_system", [False, True])
    def test_enrollment(self, action: str, is_of_system: bool) -> None:
        members = {"user_id": urn("user", 20064), "course_id": urn("course", 565)}
        section = entity(f"{urn('course', 565)}:section:{wide(4811)}", "CourseSection")
        made = as_caliper("Event", action, entity(urn("enrollment", 1), "Entity"), group=section, membership=None)
        if is_of_system:
            made["actor"] = entity("http://canvas.example/", "SoftwareApplication")
        for change, expected in (
            ({}, "enrollment.created"),
            ({"workflow_state": "deleted"}, "unenrolment"),
            ({"type": "TeacherEnrollment"}, "staff"),
            ({"type": "StudentViewEnrollment"}, "test_user"),
            ({"user_id": None}, "rejected: no_learner"),
            ({"course_id": None}, "rejected: no_course"),
        ):
            made["object"] |= ours(**(enrollment() | members | change))
            assert outcome(made) == expected
        made["object"] |= ours(**(enrollment() | members))
        assert (event_of(made).data.learner, event_of(made).data.course) == ("user:20064", "course:565")

    @pytest.mark.parametrize(("of_type", "action"), [("AssignableEvent", "Created"), ("GradeEvent", "Graded")])
    def test_event_type(self, of_type: str, action: str) -> None:
        assert outcome(as_caliper(of_type, action, shown_asset("assignment"), "Instructor")) == "event_type"

    def test_checks_of_caliper(self) -> None:
        view = as_caliper("NavigationEvent", "NavigatedTo", shown_asset("wikiPage"), "Learner")
        assert outcome(view | {"eventTime": None}) == "rejected: missing_member"
        assert outcome({"@type": "http://purl.imsglobal.org/caliper/v1/Event"}) == "rejected: unsupported_version"
        assert outcome(entity(urn("user", 4), "Person")) == "entity"

    def test_organization_alone_tells_the_course(self) -> None:
        view = as_caliper(
            "NavigationEvent", "NavigatedTo", shown_asset("wikiPage"), group=None, membership=member_of(7, "Learner")
        )
        assert event_of(view).data.course == "course:7"

    def test_urns(self) -> None:
        assert from_urn(urn("quizzes:quiz", 5)) == ("quizzes:quiz", wide(5))
        assert from_urn(f"{urn('course', 5)}:section:7") == ("course", wide(5))
        assert from_urn("https://c.example/5") == ("", "")


def test_wrapping() -> None:
    one, two = live("asset_accessed", asset()), live("quiz_submitted", {"quiz_id": "1"})
    as_one, inner = as_caliper("NavigationEvent", "NavigatedTo", shown_asset("quiz")), json.dumps(two)
    for document in (
        [one, two, as_one],
        {"Records": [{"body": json.dumps(one)}, {"body": two}, {"body": json.dumps(envelope(as_one))}]},
        {"Messages": [{"MessageId": "m", "Body": json.dumps(one)}, {"Body": inner}, {"Body": envelope(as_one)}]},
        [{"messageId": "m", "body": json.dumps(one)}, {"Records": [{"body": inner}]}, envelope(as_one)],
        {"Records": [{"body": json.dumps([one, two])}, {"body": json.dumps({"Records": [{"body": as_one}]})}]},
    ):
        assert list(split(document)) == [one, two, as_one]
        assert len(events_of(document)) == 3


def test_a_broken_message_stops_nothing() -> None:
    one = live("asset_accessed", asset())
    document = {"Records": [{"body": "{"}, {"body": json.dumps(one)}, {"body": None}, {}, 1]}
    assert list(split(document)) == ["{", one, {"body": None}, {}, 1]
    assert list(split({"Records": []})) == []
    assert list(split({"Records": 1})) == [{"Records": 1}]
