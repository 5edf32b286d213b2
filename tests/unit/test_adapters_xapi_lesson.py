"""Which lesson and which course a statement is about, by examples of the systems that send them."""

import pytest

from tests.support.statements import (
    AS,
    COURSE,
    EDX_COURSE,
    LESSON,
    MOODLE,
    MOODLE_COURSE,
    QUIZ,
    SITE,
    TINCAN,
    activity,
    around,
    edx,
    event_of,
    moodle,
    outcome,
    shown,
    statement,
)

CMI5 = "https://w3id.org/xapi/cmi5/context/categories/cmi5"
XBLOCK = "http://e.example/xblock/block-v1:edX+DemoX+Demo+type@"
BLOCK = "block-v1:edX+DemoX+Demo+type@"
STORYLINE = "urn:articulate:storyline:6cuTEluHuA5"


class TestLesson:
    """Row 5: which lesson, and which course."""

    def test_of_cmi5_is_the_publishers(self) -> None:
        publisher = activity("https://courses.example/aus/1")
        context = around(category=[activity(CMI5)], grouping=[publisher, activity("https://courses.example/aus/2")])
        event = event_of(statement("completed", "https://lms.example/launch/99", context=context))
        assert (event.type, event.data.lesson, event.data.course) == ("lesson.completed", publisher["id"], None)

    def test_of_cmi5_without_category_is_the_object(self) -> None:
        context = around(grouping=[activity("https://courses.example/aus/1")])
        assert event_of(statement(context=context)).data.lesson == LESSON

    def test_of_cmi5_with_a_course(self) -> None:
        context = around(category=activity(CMI5), grouping=[COURSE, activity("https://courses.example/aus/1")])
        data = event_of(statement(context=context)).data
        assert (data.lesson, data.course) == ("https://courses.example/aus/1", COURSE["id"])

    def test_of_cmi5_is_the_publishers_though_typed_course(self) -> None:
        package = activity("https://courses.example/aus/1", "course")
        context = around(category=[activity(CMI5)], grouping=[package, COURSE])
        event = event_of(statement("completed", "https://lms.example/launch/99", context=context))
        assert (event.type, event.data.lesson, event.data.course) == ("lesson.completed", package["id"], COURSE["id"])
        alone = around(category=[activity(CMI5)], grouping=[package])
        for target in ("https://lms.example/launch/99", package):
            data = event_of(statement("completed", target, context=alone)).data
            assert (data.lesson, data.course) == (package["id"], None)

    @pytest.mark.parametrize(
        ("target", "parents", "lesson", "event_type"),
        [
            (activity("https://p.example/rise", "course"), [], "https://p.example/rise", "lesson.completed"),
            (
                activity("https://p.example/rise/1", "module"),
                [activity("https://p.example/rise")],
                None,
                "lesson.viewed",
            ),
            (
                activity("https://p.example/rise/1"),
                [activity("https://p.example/rise", "course")],
                None,
                "lesson.viewed",
            ),
            (activity("https://p.example/rise"), [activity("https://p.example/rise")], None, "lesson.completed"),
            (activity("https://p.example/rise"), [], "https://p.example/rise", "lesson.completed"),
        ],
        ids=shown,
    )
    def test_of_packages(self, target: object, parents: list[object], lesson: str | None, event_type: str) -> None:
        event = event_of(statement("completed", target, context=around(parent=parents)), packages="lesson")
        assert (event.type, event.data.lesson) == (event_type, lesson or "https://p.example/rise")

    def test_packages_do_not_concern_what_is_known(self) -> None:
        record = moodle(TINCAN + "verb/viewed", around={"parent": [MOODLE_COURSE]})
        assert event_of(record, packages="lesson").data.lesson == "cm:5"
        assert outcome(moodle("completed", MOODLE_COURSE), packages="lesson") == "course_level"
        assert event_of(edx("progressed", XBLOCK + "html+block@a"), packages="lesson").data.lesson.startswith(BLOCK)

    def test_the_course_around_a_package(self) -> None:
        package = activity("https://p.example/rise", "course")
        record = statement("completed", package, context=around(parent=[package], grouping=[package, COURSE]))
        data = event_of(record, packages="lesson").data
        assert (data.lesson, data.course) == (package["id"], COURSE["id"])

    def test_packages_of_articulate_are_lessons_anyway(self) -> None:
        parent = {"parent": [activity(STORYLINE)]}
        root = event_of(statement("completed", activity(STORYLINE, "course"), context=around(**parent)))
        assert (root.type, root.data.lesson, root.data.course) == ("lesson.completed", STORYLINE, None)
        slide = event_of(statement("completed", activity(f"{STORYLINE}/5zY", "module"), context=around(**parent)))
        assert (slide.type, slide.data.lesson) == ("lesson.viewed", STORYLINE)
        in_course = event_of(statement("completed", activity(STORYLINE, "module")))
        assert (in_course.data.lesson, in_course.data.course) == (STORYLINE, COURSE["id"])

    @pytest.mark.parametrize("of_type", ["cmi.interaction", "interaction", "question", "objective"])
    def test_a_question_of_articulate_is_inside_a_lesson(self, of_type: str) -> None:
        context = around(parent=[activity(f"{STORYLINE}/5zY"), activity(STORYLINE, "course")])
        record = statement("experienced", activity(f"{STORYLINE}/5zY/6ab", of_type), context=context)
        assert outcome(record) == "inside_lesson"
        assert outcome(record, packages="lesson") == "lesson.viewed"

    @pytest.mark.parametrize("of_type", ["course", "cmi.interaction", "module", TINCAN + "activitytype/section"])
    def test_a_module_is_itself_whatever_its_type(self, of_type: str) -> None:
        data = event_of(moodle(TINCAN + "verb/viewed", activity(QUIZ, of_type))).data
        assert (data.lesson, data.course) == ("cm:5", "course:4")

    def test_a_module_typed_course_is_no_course(self) -> None:
        context = around(parent=[activity(QUIZ, "course")], grouping=[MOODLE_COURSE])
        assert event_of(statement(context=context)).data.course == "course:4"

    @pytest.mark.parametrize(
        ("level", "block_type", "expected"),
        [
            *(("block", each, "lesson.completed") for each in ("html", "video", "problem", "discussion")),
            *(("block", each, "other_level") for each in ("vertical", "sequential", "chapter", "course")),
            ("vertical", "vertical", "lesson.completed"),
            *(("vertical", each, "other_level") for each in ("html", "sequential", "chapter", "course")),
            ("sequential", "sequential", "lesson.completed"),
            *(("sequential", each, "other_level") for each in ("html", "vertical", "chapter", "course")),
        ],
    )
    def test_levels_of_openedx(self, level: str, block_type: str, expected: str) -> None:
        record = edx("progressed", f"{XBLOCK}{block_type}+block@a", result={"completion": True})
        assert outcome(record, edx_level=level) == expected

    def test_of_openedx(self) -> None:
        data = event_of(edx("https://w3id.org/xapi/video/verbs/played", XBLOCK + "video+block@a")).data
        assert (data.lesson, data.course) == (BLOCK + "video+block@a", "course-v1:edX+DemoX+Demo")

    def test_a_link_into_a_course_of_openedx_is_the_course(self) -> None:
        link = f"http://e.example/courses/course-v1:edX+DemoX+Demo/jump_to/{BLOCK}html+block@a"
        assert outcome(edx("completed", link, result={"completion": True})) == "course_level"

    def test_the_input_of_a_problem_is_a_part(self) -> None:
        whole = activity(XBLOCK + "problem+block@a", "cmi.interaction")
        context = around(parent=[whole], grouping=[EDX_COURSE])
        target = activity(XBLOCK + "problem+block@a_2_1", "cmi.interaction")
        verb = "https://w3id.org/xapi/acrossx/verbs/evaluated"
        event = event_of(statement(verb, target, context=context, result={"completion": True}))
        assert (event.type, event.data.lesson) == ("lesson.viewed", BLOCK + "problem+block@a")
        assert event.data.course == "course-v1:edX+DemoX+Demo"

    @pytest.mark.parametrize(
        "of_type",
        [
            *("course", "https://w3id.org/xapi/cmi5/activitytype/course", TINCAN + "activitytype/lms/course"),
            *("http://lrs.learninglocker.net/define/type/moodle/course", "http://vocab.xapi.fr/activities/course"),
        ],
    )
    def test_a_course_is_no_lesson(self, of_type: str) -> None:
        assert outcome(statement("completed", activity("https://lms.example/c", of_type))) == "course_level"
        context = around(grouping=[activity("https://lms.example/c", of_type)])
        assert event_of(statement(context=context)).data.course == "https://lms.example/c"

    @pytest.mark.parametrize(
        "target",
        [
            activity("https://m.example/course/section.php?id=2"),
            activity("https://lms.example/s", TINCAN + "activitytype/section"),
            activity("https://lms.example/b", "https://w3id.org/xapi/cmi5/activitytype/block"),
            SITE,
            activity("https://lms.example/badge", AS + "badge"),
            activity("https://lms.example", TINCAN + "activitytype/lms"),
        ],
        ids=shown,
    )
    def test_no_lesson(self, target: object) -> None:
        assert outcome(statement("completed", target)) == "not_a_lesson"

    @pytest.mark.parametrize(
        "target",
        [
            activity("https://lms.example/h5p/3?subContentId=aa-bb"),
            {"id": LESSON, "definition": {"extensions": {"http://h5p.org/x-api/h5p-subContentId": "aa-bb"}}},
            activity("https://lms.example/q", "cmi.interaction"),
            activity("https://lms.example/q", "interaction"),
            activity("https://lms.example/q", "question"),
            activity("https://lms.example/q", "objective"),
        ],
        ids=shown,
    )
    def test_inside_a_lesson(self, target: object) -> None:
        lesson = activity(LESSON, "lesson")
        for verb in ("completed", "answered", "experienced"):
            assert outcome(statement(verb, target, context=around(parent=[lesson]))) == "inside_lesson"

    def test_content_of_h5p_is_a_lesson(self) -> None:
        extensions = {"http://h5p.org/x-api/h5p-local-content-id": 3, "http://h5p.org/x-api/h5p-subContentId": None}
        target = {"id": LESSON, "definition": {"extensions": extensions}}
        assert outcome(statement("completed", target)) == "lesson.completed"

    @pytest.mark.parametrize("verb", ["completed", "passed", "experienced", "uncompleted"])
    def test_the_parent_of_a_part(self, verb: str) -> None:
        context = around(parent=[COURSE, activity("https://lms.example/s", "section"), activity(LESSON, "lesson")])
        event = event_of(statement(verb, "https://lms.example/slides/9", context=context))
        assert (event.type, event.data.lesson, event.data.course) == ("lesson.viewed", LESSON, COURSE["id"])

    @pytest.mark.parametrize(
        "parent",
        [
            activity("https://lms.example/x"),
            activity(LESSON, "lesson"),
            activity(LESSON + "?attempt=1", "attempt"),
            activity(MOODLE, TINCAN + "activitytype/lms"),
            activity(MOODLE, "http://vocab.xapi.fr/activities/system"),
            SITE,
        ],
        ids=shown,
    )
    def test_no_part(self, parent: object) -> None:
        event = event_of(statement("completed", context=around(parent=[parent])))
        assert (event.type, event.data.lesson) == ("lesson.completed", LESSON)

    def test_part_of_a_module_ofmoodle(self) -> None:
        attempt = activity(f"{MOODLE}/mod/quiz/attempt.php?attempt=9", "attempt")
        grouping = [SITE, MOODLE_COURSE, activity(QUIZ, "assessment")]
        event = event_of(moodle(AS + "start", attempt, around={"grouping": grouping}))
        assert (event.type, event.data.lesson, event.data.course) == ("lesson.viewed", "cm:5", "course:4")
        without_plugin = statement(AS + "start", attempt, context=around(grouping=grouping))
        assert event_of(without_plugin).data.lesson == attempt["id"]

    @pytest.mark.parametrize(
        ("context", "course"),
        [
            (around(parent=[COURSE]), COURSE["id"]),
            (around(parent=COURSE), COURSE["id"]),
            (around(grouping=[COURSE]), COURSE["id"]),
            (around(parent=[activity("https://x.example")], grouping=[SITE, COURSE]), COURSE["id"]),
            (around(parent=[MOODLE_COURSE], grouping=[COURSE]), "course:4"),
            (around(parent=[activity("course-v1:FUN-MOOC+00002+session01")]), "course-v1:FUN-MOOC+00002+session01"),
            (around(grouping=[activity(f"{MOODLE}/course/view.php?id=4")]), "course:4"),
            (around(other=[COURSE], category=[COURSE]), None),
            (around(parent=[], grouping=None), None),
            (
                {"extensions": {"http://xapi.jisc.ac.uk/courseArea": {"id": "https://vle.example/c/1"}}},
                "https://vle.example/c/1",
            ),
            (
                {"extensions": {"http://xapi.jisc.ac.uk/courseArea": {"id": f"{MOODLE}/course/view.php?id=4"}}},
                "course:4",
            ),
            (
                {"extensions": {"http://xapi.jisc.ac.uk/courseArea": {"http://xapi.jisc.ac.uk/vle_mod_id": "LA101"}}},
                None,
            ),
            ({"extensions": {"http://xapi.jisc.ac.uk/courseArea": "LA101"}}, None),
            ({}, None),
            (None, None),
        ],
        ids=shown,
    )
    def test_course(self, context: object, course: str | None) -> None:
        assert event_of(statement(context=context)).data.course == course


def test_a_statement_of_trax() -> None:
    system = activity("http://m.example", "http://vocab.xapi.fr/activities/system")
    course = activity("http://m.example/xapi/activities/course/ba29", "http://vocab.xapi.fr/activities/course")
    unit = activity("http://m.example/xapi/activities/scorm/c159", "http://vocab.xapi.fr/activities/web-content")
    event = event_of(statement("completed", unit, context=around(parent=[course], grouping=[system])))
    assert (event.type, event.data.lesson, event.data.course) == ("lesson.completed", unit["id"], course["id"])
    inside = activity("http://m.example/xapi/activities/scorm/c159/sco/1", "http://vocab.xapi.fr/activities/sco")
    event = event_of(statement("passed", inside, context=around(parent=[unit], grouping=[system, course])))
    assert (event.type, event.data.lesson, event.data.course) == ("lesson.viewed", unit["id"], course["id"])
