"""Every row of the table of tracking events: what each becomes, of whom, where and when."""

import json
from typing import Any

import pytest

from tests.support.tracking import (
    AGGREGATE,
    CCX,
    COMPLETION,
    COURSE,
    HTML,
    OLD_COURSE,
    PROBLEM,
    SEQUENCE,
    TIME,
    UNIT,
    become,
    event_of,
    logged,
    outcome,
    tracked,
)
from worker.adapters.outcome import Rejected

VIDEO_ID = "0b9e39477cf34507a7a48f74be381fdd"
VIDEO = f"block-v1:edX+DemoX+2024+type@video+block@{VIDEO_ID}"
BROWSER = {"event_source": "browser"}
ANSWER = {"problem_id": PROBLEM, "success": "correct"}


def completion(share: object, **changes: Any) -> dict[str, Any]:
    data = {"user_id": 4, "course_id": COURSE, "block_id": HTML, "completion": share, "is_new": False}
    return tracked(data=data | changes)


def aggregate(block_type: str, share: object, block: str = UNIT) -> dict[str, Any]:
    return tracked(AGGREGATE + block_type, {"user_id": 4, "course_id": COURSE, "block_id": block, "percent": share})


class TestUsable:
    @pytest.mark.parametrize(
        ("record", "reason"),
        [
            ("no JSON", "not_json"),
            (b"\xff\xfe{", "not_json"),
            ("", "not_json"),
            ("[" * 100_000, "not_json"),
            (None, "not_an_object"),
            (7, "not_an_object"),
            ([tracked()], "not_an_object"),
            ({}, "missing_member"),
            ({"name": 5, "event_type": COMPLETION}, "missing_member"),
            ({"name": None, "event_type": ""}, "missing_member"),
        ],
        ids=str,
    )
    def test_no_event(self, record: object, reason: str) -> None:
        assert outcome(record) == f"rejected: {reason}"

    def test_a_line_begins_with_the_first_brace(self) -> None:
        prefix = "Dec  1 12:00:00 lms [service_variant=lms][tracking][env:prod] INFO [user 4] [logger.py:41] - "
        assert become(prefix + json.dumps(logged(tracked()))) == become(tracked())
        assert become((prefix + json.dumps(logged(tracked()))).encode()) == become(tracked())

    @pytest.mark.parametrize("name", [None, "", "absent"])
    def test_event_type_without_a_name(self, name: object) -> None:
        record = logged(tracked()) | {"name": name}
        if name == "absent":
            del record["name"]
        assert become(record) == become(tracked())

    def test_the_name_goes_before_the_event_type(self) -> None:
        assert outcome(tracked(event_type="/courses/x")) == "lesson.completed"
        assert outcome(tracked("edx.ui.lms.sequence.next_selected", {"id": SEQUENCE}, event_type="seq_next")) == (
            "other_level"
        )


class TestIgnored:
    @pytest.mark.parametrize(
        "name",
        [
            *("/", "/heartbeat", f"/courses/{COURSE}/courseware/a/b/", "/event", "page_close", "showanswer", "book"),
            *("edx.forum.thread.created", "edx.ui.lms.link_clicked", "edx.course.enrollment.mode_changed"),
            *("edx.grades.subsection.grade_calculated", "edx.completion.block_completion", "speed_change_video"),
            *("openedx.completion_aggregator.completion.vertical", "edx.completion_aggregator.progress.vertical"),
            *("xseek_video", "play_videos", "problem_show", "problem_check_fail", "show_transcript", "edx.video"),
        ],
    )
    def test_other_events(self, name: str) -> None:
        assert outcome(tracked(name)) == "event_type"
        assert outcome({"event_type": name}) == "event_type", "whoever it was"

    def test_unenrollment(self) -> None:
        assert outcome(tracked("edx.course.enrollment.deactivated")) == "unenrolment"

    def test_courses(self) -> None:
        assert outcome(aggregate("course", 1.0)) == "course_level"


class TestLearner:
    @pytest.mark.parametrize(
        ("data", "changes", "learner"),
        [
            ({"user_id": 4}, {"context": {"user_id": 3}}, "user:4"),
            ({"user_id": "4"}, {"context": {"user_id": 3}}, "user:4"),
            ({"user_id": " 4 "}, {}, "user:4"),
            ({"user_id": None}, {"context": {"user_id": 3}}, "user:3"),
            ({"user_id": ""}, {"context": {"user_id": "3"}}, "user:3"),
            ({"user_id": True}, {"context": {"user_id": 3}}, "user:3"),
            ({}, {"context": {"user_id": None, "username": "ann"}}, "username:ann"),
            ({}, {"context": {"user_id": "", "username": ""}, "username": "ann"}, "username:ann"),
            ({}, {"context": {"user_id": 0, "username": None}, "username": "ann"}, "username:ann"),
            (
                {},
                {"context": {"user_id": None, "username": "ann@example.org"}},
                "mbox_sha1:6168d27d1f76f1fd61099f4e24f911dbae8314dc",
            ),
        ],
        ids=str,
    )
    def test_who(self, data: dict[str, Any], changes: dict[str, Any], learner: str) -> None:
        record = tracked(data={"block_id": HTML, "completion": 1.0, **data}, **changes)
        assert event_of(record).data.learner == learner

    @pytest.mark.parametrize("name", [COMPLETION, "play_video", "edx.course.enrollment.activated", "seq_next"])
    @pytest.mark.parametrize("nobody", [{}, {"context": {}}, {"context": {"user_id": None, "username": " "}}])
    def test_nobody(self, name: str, nobody: dict[str, Any]) -> None:
        assert outcome({"name": name, "timestamp": TIME, "username": "", "data": {}} | nobody) == "anonymous"


class TestCourse:
    @pytest.mark.parametrize(
        ("data", "context", "course"),
        [
            ({"course_id": COURSE}, "course-v1:a+b+c", COURSE),
            ({"course_id": "course-v1:edX DemoX 2024"}, None, COURSE),
            ({"course_id": "course-v1%3AedX%2BDemoX%2B2024"}, None, COURSE),
            ({"course_id": None}, "course-v1:a+b+c", "course-v1:a+b+c"),
            ({"course_id": ""}, CCX, CCX),
            ({}, OLD_COURSE, OLD_COURSE),
            ({}, "", COURSE),
            ({}, None, COURSE),
            ({"course_id": 5}, ["x"], COURSE),
        ],
        ids=str,
    )
    def test_where(self, data: dict[str, Any], context: object, course: str) -> None:
        record = tracked(data={"block_id": HTML, "completion": 1.0, **data}, context={"course_id": context})
        assert event_of(record).data.course == course

    @pytest.mark.parametrize(
        ("key", "course"),
        [
            ("ccx-block-v1:edX+DemoX+2024+ccx@7+type@html+block@welcome", CCX),
            ("i4x://edX/DemoX/html/welcome", None),
            ("lb:edX:library:html:welcome", None),
        ],
    )
    def test_by_the_usage_key(self, key: str, course: str | None) -> None:
        event = event_of(tracked(data={"block_id": key, "completion": 1}, context={"course_id": None}))
        assert (event.data.lesson, event.data.course) == (key, course)


class TestCompletion:
    @pytest.mark.parametrize(
        ("share", "is_new", "expected"),
        [
            (1.0, False, "lesson.completed"),
            (1, True, "lesson.completed"),
            (1.5, False, "lesson.completed"),
            (0.99, False, "lesson.viewed"),
            (0.01, True, "lesson.viewed"),
            (0.0, False, "lesson.reopened"),
            (0, None, "lesson.reopened"),
            (0.0, True, "not_started"),
            (None, True, "rejected: missing_member"),
            ("1.0", True, "rejected: missing_member"),
            (True, True, "rejected: missing_member"),
            (-1, True, "rejected: missing_member"),
            (float("nan"), True, "rejected: missing_member"),
            ([1], True, "rejected: missing_member"),
        ],
        ids=str,
    )
    def test_share(self, share: object, is_new: object, expected: str) -> None:
        assert outcome(completion(share, is_new=is_new)) == expected

    @pytest.mark.parametrize(
        ("share", "expected"),
        [(1, "lesson.completed"), (0.5, "lesson.viewed"), (0, "not_started"), (None, "rejected: missing_member")],
    )
    def test_share_of_a_unit(self, share: object, expected: str) -> None:
        assert outcome(aggregate("vertical", share), edx_level="vertical") == expected
        assert outcome(aggregate("sequential", share, SEQUENCE), edx_level="sequential") == expected
        assert outcome(aggregate("vertical", share)) == "other_level"

    @pytest.mark.parametrize("block", [None, "", 5, {}])
    def test_no_block(self, block: object) -> None:
        assert outcome(completion(1.0, block_id=block)) == "rejected: missing_member"

    @pytest.mark.parametrize(
        ("key", "lesson"),
        [
            (HTML.replace("+", " "), HTML),
            ("block-v1%3AedX%2BDemoX%2B2024%2Btype%40html%2Bblock%40welcome", HTML),
            (PROBLEM, PROBLEM),
            ("i4x://edX/DemoX/html/welcome", "i4x://edX/DemoX/html/welcome"),
        ],
    )
    def test_key(self, key: str, lesson: str) -> None:
        assert event_of(completion(1.0, block_id=key)).data.lesson == lesson

    def test_what_else_an_event_says(self) -> None:
        event = event_of(tracked())
        assert event.data.model_dump() == {
            "learner": "user:4",
            "lesson": HTML,
            "course": COURSE,
            "topic": None,
            "duration_seconds": None,
            "enrols": True,
        }
        assert (event.source, event.time.isoformat()) == ("edx-test", TIME)

    def test_a_long_key_is_hashed(self) -> None:
        assert event_of(completion(1.0, block_id=HTML + "é" * 600)).data.lesson.startswith("sha256:")


@pytest.mark.parametrize(
    ("level", "kept"),
    [("block", {"html", "problem", "video"}), ("vertical", {"vertical"}), ("sequential", {"sequential"})],
)
def test_level(level: str, kept: set[str]) -> None:
    for block_type in ("html", "problem", "video", "vertical", "sequential", "chapter", "course"):
        key = f"block-v1:edX+DemoX+2024+type@{block_type}+block@x"
        expected = "lesson.completed" if block_type in kept else "other_level"
        assert outcome(completion(1.0, block_id=key), edx_level=level) == expected


class TestEnrollment:
    def test_enrolled(self) -> None:
        record = tracked("edx.course.enrollment.activated", {"user_id": 4, "course_id": COURSE, "mode": "audit"})
        event = event_of(record, timezone="Asia/Tokyo")
        assert (event.type, event.data.model_dump()) == (
            "enrollment.created",
            {"learner": "user:4", "course": COURSE, "timezone": "Asia/Tokyo"},
        )
        assert event_of(record).data.timezone == "UTC"

    def test_no_course(self) -> None:
        record = tracked("edx.course.enrollment.activated", {"user_id": 4}, context={"course_id": ""})
        assert outcome(record) == "rejected: missing_member"


class TestNavigation:
    @pytest.mark.parametrize(
        "name",
        [
            *("seq_next", "seq_prev", "seq_goto", "edx.ui.lms.sequence.next_selected"),
            *("edx.ui.lms.sequence.previous_selected", "edx.ui.lms.sequence.tab_selected"),
        ],
    )
    @pytest.mark.parametrize("in_text", [False, True])
    def test_a_subsection(self, name: str, in_text: bool) -> None:
        record = logged(tracked(name, {"id": SEQUENCE, "old": 1, "new": 2}), in_text=in_text)
        event = event_of(record, edx_level="sequential")
        assert (event.type, event.data.lesson, event.data.learner) == ("lesson.viewed", SEQUENCE, "user:3")
        assert outcome(record) == "other_level"
        assert outcome(tracked(name, {"old": 1}), edx_level="sequential") == "rejected: missing_member"

    @pytest.mark.parametrize("name", ["edx.ui.lms.outline.selected", "edx.ui.lms.sequence.outline.selected"])
    @pytest.mark.parametrize(
        ("course", "url", "lesson"),
        [
            (COURSE, f"http://lms.example/courses/{COURSE}/jump_to/{SEQUENCE}", SEQUENCE),
            (COURSE, f"http://lms.example/courses/{COURSE}/jump_to/{SEQUENCE.replace('+', '%2B')}?x=1#y", SEQUENCE),
            (None, f"/courses/{COURSE}/jump_to/{SEQUENCE}/", SEQUENCE),
            (COURSE, f"http://lms.example/courses/{COURSE}/courseware/week1/seq1/", SEQUENCE),
            (COURSE, f"/courses/{COURSE}/courseware/week1/seq1", SEQUENCE),
            (COURSE, f"/courses/{COURSE}/courseware/week1/seq1/2?activate_block_id=x", SEQUENCE),
            (CCX, "/c/courseware/w/s/", "ccx-block-v1:edX+DemoX+2024+ccx@7+type@sequential+block@s"),
            (OLD_COURSE, "/courses/edX/Demo.X/2013/courseware/w/s/", "i4x://edX/Demo.X/sequential/s"),
        ],
    )
    def test_the_outline(self, name: str, course: str | None, url: str, lesson: str) -> None:
        record = tracked(name, {"target_url": url, "target_name": "x"}, context={"course_id": course})
        assert event_of(record, edx_level="sequential").data.lesson == lesson
        assert outcome(record) == "other_level"

    def test_a_block_in_the_outline(self) -> None:
        record = tracked("edx.ui.lms.outline.selected", {"target_url": f"/courses/x/jump_to/{HTML}"})
        assert (outcome(record), event_of(record).data.lesson) == ("lesson.viewed", HTML)

    @pytest.mark.parametrize("url", ["https://pages.example/1/", f"/courses/{COURSE}/courseware/week1/", "/jump_to/x"])
    def test_elsewhere(self, url: str) -> None:
        assert outcome(tracked("edx.ui.lms.outline.selected", {"target_url": url})) == "not_a_lesson"

    def test_nowhere(self) -> None:
        assert outcome(tracked("edx.ui.lms.outline.selected", {})) == "rejected: missing_member"


class TestVideo:
    @pytest.mark.parametrize(
        ("name", "ends"),
        [
            *((f"{each}_video", False) for each in ("load", "play", "pause", "seek")),
            *((f"{each}_video", True) for each in ("stop", "complete")),
            *((f"edx.video.{each}", False) for each in ("loaded", "played", "paused", "position.changed")),
            *((f"edx.video.{each}", False) for each in ("closed_captions.shown", "transcript.hidden")),
            *((f"edx.video.{each}", True) for each in ("stopped", "completed")),
        ],
    )
    def test_names(self, name: str, ends: bool) -> None:
        record = tracked(name, {"id": VIDEO_ID, "code": "html5"}, context=BROWSER)
        assert (outcome(record), event_of(record).data.lesson) == ("lesson.viewed", VIDEO)
        assert outcome(record, infer=True) == ("lesson.completed" if ends else "lesson.viewed")

    @pytest.mark.parametrize(
        ("course", "data", "lesson"),
        [
            (COURSE, {"id": VIDEO}, VIDEO),
            (COURSE, {"module_id": VIDEO}, VIDEO),
            (COURSE, {"id": "", "module_id": VIDEO}, VIDEO),
            (CCX, {"id": "v1"}, "ccx-block-v1:edX+DemoX+2024+ccx@7+type@video+block@v1"),
            (OLD_COURSE, {"id": "v1"}, "i4x://edX/Demo.X/video/v1"),
            (OLD_COURSE, {"id": "i4x-edX-Demo_X-video-v-1"}, "i4x://edX/Demo.X/video/v-1"),
            (OLD_COURSE, {"module_id": "i4x://edX/Demo.X/video/v1"}, "i4x://edX/Demo.X/video/v1"),
            ("My-U/A.B/2013", {"id": "i4x-My-U-A_B-video-v1"}, "i4x://My-U/A.B/video/v1"),
            (None, {"id": "i4x-edX-DemoX-video-v1"}, "i4x://edX/DemoX/video/v1"),
            (COURSE, {"id": "i4x-edX-DemoX-video-v1"}, "i4x://edX/DemoX/video/v1"),
        ],
        ids=str,
    )
    def test_ids(self, course: str | None, data: dict[str, Any], lesson: str) -> None:
        assert event_of(tracked("play_video", data, context={"course_id": course})).data.lesson == lesson

    @pytest.mark.parametrize("data", [{}, {"id": None}, {"id": 5}, "no JSON", [], '"text"'], ids=str)
    def test_no_id(self, data: object) -> None:
        assert outcome(tracked("play_video", data)) == "rejected: missing_member"

    @pytest.mark.parametrize("course", [None, "", "MATH301"])
    def test_no_course(self, course: object) -> None:
        assert outcome(tracked("play_video", {"id": "v1"}, context={"course_id": course})) == "rejected: missing_member"


class TestProblem:
    def test_checked_by_the_server(self) -> None:
        in_context = tracked("problem_check", ANSWER, context={"event_source": "server"})
        for record in (in_context, logged(tracked("problem_check", ANSWER))):
            assert (outcome(record), outcome(record, infer=True)) == ("lesson.viewed", "lesson.viewed")
            assert event_of(record).data.lesson == PROBLEM

    @pytest.mark.parametrize("source", ["browser", "mobile", None, ""])
    def test_checked_elsewhere(self, source: object) -> None:
        data = "input_3fc5461f_2_1%5B%5D=choice_0"
        assert outcome(tracked("problem_check", data, context={"event_source": source})) == "event_type"
        assert outcome(tracked("problem_check", ANSWER, event_source=source)) == "event_type"

    def test_submitted(self) -> None:
        record = tracked("edx.grades.problem.submitted", ANSWER | {"user_id": "5", "weighted_earned": 0})
        assert (outcome(record), outcome(record, infer=True)) == ("lesson.viewed", "lesson.completed")
        assert event_of(record).data.learner == "user:5"

    @pytest.mark.parametrize("name", ["problem_check", "edx.grades.problem.submitted"])
    def test_no_problem(self, name: str) -> None:
        assert outcome(tracked(name, {}, event_source="server")) == "rejected: missing_member"


class TestTime:
    @pytest.mark.parametrize(
        ("time", "expected"),
        [
            ("2013-06-08T23:29:58.346222", "rejected: no_offset"),
            ("soon", "rejected: bad_time"),
            (None, "rejected: bad_time"),
            ("1999-12-31T23:59:59Z", "rejected: time_out_of_range"),
        ],
    )
    def test_unusable(self, time: object, expected: str) -> None:
        assert outcome(tracked(timestamp=time)) == expected

    def test_of_the_connection(self) -> None:
        event = event_of(tracked(timestamp="2013-06-08T23:29:58.346222"), timezone="Asia/Tokyo")
        assert event.time.isoformat() == "2013-06-08T14:29:58.346222+00:00"

    def test_the_timestamp_goes_before_the_time(self) -> None:
        assert event_of(tracked(time="2020-01-01T00:00:00Z")).time.isoformat() == TIME


class TestIdentity:
    @pytest.mark.parametrize("in_text", [False, True])
    def test_one_by_log_and_tracker(self, in_text: bool) -> None:
        data = {"user_id": 4, "block_id": HTML, "completion": 1.0, "x": [1, {"é": None}]}
        assert become(logged(tracked(data=data), in_text=in_text)) == become(tracked(data=data))
        assert become(tracked(data=json.dumps(data))) == become(tracked(data=data))

    def test_one_however_the_time_is_written(self) -> None:
        assert become(tracked(timestamp="2024-03-04T10:30:00.123456Z")) == become(tracked())
        assert become(tracked(timestamp="2024-03-04 12:30:00.123456+02:00")) == become(tracked())

    @pytest.mark.parametrize(
        "other",
        [
            tracked(timestamp="2024-03-04T10:30:00.123457+00:00"),
            tracked(data={"user_id": 4, "course_id": COURSE, "block_id": HTML, "completion": 1.0, "is_new": False}),
            tracked(data={"user_id": 5, "course_id": COURSE, "block_id": HTML, "completion": 1.0, "is_new": True}),
            tracked("play_video", {"id": VIDEO_ID}),
        ],
        ids=["time", "data", "learner", "name"],
    )
    def test_another_event(self, other: dict[str, Any]) -> None:
        assert event_of(other).event_id != event_of(tracked()).event_id

    def test_whoever_caused_it_and_from_where(self) -> None:
        elsewhere = tracked(context={"user_id": 8, "ip": "192.0.2.9", "session": "s"})
        assert become(elsewhere) == become(tracked())


def test_nothing_of_the_person_is_in_what_is_rejected() -> None:
    with pytest.raises(Rejected) as rejected:
        become(completion("ann@example.org"))
    assert "ann" not in rejected.value.detail
