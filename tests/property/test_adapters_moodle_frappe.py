"""Any JSON has one of the outcomes of a record of Moodle or Frappe, by it alone; no person is in an event."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.lms_records import ARRIVED, ENROLLED, become, completion, enrollment, progress, reported, row
from worker.adapters.outlines.document import OutlineDocument
from worker.adapters.outlines.frappe import read_frappe
from worker.adapters.php_values import read_php_array
from worker.api.door_tokens import token_in
from worker.api.form_records import read_form
from worker.contract.connection import Connection
from worker.contract.named_event import NAMED_EVENT, NamedCourseOutlined
from worker.errors import InputError

REASONS = {
    *("unenrolment", "event_type", "outline", "not_a_lesson", "impersonated", "anonymous", "staff", "site_level"),
    *("restore", "state_unknown", "not_started"),
    *(
        f"rejected: {each}"
        for each in (
            *("not_json", "not_an_object", "missing_member", "bad_state", "no_learner", "no_course", "no_lesson"),
            *("no_offset", "bad_time", "time_out_of_range"),
        )
    ),
}
MAIL, PERSON, ADDRESS = "ann.lee@school.example", "Ann Lee", "203.0.113.9"
VIEWED = "The user with id '3' viewed the 'page' activity with course module id '42'."
CHANGED = (
    "The user with id '3' updated the completion state for the course module with id '42' for the user with id '3'."
)
RECORDS: dict[str, list[dict[str, Any]]] = {
    "moodle": [
        *(row(), completion(), row(ENROLLED, relateduserid="3"), row("core_h5p\\event\\h5p_viewed")),
        *(reported(VIEWED), reported(CHANGED)),
        completion(other='a:1:{s:15:"completionstate";i:2;}'),
    ],
    "frappe": [progress(), progress(status="Partially Complete"), enrollment()],
}
TEXTS = [
    *("", "NULL", "\\N", "N;", "0", "-1", "1", "70", "3.0", "9" * 30, "1e400", "nan", "\ud800", "\0", "é" * 700),
    *("a:1:{i:0;", 'a:1:{s:15:"completionstate";i:1;}', "[" * 3000, '{"completionstate": NaN}', "{}"),
    *("2026-03-01 10:00:00", "31/12/25, 10:00", "restore", "Administrator", MAIL, "Complete", "x"),
]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, 1_740_823_200, 3, 70])
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
CONNECTIONS = st.builds(
    Connection,
    name=st.just("lms"),
    timezone=st.sampled_from([None, "Europe/London"]),
    assume_completed=st.booleans(),
    course=st.sampled_from([None, "5", "course:5", "é" * 512]),
    guest=st.integers(0, 4),
    site_course=st.integers(0, 6),
)
each_format = pytest.mark.parametrize("format_name", RECORDS)


def nearly(format_name: str) -> st.SearchStrategy[Any]:
    """A record of which a few members are something else or gone."""

    def changed(record: dict[str, Any], changes: dict[str, Any], gone: set[str]) -> dict[str, Any]:
        return {name: value for name, value in (record | changes).items() if name not in gone}

    names = st.sampled_from(sorted({name for record in RECORDS[format_name] for name in record} | {"token"}))
    records = st.sampled_from(RECORDS[format_name])
    changes = st.dictionaries(names, VALUES, max_size=3)
    return st.builds(changed, records, changes, st.sets(names, max_size=1)) | VALUES


@each_format
@settings(max_examples=300)
@given(data=st.data(), connection=CONNECTIONS)
def test_any_json_has_an_outcome_that_can_be_published(
    format_name: str, data: st.DataObject, connection: Connection
) -> None:
    for found in become(format_name, data.draw(nearly(format_name)), connection):
        if isinstance(found, str):
            assert found in REASONS
        else:
            assert NAMED_EVENT.validate_json(found.to_json()) == found
            assert found.source == connection.name


@each_format
@given(data=st.data(), connection=CONNECTIONS)
def test_an_outcome_depends_on_the_record_alone(format_name: str, data: st.DataObject, connection: Connection) -> None:
    records = data.draw(st.lists(nearly(format_name).filter(lambda each: not isinstance(each, list)), max_size=4))
    alone = [become(format_name, each, connection) for each in records]
    together = become(format_name, [*records, *records[::-1]], connection)
    if not any(isinstance(each, dict) and "data" in each for each in records):
        assert together == [each for one in alone + alone[::-1] for each in one]


@each_format
@given(data=st.data())
def test_no_person_is_in_an_event(format_name: str, data: st.DataObject) -> None:
    record = data.draw(st.sampled_from(RECORDS[format_name])) | {"ip": ADDRESS, "member_name": PERSON}
    if format_name == "frappe":
        record |= {"member": MAIL, "owner": MAIL, "modified_by": MAIL}
    connection = Connection(name="lms", timezone="UTC", assume_completed=True)
    for found in become(format_name, record, connection):
        assert not isinstance(found, str)
        published = found.to_json().decode().lower()
        assert not any(each.lower() in published for each in (MAIL, PERSON, ADDRESS, "@school"))


@given(st.text() | st.sampled_from(TEXTS))
def test_any_text_is_an_array_of_php_or_none(text: str) -> None:
    try:
        read_php_array(text)
    except ValueError:
        return
    assert text.startswith("a:")


def _php(value: object) -> str:
    if value is None:
        return "N;"
    if isinstance(value, bool):
        return f"b:{int(value)};"
    if isinstance(value, int):
        return f"i:{value};"
    text = str(value)
    return f's:{len(text.encode())}:"{text}";'


WRITABLE = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.dictionaries(WRITABLE, st.none() | st.booleans() | st.integers(-(2**62), 2**62) | WRITABLE, min_size=1))
def test_an_array_is_read_as_it_was_written(members: dict[str, Any]) -> None:
    written = "".join(_php(key) + _php(value) for key, value in members.items())
    found = read_php_array(f"a:{len(members)}:{{{written}}}")
    expected = list(members.values()) if list(members) == [str(n) for n in range(len(members))] else members
    assert json.dumps(found) == json.dumps(expected)


@given(st.binary() | st.text().map(lambda text: f"a={text}&token={text}".encode(errors="surrogatepass")))
def test_any_body_is_a_form_or_none_and_has_a_token_or_none(body: bytes) -> None:
    form, token = read_form(body), token_in(body)
    assert form is None or isinstance(form, dict)
    assert token is None or token.encode()


WORDS = st.sampled_from(["LMS Course", "Course Chapter", "Course Lesson", "a", "b", "", "\0", "\ud800", "é" * 600])
REFERENCES = st.lists(
    st.fixed_dictionaries(
        {}, optional={"idx": VALUES, "chapter": WORDS, "lesson": WORDS, "name": WORDS, "title": VALUES}
    ),
    max_size=3,
)
DOCUMENTS = st.fixed_dictionaries(
    {"doctype": WORDS, "name": WORDS | VALUES},
    optional={"chapters": REFERENCES | VALUES, "lessons": REFERENCES | VALUES},
)


@given(
    st.lists(DOCUMENTS | st.builds(lambda each: {"data": each}, DOCUMENTS) | VALUES, max_size=5)
    | st.builds(lambda each: {"message": each}, st.lists(DOCUMENTS | VALUES, max_size=4))
    | DOCUMENTS
)
def test_any_json_is_outlines_that_can_be_published_or_a_sentence(content: object) -> None:
    document = OutlineDocument(json.dumps(content).encode(), "x", Connection(name="lms"), "guide")
    try:
        outlines = read_frappe(document)
    except InputError as error:
        outlines, sentence = [], str(error)
    else:
        sentence = "x"
    assert sentence.startswith("x")
    for outline in outlines:
        event = NamedCourseOutlined(id="1", source="lms", time=ARRIVED, data=outline)
        assert NAMED_EVENT.validate_json(event.to_json()) == event
