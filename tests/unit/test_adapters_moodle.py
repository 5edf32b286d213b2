"""Moodle's rows and webhooks, clause by clause. Names of events are those of the modules of Moodle 3.9 to 4.5."""

import json
from typing import Any

import pytest

from tests.support.lms_records import (
    COMPLETION,
    ENROLLED,
    become,
    completion,
    connection_of,
    event_of,
    outcome,
    row,
    shipped,
    shown,
)
from worker.adapters.moodle import split
from worker.adapters.php_values import read_php_array

RECORDS = shipped("moodle")
ACTIVITIES = [
    *("assign", "bigbluebuttonbn", "book", "chat", "choice", "data", "feedback", "folder", "forum", "glossary"),
    *("h5pactivity", "hvp", "imscp", "lesson", "lti", "page", "quiz", "resource", "scorm", "survey", "url", "wiki"),
    *("workshop", "attendance", "customcert", "hotpot", "questionnaire", "scheduler"),
]
VIEWED = [
    *(f"mod_{each}\\event\\course_module_viewed" for each in ACTIVITIES),
    *("mod_book\\event\\chapter_viewed", "mod_lesson\\event\\content_page_viewed", "mod_quiz\\event\\attempt_viewed"),
    *("mod_quiz\\event\\attempt_started", "mod_scorm\\event\\sco_launched", "mod_forum\\event\\discussion_viewed"),
    *("mod_wiki\\event\\page_viewed", "mod_glossary\\event\\entry_viewed", "mod_lesson\\event\\lesson_started"),
    *("mod_lesson\\event\\lesson_resumed", "core_h5p\\event\\h5p_viewed", "core\\event\\h5p_viewed"),
]
OUTLINE = [
    *(f"core\\event\\course_module_{each}" for each in ("created", "updated", "deleted")),
    *(f"core\\event\\course_section_{each}" for each in ("created", "updated", "deleted")),
]
IGNORED = [
    *(f"core\\event\\{each}" for each in ("course_viewed", "user_loggedin", "user_loggedout", "user_graded")),
    *(f"core\\event\\{each}" for each in ("course_completed", "course_completion_updated", "badge_awarded")),
    *(f"core\\event\\{each}" for each in ("user_enrolment_updated", "role_assigned", "dashboard_viewed")),
    *(f"core\\event\\{each}" for each in ("section_viewed", "course_resources_list_viewed", "user_report_viewed")),
    *(f"mod_quiz\\event\\attempt_{each}" for each in ("submitted", "reviewed", "abandoned", "preview_started")),
    *("mod_quiz\\event\\attempt_summary_viewed", "mod_quiz\\event\\report_viewed", "mod_quiz\\event\\attempt_graded"),
    *("mod_assign\\event\\assessable_submitted", "mod_assign\\event\\submission_status_viewed"),
    *("assignsubmission_file\\event\\assessable_uploaded", "mod_forum\\event\\post_created"),
    *("mod_forum\\event\\discussion_created", "mod_lesson\\event\\question_viewed", "mod_lesson\\event\\lesson_ended"),
    *(
        "mod_lesson\\event\\essay_attempt_viewed",
        "mod_scorm\\event\\status_submitted",
        "mod_choice\\event\\answer_created",
    ),
    *("mod_page\\event\\course_module_instance_list_viewed", "mod_feedback\\event\\response_submitted"),
    *(
        "mod_h5pactivity\\event\\statement_received",
        "mod_wiki\\event\\page_history_viewed",
        "gradereport_user\\event\\grade_report_viewed",
    ),
    *(
        "course_module_viewed",
        "mod_page\\event\\course_module_viewed_twice",
        "x\\mod_page\\event\\course_module_viewed",
    ),
    *("mod_\\event\\course_module_viewed", "mod_page\\course_module_viewed", "h5p_viewed"),
]

WEBHOOK = {
    "eventname": COMPLETION,
    "objectid": 77,
    "contextlevel": 70,
    "contextinstanceid": "42",
    "userid": "3",
    "courseid": 5,
    "relateduserid": 3,
    "other": {"relateduserid": 3, "overrideby": None, "completionstate": 1},
    "timecreated": 1740823200,
    "host": "moodle.example",
    "token": "secret",
    "extra": "",
}


@pytest.mark.parametrize("case", RECORDS, ids=[each["case"] for each in RECORDS])
def test_shipped_records(case: dict[str, Any]) -> None:
    expected = [
        each.get("event") or each.get("ignored") or f"rejected: {each['rejected']}" for each in case["outcomes"]
    ]
    found = become("moodle", case["record"], connection_of("moodle"))
    assert [each if isinstance(each, str) else shown(each) for each in found] == expected


class TestEvents:
    """Which event means what."""

    @pytest.mark.parametrize("name", VIEWED)
    def test_views(self, name: str) -> None:
        event = event_of("moodle", row(name))
        assert (event.type, event.data.learner, event.data.course, event.data.lesson) == (
            *("lesson.viewed", "user:3", "course:5", "cm:42"),
        )

    @pytest.mark.parametrize("name", IGNORED)
    def test_others(self, name: str) -> None:
        assert outcome("moodle", row(name)) == "event_type"

    @pytest.mark.parametrize("name", OUTLINE)
    def test_outline(self, name: str) -> None:
        assert outcome("moodle", row(name)) == "outline"

    @pytest.mark.parametrize(
        ("state", "expected"),
        [
            *((0, "lesson.reopened"), (1, "lesson.completed"), (2, "lesson.completed"), (3, "lesson.viewed")),
            *(
                ("0", "lesson.reopened"),
                ("1", "lesson.completed"),
                (1.0, "lesson.completed"),
                ("2.0", "lesson.completed"),
            ),
            *((4, "rejected: bad_state"), (-1, "rejected: bad_state"), (1.5, "rejected: bad_state")),
            *((None, "rejected: bad_state"), ("", "rejected: bad_state"), (True, "rejected: bad_state")),
            *(("x", "rejected: bad_state"), ([1], "rejected: bad_state"), ({}, "rejected: bad_state")),
        ],
        ids=repr,
    )
    def test_states(self, state: object, expected: str) -> None:
        assert outcome("moodle", completion(state)) == expected

    @pytest.mark.parametrize(
        "other", [None, "", "N;", "NULL", "null", "[]", "1", '"x"', "x", "{", "a:0:{}", 1, [], {}], ids=repr
    )
    def test_a_completion_without_a_state(self, other: object) -> None:
        assert outcome("moodle", completion(other=other)) == "rejected: bad_state"

    def test_a_completion_is_of_the_related_user(self) -> None:
        for user in ("2", "0", "3", None):
            assert event_of("moodle", completion(userid=user)).data.learner == "user:3"
        assert outcome("moodle", completion(relateduserid=None)) == "rejected: no_learner"

    def test_enrollments(self) -> None:
        created = row(ENROLLED, userid="2", relateduserid="3", contextlevel="50", contextinstanceid="5")
        event = event_of("moodle", created)
        assert event.type == "enrollment.created"
        assert (event.data.learner, event.data.course, event.data.timezone) == ("user:3", "course:5", "Europe/London")
        assert outcome("moodle", created | {"eventname": "\\core\\event\\user_enrolment_deleted"}) == "unenrolment"

    def test_the_name_is_spelled_as_exports_do(self) -> None:
        ids = {
            event_of("moodle", row() | {"eventname": name}).id
            for name in (
                *("\\mod_page\\event\\course_module_viewed", "mod_page\\event\\course_module_viewed"),
                *("\\\\mod_page\\\\event\\\\course_module_viewed", " \\mod_page\\event\\course_module_viewed "),
            )
        }
        assert len(ids) == 1


class TestChecks:
    """Whose view it is, and where."""

    @pytest.mark.parametrize(
        ("members", "expected"),
        [
            ({"contextlevel": "50"}, "not_a_lesson"),
            ({"contextlevel": 10}, "not_a_lesson"),
            ({"contextlevel": None}, "lesson.viewed"),
            ({"contextlevel": "NULL"}, "lesson.viewed"),
            ({"contextlevel": 70.0}, "lesson.viewed"),
            ({"realuserid": "2"}, "impersonated"),
            ({"realuserid": "\\N"}, "lesson.viewed"),
            ({"realuserid": "0"}, "lesson.viewed"),
            ({"anonymous": "1"}, "anonymous"),
            ({"anonymous": None}, "lesson.viewed"),
            ({"edulevel": "1"}, "staff"),
            ({"edulevel": 0}, "lesson.viewed"),
            ({"edulevel": ""}, "lesson.viewed"),
            ({"relateduserid": "4"}, "staff"),
            ({"relateduserid": "3"}, "lesson.viewed"),
            ({"relateduserid": "0"}, "lesson.viewed"),
            ({"userid": "0"}, "anonymous"),
            ({"userid": "-1"}, "anonymous"),
            ({"userid": 1}, "anonymous"),
            ({"userid": None}, "rejected: no_learner"),
            ({"userid": "ann"}, "rejected: no_learner"),
            ({"courseid": "0"}, "site_level"),
            ({"courseid": "1"}, "site_level"),
            ({"courseid": None}, "rejected: no_course"),
            ({"contextinstanceid": None}, "rejected: no_lesson"),
            ({"contextinstanceid": "0"}, "rejected: no_lesson"),
            ({"origin": "restore"}, "restore"),
            ({"origin": "ws"}, "lesson.viewed"),
            ({"origin": None}, "lesson.viewed"),
            ({"timecreated": None}, "rejected: bad_time"),
            ({"timecreated": "4/10/22"}, "rejected: bad_time"),
            ({"timecreated": "9"}, "rejected: time_out_of_range"),
            ({"eventname": None}, "rejected: missing_member"),
            ({"eventname": "NULL"}, "rejected: missing_member"),
            ({"eventname": 7}, "rejected: missing_member"),
            # the first that applies
            ({"contextlevel": "50", "realuserid": "2", "edulevel": "1"}, "not_a_lesson"),
            ({"realuserid": "2", "edulevel": "1", "userid": "0"}, "impersonated"),
            ({"anonymous": "1", "edulevel": "1", "courseid": "1"}, "anonymous"),
            ({"edulevel": "1", "userid": "0", "courseid": "1"}, "staff"),
            ({"userid": "1", "courseid": "1"}, "anonymous"),
            ({"courseid": "1", "contextinstanceid": None, "timecreated": "x"}, "site_level"),
        ],
        ids=repr,
    )
    def test_a_view(self, members: dict[str, Any], expected: str) -> None:
        assert outcome("moodle", row(**members)) == expected

    @pytest.mark.parametrize(
        ("members", "expected"),
        [
            ({"realuserid": "2", "edulevel": "1", "anonymous": "1"}, "lesson.completed"),
            ({"origin": "restore"}, "restore"),
            ({"relateduserid": "1"}, "anonymous"),
            ({"relateduserid": "0"}, "anonymous"),
            ({"courseid": "1"}, "site_level"),
            ({"contextinstanceid": ""}, "rejected: no_lesson"),
        ],
        ids=repr,
    )
    def test_a_completion(self, members: dict[str, Any], expected: str) -> None:
        assert outcome("moodle", completion(**members)) == expected

    def test_guest_and_site_are_by_setting(self) -> None:
        assert outcome("moodle", row(userid="1"), guest=9) == "lesson.viewed"
        assert outcome("moodle", row(userid="9"), guest=9) == "anonymous"
        assert outcome("moodle", row(courseid="1"), site_course=8) == "lesson.viewed"
        assert outcome("moodle", row(courseid="8"), site_course=8) == "site_level"

    @pytest.mark.parametrize("record", ["text", b"\xff"])
    def test_no_json(self, record: object) -> None:
        assert outcome("moodle", record) == "rejected: not_json"

    @pytest.mark.parametrize("record", [None, 1, True, [[]], [[row()]]], ids=repr)
    def test_no_object(self, record: object) -> None:
        assert outcome("moodle", record) == "rejected: not_an_object"

    def test_columns_in_capitals(self) -> None:
        assert outcome("moodle", {name.upper(): value for name, value in row().items()}) == "lesson.viewed"

    @pytest.mark.parametrize("time", ["1740823200", 1740823200, 1740823200.0, 1740823200000, "1740823200000"], ids=repr)
    def test_times(self, time: object) -> None:
        assert event_of("moodle", row(timecreated=time)).id == event_of("moodle", row()).id

    def test_the_token_of_a_webhook_is_in_no_record(self) -> None:
        (found,) = become("moodle", {"token": "secret", "eventname": "x"}, connection_of("moodle"))
        assert found == "event_type"
        assert list(split([{"token": "secret", "a": 1}])) == [{"a": 1}]


class TestIdentity:
    """A row and its webhook are one event; others are others."""

    def test_row_and_webhook(self) -> None:
        php = 'a:3:{s:13:"relateduserid";i:3;s:10:"overrideby";N;s:15:"completionstate";i:1;}'
        for same in (completion(), completion(other=php), completion(id="7", ip=None), completion(userid="3.0")):
            assert event_of("moodle", same).id == event_of("moodle", WEBHOOK).id

    @pytest.mark.parametrize(
        "members",
        [
            *({"userid": "4"}, {"relateduserid": "4"}, {"courseid": "6"}, {"contextinstanceid": "43"}),
            *({"objectid": "78"}, {"timecreated": "1740823201"}),
            {"other": '{"relateduserid": 3, "overrideby": 2, "completionstate": 1}'},
        ],
        ids=repr,
    )
    def test_another_event(self, members: dict[str, Any]) -> None:
        assert event_of("moodle", completion(**members)).id != event_of("moodle", completion()).id

    def test_nothing_is_nothing_in_every_spelling(self) -> None:
        ids = {
            event_of("moodle", row(relateduserid=each, other=each)).id
            for each in (None, "", "NULL", "null", "\\N", "None")
        }
        assert ids == {event_of("moodle", row()).id}


class TestPhp:
    """Flat arrays as serialize() writes them, by what json_encode would write."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("a:0:{}", []),
            ('a:1:{s:15:"completionstate";s:1:"1";}', {"completionstate": "1"}),
            ('a:2:{i:0;s:1:"a";i:1;b:1;}', ["a", True]),
            ('a:2:{i:1;s:1:"a";i:0;b:0;}', {"1": "a", "0": False}),
            ('a:2:{s:1:"d";d:0.5;s:1:"n";i:-7;}', {"d": 0.5, "n": -7}),
            ('a:1:{s:5:"größ";N;}', None),
            ('a:1:{s:6:"größ";N;}', {"größ": None}),
            ('a:1:{s:4:"a";b";s:3:"";}";}', {'a";b': '";}'}),
            ('a:1:{s:1:"a";a:0:{}}', None),
            ('a:1:{s:1:"a";O:1:"x":0:{}}', None),
            ('a:2:{s:1:"a";i:1;}', None),
            ('a:1:{s:1:"a";i:1;}x', None),
            ("a:999999999:{}", None),
            ('a:1:{s:999999999:"a";i:1;}', None),
            ('a:1:{s:1:"\ud800";i:1;}', None),
            ('a:1:{s:1:"a";d:x;}', None),
            ("i:1;", None),
            ("", None),
        ],
        ids=ascii,
    )
    def test_arrays(self, text: str, expected: object) -> None:
        if expected is None:
            with pytest.raises(ValueError, match=r"."):
                read_php_array(text)
        else:
            assert json.dumps(read_php_array(text)) == json.dumps(expected)
