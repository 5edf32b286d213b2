"""Caliper, clause by clause: what an event means, whose it is, which lesson and course, and when."""

from datetime import datetime
from hashlib import sha1, sha256
from typing import Any

import pytest

from tests.support.caliper import (
    COURSE,
    HOME,
    ID,
    LEARNER,
    PAGE,
    entity,
    envelope,
    event,
    event_of,
    membership,
    outcome,
)
from tests.support.statements import shown
from worker.adapters.caliper_event import split

SECTION = entity(COURSE, "CourseSection")
BLOCK = "block-v1:edX+DemoX+Demo+type@{}+block@a1"
XBLOCK = f"http://e.example/xblock/{BLOCK}"

MEDIA = (
    "Started Paused Resumed Restarted ForwardedTo JumpedTo ChangedResolution ChangedSize ChangedSpeed ChangedVolume "
    "EnabledClosedCaptioning DisabledClosedCaptioning EnteredFullScreen ExitedFullScreen Muted Unmuted OpenedPopout "
    "ClosedPopout"
)
VIEWED = {
    "NavigationEvent": "NavigatedTo",
    "ViewEvent": "Viewed",
    "ReadingEvent": "NavigatedTo Viewed",
    "ToolLaunchEvent": "Launched",
    "MediaEvent": MEDIA,
    "AssignableEvent": "Started Abandoned Reviewed",
    "AssessmentEvent": "Started Paused Resumed Restarted Reset",
    "QuestionnaireEvent": "Started",
}
COMPLETED = {
    "MediaEvent": "Ended",
    "AssignableEvent": "Completed Submitted",
    "AssessmentEvent": "Submitted Completed",
    "QuestionnaireEvent": "Submitted",
}
IGNORED = {
    "Event": "Created Completed Activated Retrieved",
    "NavigationEvent": "Viewed",
    "ViewEvent": "Downloaded",
    "ToolLaunchEvent": "Returned",
    "ToolUseEvent": "Used",
    "AssignableEvent": "Activated Deactivated",
    "AssessmentItemEvent": "Started Skipped Completed",
    "QuestionnaireItemEvent": "Started Skipped Completed",
    "SessionEvent": "LoggedIn LoggedOut TimedOut",
    "GradeEvent": "Graded",
    "ForumEvent": "Subscribed Unsubscribed",
    "MessageEvent": "Posted MarkedAsRead",
    "ThreadEvent": "MarkedAsRead",
    "AnnotationEvent": "Bookmarked Highlighted Shared Tagged",
    "FeedbackEvent": "Commented Ranked",
    "SearchEvent": "Searched",
    "SurveyInvitationEvent": "Accepted",
    "ResourceManagementEvent": "Copied Created",
}


class TestUsable:
    """What is no event."""

    @pytest.mark.parametrize("record", ["text", "", b"{"], ids=shown)
    def test_no_json(self, record: object) -> None:
        assert outcome(record) == "rejected: not_json"

    @pytest.mark.parametrize("record", [None, 1, 1.5, True], ids=shown)
    def test_no_object(self, record: object) -> None:
        assert outcome(record) == "rejected: not_an_object"

    @pytest.mark.parametrize("context", ["http://purl.imsglobal.org/ctx/caliper/v1/Context", None])
    def test_caliper_1_0(self, context: str | None) -> None:
        old = {
            "@context": context,
            "@type": "http://purl.imsglobal.org/caliper/v1/NavigationEvent",
            "action": "http://purl.imsglobal.org/vocab/caliper/v1/action#NavigatedTo",
        }
        assert outcome(old) == "rejected: unsupported_version"

    def test_both_types_are_newer(self) -> None:
        assert outcome(event() | {"@type": "x"}) == "lesson.viewed"

    @pytest.mark.parametrize("value", [None, "", 1, [], {}], ids=shown)
    @pytest.mark.parametrize("member", ["type", "action", "actor", "object"])
    def test_missing_member(self, member: str, value: object) -> None:
        assert outcome(event() | {member: value}) == "rejected: missing_member"

    @pytest.mark.parametrize("value", [None, ""], ids=shown)
    def test_without_a_time(self, value: object) -> None:
        assert outcome(event(eventTime=value)) == "rejected: missing_member"

    @pytest.mark.parametrize("member", ["actor", "object"])
    @pytest.mark.parametrize("value", [{"type": "Person"}, {"id": None}, {"id": 1}, {"id": ""}], ids=shown)
    def test_without_an_id(self, member: str, value: object) -> None:
        assert outcome(event() | {member: value}) == "rejected: missing_member"

    @pytest.mark.parametrize("of_type", ["Person", "Page", "CourseSection", "Assessment", "Session", "EventX"])
    def test_entities_describe(self, of_type: str) -> None:
        assert outcome(entity(PAGE, of_type)) == "entity"


class TestMeaning:
    """The table."""

    @pytest.mark.parametrize(
        ("of_type", "action", "expected"),
        [
            (of_type, action, expected)
            for table, expected in ((VIEWED, "lesson.viewed"), (COMPLETED, "lesson.completed"), (IGNORED, "event_type"))
            for of_type, actions in table.items()
            for action in actions.split()
        ],
    )
    def test_of_type_and_action(self, of_type: str, action: str, expected: str) -> None:
        assert outcome(event(of_type, action)) == expected

    @pytest.mark.parametrize("of_type", ["CourseSection", "CourseOffering"])
    def test_enrollment(self, of_type: str) -> None:
        found = event_of(event("Event", "Activated", entity(f"{HOME}/c/1", of_type)), timezone="Asia/Tokyo")
        assert (found.type, found.data.learner, found.data.course) == ("enrollment.created", LEARNER, f"{HOME}/c/1")
        assert (found.data.timezone, found.event_id) == ("Asia/Tokyo", ID)
        assert event_of(event("Event", "Activated", entity(f"{HOME}/c/1", of_type))).data.timezone == "UTC"
        assert outcome(event("Event", "Deactivated", entity(f"{HOME}/c/1", of_type))) == "unenrolment"

    def test_enrollment_in_open_edx(self) -> None:
        course = entity("http://e.example/course/course-v1:edX+DemoX+Demo", "CourseOffering")
        assert event_of(event("Event", "Activated", course)).data.course == "course-v1:edX+DemoX+Demo"

    def test_what_does_not_count_is_told_before_who_it_was(self) -> None:
        assert outcome(event("SessionEvent", "TimedOut", actor=entity(HOME, "SoftwareApplication"))) == "event_type"


class TestLearner:
    """Who it was."""

    @pytest.mark.parametrize("of_type", ["SoftwareApplication", "Agent", "Organization", "Group"])
    def test_not_a_person(self, of_type: str) -> None:
        assert outcome(event(actor=entity(HOME, of_type))) == "not_a_person"

    @pytest.mark.parametrize(
        "iri",
        [
            "http://purl.imsglobal.org/caliper/Person",
            "https://purl.imsglobal.org/caliper/Person",
            "http://purl.imsglobal.org/ctx/caliper/v1p1/Person",
        ],
    )
    def test_anonymous(self, iri: str) -> None:
        assert outcome(event(actor=iri)) == "anonymous"
        assert outcome(event(actor=entity(iri, "Person"))) == "anonymous"

    @pytest.mark.parametrize(
        "role",
        [
            *("Instructor", "TeachingAssistant", "Administrator", "ContentDeveloper", "Manager", "Mentor", "Officer"),
            *("Instructor#Lecturer", "Administrator#Support"),
        ],
    )
    def test_staff(self, role: str) -> None:
        assert outcome(event(**membership(role))) == "staff"
        assert outcome(event(**membership("Member", role))) == "staff"
        assert outcome(event(**membership(role, "Learner"))) == "lesson.viewed"
        assert outcome(event(**membership("Learner#GuestLearner", role))) == "lesson.viewed"

    @pytest.mark.parametrize("roles", [[], ["Learner"], ["Member"], [None, 1], None, {}, 1], ids=shown)
    def test_no_staff(self, roles: object) -> None:
        assert outcome(event(membership={"roles": roles})) == "lesson.viewed"

    @pytest.mark.parametrize("membership_", [None, "https://lms.example/m/1", [], 1], ids=shown)
    def test_membership_may_be_anything(self, membership_: object) -> None:
        assert outcome(event(membership=membership_)) == "lesson.viewed"

    @pytest.mark.parametrize("iri", ["mailto:Ann@Example.org", "ann@example.org", "MAILTO:ann@example.org"])
    def test_a_mail_address_is_hashed(self, iri: str) -> None:
        expected = f"mbox_sha1:{sha1(b'mailto:ann@example.org', usedforsecurity=False).hexdigest()}"
        assert event_of(event(actor=iri)).data.learner == expected

    def test_an_iri_that_holds_a_mail_address_is_hashed(self) -> None:
        iri = f"{HOME}/users/ann@example.org/me"
        found = event_of(event(actor=iri, object_=iri, group=f"{iri}2")).data
        assert found.learner == found.lesson == f"sha256:{sha256(iri.encode()).hexdigest()}"
        assert found.course == f"sha256:{sha256(f'{iri}2'.encode()).hexdigest()}"

    @pytest.mark.parametrize(
        "iri",
        [
            "http://e.example/xblock/block-v1:a+b.c+d+type@problem+block@a.b",
            "block-v1:edX+DemoX+Demo+type@video+block@x.org",
            "https://lms.example/@ann",
            "https://lms.example/a@b",
        ],
    )
    def test_an_at_sign_is_no_address(self, iri: str) -> None:
        assert event_of(event(object_=entity(iri, "Page"))).data.lesson == iri.removeprefix("http://e.example/xblock/")

    def test_an_iri_alone(self) -> None:
        assert event_of(event(actor=LEARNER)).data.learner == LEARNER


class TestLesson:
    """What it was about."""

    def test_an_attempt_is_at_its_assignable(self) -> None:
        attempt = entity(f"{HOME}/attempts/1", "Attempt", assignable=entity(PAGE, "Assessment"))
        for each in (attempt, attempt | {"assignable": PAGE}):
            assert event_of(event("AssessmentEvent", "Submitted", each)).data.lesson == PAGE

    @pytest.mark.parametrize("assignable", [None, {}, {"id": ""}, {"id": 1}, []], ids=shown)
    def test_an_attempt_at_nothing(self, assignable: object) -> None:
        attempt = entity(f"{HOME}/attempts/1", "Attempt", assignable=assignable)
        assert outcome(event("AssignableEvent", "Started", attempt)) == "rejected: no_lesson"

    def test_a_launch_is_of_its_target(self) -> None:
        tool = entity(f"{HOME}/tool", "SoftwareApplication")
        assert event_of(event("ToolLaunchEvent", "Launched", tool, target=entity(PAGE, "LtiLink"))).data.lesson == PAGE
        assert outcome(event("ToolLaunchEvent", "Launched", tool)) == "not_a_lesson"

    def test_only_a_launch_is_of_its_target(self) -> None:
        found = event_of(
            event("MediaEvent", "Paused", entity(PAGE, "VideoObject"), target=entity("x", "MediaLocation"))
        )
        assert found.data.lesson == PAGE

    @pytest.mark.parametrize("of_type", ["AssessmentItem", "QuestionnaireItem"])
    def test_inside_lesson(self, of_type: str) -> None:
        assert outcome(event("NavigationEvent", "NavigatedTo", entity(PAGE, of_type))) == "inside_lesson"

    @pytest.mark.parametrize(
        "of_type",
        [
            *("Person", "SoftwareApplication", "CourseSection", "CourseOffering", "Group", "Organization", "Forum"),
            *("Message", "Thread", "Session", "Membership"),
        ],
    )
    def test_not_a_lesson(self, of_type: str) -> None:
        assert outcome(event("NavigationEvent", "NavigatedTo", entity(PAGE, of_type))) == "not_a_lesson"

    @pytest.mark.parametrize(
        "of_type",
        [
            *("Page", "Document", "WebPage", "Chapter", "Frame", "DigitalResource", "VideoObject", "AudioObject"),
            *("Assessment", "Questionnaire", "AssignableDigitalResource", "Entity", "", "Unheard"),
        ],
    )
    def test_lesson(self, of_type: str) -> None:
        assert event_of(event(object_=entity(PAGE, of_type))).data.lesson == PAGE

    @pytest.mark.parametrize("kind", ["course", "chapter", "sequential", "vertical"])
    def test_edx_containers(self, kind: str) -> None:
        target = entity(XBLOCK.format(kind), "DigitalResource")
        assert outcome(event(object_=target)) == "other_level"
        if kind in {"sequential", "vertical"}:
            assert event_of(event(object_=target), edx_level=kind).data.lesson == BLOCK.format(kind)

    def test_edx_block(self) -> None:
        video = event("MediaEvent", "Ended", entity(XBLOCK.format("video"), "VideoObject"))
        assert event_of(video).data.lesson == BLOCK.format("video")
        assert outcome(video, edx_level="vertical") == "other_level"

    def test_a_course_by_its_iri_alone(self) -> None:
        target = entity("http://e.example/courses/course-v1:edX+DemoX+Demo/progress", "WebPage")
        assert outcome(event(object_=target)) == "course_level"

    def test_moodle(self) -> None:
        quiz = entity("https://m.example/mod/quiz/view.php?id=5", "Assessment")
        found = event_of(event("AssessmentEvent", "Submitted", quiz))
        assert (found.type, found.data.lesson) == ("lesson.completed", "cm:5")
        section = entity("https://m.example/course/section.php?id=5", "WebPage")
        assert outcome(event(object_=section)) == "not_a_lesson"

    @pytest.mark.parametrize(
        "iri", ["https://m.example/mod/quiz/view.php?id=5&page=2", f"{XBLOCK.format('problem')}_2_1"]
    )
    def test_a_part_never_completes(self, iri: str) -> None:
        assert outcome(event("AssessmentEvent", "Submitted", entity(iri, "Assessment"))) == "lesson.viewed"


class TestCourse:
    """Where it was."""

    @pytest.mark.parametrize(
        ("members", "course"),
        [
            ({}, COURSE),
            ({"group": COURSE}, COURSE),
            ({"group": {"id": COURSE}}, COURSE),
            ({"group": entity(COURSE, "CourseOffering")}, COURSE),
            ({"group": entity("g", "Group", subOrganizationOf=SECTION)}, COURSE),
            (
                {"group": entity("g", "Group", subOrganizationOf=entity("h", "Group", subOrganizationOf=SECTION))},
                COURSE,
            ),
            ({"group": entity("s", "CourseSection", subOrganizationOf=entity(COURSE, "CourseOffering"))}, "s"),
            ({"group": entity("g", "Group")}, None),
            ({"group": entity("g", "Group", subOrganizationOf=entity("o", "Organization"))}, None),
            ({"group": None, **membership(organization=SECTION)}, COURSE),
            ({"group": None, **membership(organization=COURSE)}, COURSE),
            ({"group": entity("g", "Group"), **membership(organization=SECTION)}, COURSE),
            ({"group": None, **membership(organization=entity("o", "Organization"))}, None),
            ({"group": None, "object": entity(PAGE, "Page", isPartOf=SECTION)}, COURSE),
            (
                {"group": None, "object": entity(PAGE, "Page", isPartOf=entity("d", "Document", isPartOf=SECTION))},
                COURSE,
            ),
            ({"group": None, "object": entity(PAGE, "Page", isPartOf=entity("d", "Document"))}, None),
            ({"group": None, "object": entity(PAGE, "Page", isPartOf="https://lms.example/modules/22")}, None),
            ({"group": None}, None),
            ({"group": 1, "membership": [], "object": PAGE}, None),
        ],
        ids=shown,
    )
    def test_course(self, members: dict[str, Any], course: str | None) -> None:
        assert event_of(event() | members).data.course == course

    def test_open_edx(self) -> None:
        course = entity("http://e.example/course/course-v1:edX+DemoX+Demo", "CourseOffering")
        video = entity(XBLOCK.format("video"), "VideoObject", extensions={"isPartOf": course})
        found = event_of(event("MediaEvent", "Ended", video, group=None))
        assert found.data.course == "course-v1:edX+DemoX+Demo"

    def test_moodle(self) -> None:
        group = entity("https://m.example/course/view.php?id=4", "CourseSection")
        assert event_of(event(group=group)).data.course == "course:4"


class TestTimeAndIdentity:
    """When it was, how long it took, and what tells it from others."""

    def test_time(self) -> None:
        assert event_of(event(eventTime="2025-03-01T11:00:00.5+01:00")).time == datetime.fromisoformat(
            "2025-03-01T10:00:00.5+00:00"
        )
        assert outcome(event(eventTime="2025-03-01T11:00:00")) == "rejected: no_offset"
        assert outcome(event(eventTime="yesterday")) == "rejected: bad_time"
        assert outcome(event(eventTime={"millis": 1})) == "rejected: bad_time"
        assert outcome(event(eventTime="1999-03-01T11:00:00Z")) == "rejected: time_out_of_range"

    @pytest.mark.parametrize(
        ("members", "seconds"),
        [
            ({"duration": "PT10M5.9S"}, 605),
            (
                {"duration": "PT10M", "startedAtTime": "2025-03-01T09:00:00Z", "endedAtTime": "2025-03-01T10:00:00Z"},
                600,
            ),
            ({"startedAtTime": "2025-03-01T09:00:00Z", "endedAtTime": "2025-03-01T10:00:00.9Z"}, 3600),
            ({"startedAtTime": "2025-03-01T10:00:00Z", "endedAtTime": "2025-03-01T10:00:00Z"}, 0),
            ({"startedAtTime": "2025-03-01T10:00:00Z", "endedAtTime": "2025-03-01T09:00:00Z"}, None),
            ({"startedAtTime": "2025-02-01T10:00:00Z", "endedAtTime": "2025-03-01T09:00:00Z"}, None),
            ({"startedAtTime": "2025-03-01T09:00:00Z"}, None),
            ({"endedAtTime": "2025-03-01T09:00:00Z"}, None),
            ({"startedAtTime": "x", "endedAtTime": {}}, None),
            ({"duration": 60}, None),
            ({}, None),
        ],
        ids=shown,
    )
    def test_duration(self, members: dict[str, Any], seconds: int | None) -> None:
        attempt = entity("a", "Attempt", assignable=PAGE, **members)
        for each in (
            event("AssignableEvent", "Submitted", attempt),
            event("AssignableEvent", "Submitted", generated=attempt),
        ):
            assert event_of(each).data.duration_seconds == seconds

    def test_only_an_attempts_duration_counts(self) -> None:
        video = entity(PAGE, "VideoObject", duration="PT3M")
        assert event_of(event("MediaEvent", "Ended", video)).data.duration_seconds is None
        response = entity("r", "Response", duration="PT3M")
        assert event_of(event("AssignableEvent", "Submitted", generated=response)).data.duration_seconds is None

    @pytest.mark.parametrize("value", [ID, f"urn:uuid:{ID}", f"URN:UUID:{ID.upper()}", ID.upper()])
    def test_id(self, value: str) -> None:
        assert event_of(event(id=value)).event_id == ID

    def test_another_id(self) -> None:
        assert event_of(event(id="e-1")).id == "e-1"

    @pytest.mark.parametrize("value", [None, "", 1, "00000000-0000-0000-0000-000000000000"], ids=shown)
    def test_without_an_id_its_contents_tell_it(self, value: object) -> None:
        one = event_of(event(id=value)).id
        assert one.startswith("sha256:")
        assert one == event_of(dict(reversed(event(id=value).items()))).id
        assert one != event_of(event(id=value, eventTime="2025-03-01T10:00:01.000Z")).id


def test_an_envelope_is_what_is_in_it() -> None:
    inside = [event(), "text", {"type": "ViewEvent"}, None, [event()]]
    for document in (
        envelope(*inside),
        [envelope(*inside)],
        inside,
        envelope(envelope(*inside[:2]), *inside[2:]),
        [envelope(each) for each in inside],
    ):
        assert list(split(document)) == [event(), "text", {"type": "ViewEvent"}, None, event()]
    assert list(split(envelope())) == []
    assert list(split(event())) == [event()]
    assert list(split({"data": 1})) == [{"data": 1}]
    assert list(split(event(data=[1]))) == [event(data=[1])]
