"""Statements as Moodle's logstore_xapi and Open edX's event-routing-backends make them, with what they add around."""

from typing import Any
from uuid import NAMESPACE_URL, uuid5

from tests.support.events import at
from tests.support.xapi import Statement

MOODLE = "https://moodle.example.org"
LMS = "https://lms.example.org"
EDX_COURSE = "course-v1:edX+DemoX+Demo_Course"
_ADL = "http://adlnet.gov/expapi"
_TINCAN = "http://id.tincanapi.com"
_UNCOMPLETED = "https://xapi.edlm/profiles/edlm-lms/concepts/verbs/uncompleted"
_VERBS = {"viewed": f"{_TINCAN}/verb/viewed", "uncompleted": _UNCOMPLETED}


def moodle_statement(user: int, verb: str, page: str, event: str, seconds: float) -> Statement:
    """Of an event, such as `core/course_viewed`, about a page, such as `mod/quiz/view.php?id=5`.

    As in the plugin there is no id; name, platform and site stand in each.
    """
    component, _, name = event.partition("/")
    course = {"id": f"{MOODLE}/course/view.php?id=5", "definition": {"type": f"{_TINCAN}/activitytype/lms/course"}}
    is_course = page.startswith("course/")
    info = {
        "http://moodle.org": "4.5",
        "https://github.com/xAPI-vle/moodle-logstore_xapi": "v4.9.0",
        "event_name": f"\\{component}\\event\\{name}",
        "event_function": f"\\src\\transformer\\events\\{component}\\{name}",
    }
    return {
        "actor": {"name": "Ann Öz", "account": {"homePage": MOODLE, "name": str(user)}},
        "verb": {"id": _VERBS.get(verb, f"{_ADL}/verbs/{verb}"), "display": {"en": verb}},
        "object": course
        if is_course
        else {
            "id": f"{MOODLE}/{page}",
            "definition": {"type": f"{_TINCAN}/activitytype/lms/module", "name": {"en": "Brüche"}},
        },
        "context": {
            "platform": "Moodle",
            "language": "en",
            "extensions": {"http://lrs.learninglocker.net/define/extensions/info": info},
            "contextActivities": {
                "grouping": [{"id": MOODLE, "definition": {"type": f"{_TINCAN}/activitytype/lms"}}, course],
                "category": [{"id": "http://moodle.org", "definition": {"type": f"{_TINCAN}/activitytype/source"}}],
            },
        },
        "timestamp": at(seconds).isoformat(timespec="seconds"),
    }


def edx_learner(user: str) -> str:
    """The anonymous id of a user."""
    return str(uuid5(NAMESPACE_URL, user))


def edx_block(kind: str, block: str) -> str:
    """A usage key in the course."""
    return f"block-v1:{EDX_COURSE.removeprefix('course-v1:')}+type@{kind}+block@{block}"


def edx_statement(user: str, verb: str, key: str, seconds: float, **other: Any) -> Statement:
    """About a block by its usage key, or the course by its own; `result` may be given. The id follows from the rest."""
    course: dict[str, Any] = {
        "id": f"{LMS}/course/{EDX_COURSE}",
        "objectType": "Activity",
        "definition": {"name": {"en-US": "Demonstration Course"}, "type": f"{_ADL}/activities/course"},
    }
    block = {
        "id": f"{LMS}/xblock/{key}",
        "objectType": "Activity",
        "definition": {"type": f"{_TINCAN}/activitytype/resource"},
    }
    around = {} if key == EDX_COURSE else {"contextActivities": {"parent": [course]}}
    version = {"https://w3id.org/xapi/openedx/extension/transformer-version": "event-routing-backends@9.3.5"}
    return {
        "id": str(uuid5(NAMESPACE_URL, f"{user}/{verb}/{seconds}")),
        **other,
        "version": "1.0.3",
        "actor": {"objectType": "Agent", "account": {"name": edx_learner(user), "homePage": LMS}},
        "verb": {"id": verb if "://" in verb else f"{_ADL}/verbs/{verb}", "display": {"en": verb}},
        "object": course if key == EDX_COURSE else block,
        "timestamp": at(seconds).isoformat(),
        "context": {**around, "extensions": version},
    }
