"""Any JSON has one of the outcomes of Caliper or Canvas, which depends on it alone, and no address is in an event."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support import caliper, canvas
from worker.adapters.formats import FORMATS
from worker.adapters.translation import translate
from worker.contract.connection import Connection
from worker.contract.named_event import NAMED_EVENT

REASONS = {
    *("not_json", "not_an_object", "unsupported_version", "missing_member", "entity", "event_type", "unenrolment"),
    *("not_a_person", "anonymous", "staff", "test_user", "no_lesson", "no_learner", "no_course", "inside_lesson"),
    *("not_a_lesson", "course_level", "other_level", "outline", "bad_time", "no_offset", "time_out_of_range"),
}
ATTEMPT = caliper.entity("a", "Attempt", assignable=caliper.entity(caliper.PAGE, "Page"), duration="PT5M")
SAMPLES = [
    caliper.event(),
    caliper.event("AssignableEvent", "Submitted", ATTEMPT, **caliper.membership("Learner")),
    caliper.event("Event", "Activated", caliper.entity(caliper.COURSE, "CourseOffering")),
    caliper.envelope(caliper.event(), caliper.entity("x", "Person", name="Ann", email="ann@example.org")),
    canvas.live("asset_accessed", canvas.asset(), url=canvas.ITEM_URL),
    canvas.live("submission_created", {"assignment_id": "1", "user_id": "2"}),
    canvas.live("enrollment_created", canvas.enrollment()),
    {"Records": [{"body": json.dumps(canvas.live("quiz_submitted", {"quiz_id": 1}))}]},
    canvas.as_caliper("NavigationEvent", "NavigatedTo", canvas.shown("wikiPage"), "Learner"),
    canvas.as_caliper(
        "Event",
        "Created",
        caliper.entity(canvas.urn("enrollment", 1), "Entity", **canvas.ours(**canvas.enrollment())),
    ),
]
KEYS = [
    *(
        "id",
        "type",
        "@type",
        "actor",
        "action",
        "object",
        "target",
        "generated",
        "group",
        "membership",
        "roles",
        "data",
    ),
    *("organization", "subOrganizationOf", "isPartOf", "assignable", "duration", "startedAtTime", "endedAtTime"),
    *("eventTime", "extensions", "com.instructure.canvas", "metadata", "body", "Body", "Records", "Messages", "\ud800"),
    *("event_name", "event_time", "user_id", "root_account_id", "asset_type", "asset_id", "url", "context_type"),
]
TEXTS = [
    *("", "ViewEvent", "Viewed", "Person", "Attempt", "CourseSection", "Learner", "Instructor#x", caliper.PAGE, "\0"),
    *("asset_accessed", "wiki_page", "Course", "PT5M", "2025-03-01T10:00:00Z", "2025-03-01T10:00", "1" * 400),
    *("\ud800", "mailto:ann@example.org", "https://x/ann@example.org", "urn:instructure:canvas:user:5", "9~9", "%"),
    *("http://e.example/xblock/block-v1:a+b+c+type@problem+block@d_2_1", "é" * 600, '{"a": 1}', "[[1]]"),
]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**11, 21070000000000005, 1_740_823_200_123, 10**400])
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=12,
)
CONNECTIONS = st.builds(
    Connection,
    name=st.just("lms"),
    edx_level=st.sampled_from(["block", "vertical", "sequential"]),
    timezone=st.sampled_from([None, "Europe/London"]),
)
both = pytest.mark.parametrize("name", ["caliper", "canvas"])


@st.composite
def nearly(draw: st.DrawFn) -> Any:
    """Return a sample of which a few members, at any depth, are something else or gone."""
    record: Any = json.loads(json.dumps(draw(st.sampled_from(SAMPLES))))
    for _ in range(draw(st.integers(0, 4))):
        place, key = record, draw(st.sampled_from(sorted(record)))
        while isinstance(place[key], dict) and place[key] and draw(st.booleans()):
            place = place[key]
            key = draw(st.sampled_from(sorted(place)))
        place[key] = draw(JSON)
    return record


def outcomes(name: str, document: object, connection: Connection) -> list[object]:
    """Return the events of each record, or the reason why there are none."""
    found: list[object] = []
    for record in FORMATS[name].split(document):
        done = translate(record, name, FORMATS[name].translate, connection, caliper.ARRIVED)
        found.append(done.ignored or (done.rejected.data.reason if done.rejected else done.events))
    return found


@both
@settings(max_examples=300)
@given(document=JSON | nearly(), connection=CONNECTIONS)
@example(document=caliper.event(id="\ud800", actor="\ud800\0"), connection=caliper.CONNECTION)
@example(
    document=caliper.event(group="https://x/ann@example.org", object_="mailto:ann@example.org"),
    connection=caliper.CONNECTION,
)
@example(document=[[[{"Records": [{"body": "[[[1]]]"}]}]]], connection=caliper.CONNECTION)
def test_any_json_has_an_outcome_that_can_be_published(name: str, document: object, connection: Connection) -> None:
    for found in outcomes(name, document, connection):
        if isinstance(found, str):
            assert found in REASONS
        else:
            assert isinstance(found, list)
            assert found
            for event in found:
                assert NAMED_EVENT.validate_json(event.to_json()) == event
                assert b"ann@example.org" not in event.to_json().replace(event.id.encode(), b"")


@both
@settings(max_examples=150)
@given(records=st.lists(JSON | nearly(), max_size=4), connection=CONNECTIONS)
def test_an_outcome_depends_on_the_record_alone(name: str, records: list[Any], connection: Connection) -> None:
    alone = [outcomes(name, each, connection) for each in records]
    together = outcomes(name, records + records[::-1], connection)
    assert together == [each for one in alone + alone[::-1] for each in one]


@both
@settings(max_examples=150)
@given(records=st.lists(JSON | nearly(), max_size=4))
def test_an_envelope_split_is_the_envelope(name: str, records: list[Any]) -> None:
    connection = caliper.CONNECTION
    whole = outcomes(name, caliper.envelope(*records), connection)
    assert whole == [each for one in records for each in outcomes(name, caliper.envelope(one), connection)]
    assert whole == outcomes(name, records, connection)
