"""Any JSON has one of the outcomes of a statement, which depends on it alone, and no mail address is in an event."""

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.statements import (
    ACTIVITIES,
    ADL,
    ARRIVED,
    AS,
    CONNECTION,
    COURSE,
    LEARNER,
    LESSON,
    MOODLE_COURSE,
    QUIZ,
    activity,
    moodle,
    statement,
)
from worker.adapters.outcome import Ignored, Rejected
from worker.adapters.xapi import split, translate
from worker.contract.connection import Connection
from worker.contract.named_event import NAMED_EVENT, NamedEvent

REASONS = {
    *("group", "object", "course_level", "unenrolment", "other_level", "not_a_lesson", "inside_lesson", "verb"),
    *("not_json", "not_an_object", "missing_member", "voiding", "no_learner"),
    *("no_offset", "bad_time", "time_out_of_range"),
}
BLOCK = "http://e.example/xblock/block-v1:a+b+c+type@problem+block@d"
KEYS = [
    *(
        "id",
        "actor",
        "verb",
        "object",
        "result",
        "context",
        "timestamp",
        "stored",
        "account",
        "homePage",
        "name",
        "mbox",
    ),
    *(
        "mbox_sha1sum",
        "openid",
        "member",
        "objectType",
        "definition",
        "type",
        "extensions",
        "contextActivities",
        "parent",
    ),
    *("grouping", "category", "completion", "success", "duration", "statement", "statements", "event_name", "\ud800"),
    *("https://w3id.org/xapi/cmi5/result/extensions/progress", "https://w3id.org/xapi/video/extensions/progress"),
    *("http://lrs.learninglocker.net/define/extensions/info", "http://xapi.jisc.ac.uk/courseArea"),
    "http://h5p.org/x-api/h5p-subContentId",
]
TEXTS = [
    *("", "Agent", "Group", "StatementRef", LESSON, QUIZ, BLOCK, BLOCK + "_2_1", COURSE["id"], "urn:articulate:x/1"),
    *(ADL + "completed", ADL + "progressed", ADL + "voided", AS + "join", AS + "leave", ACTIVITIES + "course", "%"),
    *(ACTIVITIES + "lesson", "PT8S", "P1Y", "2025-03-01T10:00:00Z", "2025-03-01T10:00", "1" * 400, "\ud800", "\0"),
    *(
        "a@b.example",
        "0" * 40,
        "00000000-0000-0000-0000-000000000000",
        "https://w3id.org/xapi/cmi5/context/categories/cmi5",
    ),
]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**11, 1_740_823_200, 1_740_823_200_123, 10**400])
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=12,
)


@st.composite
def _nearly(draw: st.DrawFn) -> Any:
    """Return a statement of which a few members, at any depth, are something else or gone."""
    record: Any = json.loads(json.dumps(draw(st.sampled_from([statement(), moodle(ADL + "completed"), _full()]))))
    for _ in range(draw(st.integers(0, 4))):
        place, key = record, draw(st.sampled_from(sorted(record)))
        while isinstance(place[key], dict) and place[key] and draw(st.booleans()):
            place = place[key]
            key = draw(st.sampled_from(sorted(place)))
        place[key] = draw(JSON)
    return record


def _full() -> dict[str, Any]:
    target = activity(LESSON, "lesson")
    return statement("progressed", target, result={"completion": False, "duration": "PT8S", "extensions": {}})


CONNECTIONS = st.builds(
    Connection,
    name=st.just("xapi-test"),
    packages=st.sampled_from(["course", "lesson"]),
    edx_level=st.sampled_from(["block", "vertical", "sequential"]),
    timezone=st.sampled_from([None, "Europe/London"]),
)


def _outcomes(document: object, connection: Connection) -> list[NamedEvent | str]:
    """Return the event of each statement, or the reason why there is none."""
    found: list[NamedEvent | str] = []
    for each in split(document):
        try:
            found += translate(each, connection, ARRIVED)
        except Ignored as ignored:
            found.append(ignored.reason)
        except Rejected as rejected:
            found.append(rejected.reason)
    return found


@settings(max_examples=500)
@given(record=JSON | _nearly(), connection=CONNECTIONS)
@example(record=statement(timestamp=10**400), connection=CONNECTION)
@example(record=statement("\ud800", "\ud800\0", id="\ud800"), connection=CONNECTION)
def test_any_json_has_an_outcome_that_can_be_published(record: object, connection: Connection) -> None:
    for found in _outcomes(record, connection):
        if isinstance(found, str):
            assert found in REASONS
        else:
            assert NAMED_EVENT.validate_json(found.to_json()) == found
            assert found.source == connection.name


@settings(max_examples=300)
@given(records=st.lists(JSON | _nearly(), max_size=4), connection=CONNECTIONS)
def test_an_outcome_depends_on_the_statement_alone(records: list[Any], connection: Connection) -> None:
    alone = [_outcomes([each], connection) for each in records]
    together = _outcomes(records + records[::-1], connection)
    assert together == [each for one in alone + alone[::-1] for each in one]
    assert [_outcomes([_reversed(each)], connection) for each in records] == alone


def _reversed(value: Any) -> Any:
    """Return the value with the members of all its objects in the opposite order."""
    if isinstance(value, dict):
        return {key: _reversed(value[key]) for key in reversed(value)}
    return [_reversed(each) for each in value] if isinstance(value, list) else value


MAIL, PERSON, ADDRESS = "ann.lee@school.example", "Ann Lee", "203.0.113.9"
PERSONAL = {
    "actor": {"objectType": "Agent", "name": PERSON, "mbox": f"mailto:{MAIL}"},
    "authority": {"mbox": f"mailto:{MAIL}", "name": PERSON},
    "result": {"response": f"{PERSON}, {MAIL}", "completion": True},
    "attachments": [{"display": {"en": PERSON}}],
}
ACTORS = [
    {"name": PERSON, "mbox": f"mailto:{MAIL}"},
    {"name": PERSON, "mbox": MAIL.upper()},
    {"name": PERSON, "account": {"homePage": "https://lms.example", "name": MAIL}},
    {"name": PERSON, "account": {"homePage": "https://lms.example", "name": f"mailto:{MAIL}"}},
    {"name": PERSON, "openid": f"mailto:{MAIL}"},
    {"name": PERSON, "openid": f"https://o.example/{MAIL}"},
    *(
        {"name": PERSON, "account": {"homePage": "https://lms.example", "name": name}}
        for name in (f" {MAIL} ", f"Lee <{MAIL}>", f"APP|{MAIL}", f"users/{MAIL}", MAIL.replace("@", "%40"))
    ),
    {"name": PERSON, "account": {"homePage": f"https://lms.example/{MAIL}", "name": "7"}},
    LEARNER | {"name": PERSON, "mbox": f"mailto:{MAIL}"},
]


@given(
    verb=st.sampled_from(["completed", "experienced", "registered", "uncompleted", "answered"]),
    target=st.sampled_from(
        [
            *(activity(LESSON), activity(QUIZ), COURSE, MOODLE_COURSE, activity(BLOCK)),
            *(activity(f"{LESSON}?user={MAIL}"), activity(f"mailto:{MAIL}", "course")),
        ]
    ),
    actor=st.sampled_from(ACTORS),
    is_of_moodle=st.booleans(),
    own_id=st.sampled_from([None, "a-1", f"7/{MAIL}"]),
)
def test_no_person_is_in_an_event(
    verb: str, target: dict[str, Any], actor: dict[str, Any], is_of_moodle: bool, own_id: str | None
) -> None:
    record = moodle(verb, target) if is_of_moodle else statement(verb, target)
    record |= PERSONAL | {"actor": actor}
    record["object"] = {**target, "definition": {**target.get("definition", {}), "name": {"en": PERSON}}}
    record["context"] |= {"instructor": {"name": PERSON, "mbox": MAIL}, "team": {"member": [{"name": PERSON}]}}
    record["context"]["extensions"] = record["context"].get("extensions", {}) | {
        "http://id.tincanapi.com/extension/ip-address": {"ip-address": ADDRESS},
    }
    record["id"] = own_id
    for found in _outcomes(record, CONNECTION):
        published = (found if isinstance(found, str) else found.to_json().decode()).lower()
        assert not any(each.lower() in published for each in (MAIL, PERSON, ADDRESS, "@school", "%40school"))
