"""Statements of xAPI, and what becomes of them."""

from datetime import UTC, datetime
from typing import Any

from worker.adapters.outcome import Ignored, Rejected
from worker.adapters.xapi import split, translate
from worker.contract.connection import Connection
from worker.contract.named_event import NamedEvent

ADL = "http://adlnet.gov/expapi/verbs/"
ACTIVITIES = "http://adlnet.gov/expapi/activities/"
ARRIVED = datetime(2026, 11, 30, tzinfo=UTC)
CONNECTION = Connection(name="xapi-test")
LEARNER = {"account": {"homePage": "https://lms.example", "name": "l1"}}
COURSE = {"id": "https://lms.example/courses/7", "definition": {"type": ACTIVITIES + "course"}}
LESSON = "https://lms.example/lessons/3"
AS = "http://activitystrea.ms/schema/1.0/"
TINCAN = "http://id.tincanapi.com/"
MOODLE = "https://m.example"
QUIZ = f"{MOODLE}/mod/quiz/view.php?id=5"


def activity(iri: str, of_type: str = "") -> dict[str, Any]:
    """Return an activity; a type without a slash is one of ADL's."""
    type_iri = of_type if "/" in of_type else ACTIVITIES + of_type
    return {"id": iri, "definition": {"type": type_iri}} if of_type else {"id": iri}


def statement(verb: str = "experienced", target: object = LESSON, **members: Any) -> dict[str, Any]:
    """Return a statement of the learner in the course; a verb without a slash is one of ADL's."""
    return {
        "id": "5e0c1c2a-0000-4000-8000-000000000001",
        "actor": LEARNER,
        "verb": {"id": verb if ":" in verb else ADL + verb},
        "object": activity(target) if isinstance(target, str) else target,
        "context": {"contextActivities": {"parent": [COURSE]}},
        "timestamp": "2025-03-01T10:00:00Z",
    } | members


def around(**members: Any) -> dict[str, Any]:
    """Return a context with these activities."""
    return {"contextActivities": members}


MOODLE_COURSE = activity(f"{MOODLE}/course/view.php?id=4", TINCAN + "activitytype/lms/course")
SITE = activity(MOODLE, TINCAN + "activitytype/site")
EDX_COURSE = activity("http://e.example/course/course-v1:edX+DemoX+Demo", "course")


def moodle(verb: str, target: object = QUIZ, event: str = "\\core\\event\\x", **members: Any) -> dict[str, Any]:
    """Return a statement as Moodle's logstore_xapi makes them."""
    info = {"http://moodle.org": "4.4", "event_name": event, "event_function": "\\src\\transformer\\events\\x"}
    context = around(grouping=[SITE, MOODLE_COURSE], category=[activity("http://moodle.org", TINCAN + "source")])
    context["extensions"] = {"http://lrs.learninglocker.net/define/extensions/info": info}
    context["contextActivities"] |= members.pop("around", {})
    return statement(verb, target, context=context, **members)


def edx(verb: str, target: str, **members: Any) -> dict[str, Any]:
    """Return a statement as event-routing-backends makes them."""
    return statement(verb, target, context=around(parent=[EDX_COURSE]), **members)


def become(record: object, connection: Connection = CONNECTION) -> list[NamedEvent]:
    """Return the events of a document."""
    return [event for each in split(record) for event in translate(each, connection, ARRIVED)]


def event_of(record: object, **options: Any) -> Any:
    """Return the document's only event, by a connection with these options."""
    (event,) = become(record, CONNECTION.model_copy(update=options))
    return event


def outcome(record: object, **options: Any) -> str:
    """Return the type of the document's only event, or the reason why there is none."""
    try:
        return str(event_of(record, **options).type)
    except Ignored as ignored:
        return ignored.reason
    except Rejected as rejected:
        return f"rejected: {rejected.reason}"


def shown(value: object) -> str:
    """Return the id of a test's parameter: other types with other ids."""
    return ascii(value) if len(ascii(value)) < 90 else f"{ascii(value)[:40]}…{len(ascii(value))}"
