"""The committed AsyncAPI document is that of the models, and says what the models do."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from pydantic import ValidationError

from worker.contract.asyncapi import document
from worker.contract.entry import Entry
from worker.contract.event import EVENT, EVENT_TYPES
from worker.contract.named_event import NAMED_EVENT, NAMED_EVENT_TYPES, is_named
from worker.contract.parse import parse_entry
from worker.settings import Settings

COMMITTED = Path(__file__).parents[2] / "docs" / "asyncapi.json"
DOCUMENT = document(*(Settings.model_fields[name].default for name in ("stream_key", "stream_partitions")))
MESSAGES: dict[str, dict[str, Any]] = DOCUMENT["components"]["messages"]
EXAMPLES = {example["name"]: example["payload"] for message in MESSAGES.values() for example in message["examples"]}
SCHEMAS: dict[str, dict[str, Any]] = DOCUMENT["components"]["schemas"]
WRONG: list[Any] = [0, 2**63, -1, "1", "", "a\0b", True, [None], {}]
OTHERS = {"user_course_id": 1, "topic_id": 1, "lesson_id": 1, "course_id": 1, "learner": "x", "course": "x"}
"""Members that make a mixture of an event of the other form."""
FORMATS = jsonschema.FormatChecker(formats=[])


@FORMATS.checks("date-time", raises=ValueError)  # type: ignore[untyped-decorator]
def is_date_time(value: object) -> bool:
    """The library itself checks this format only with another package."""
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


each_event = pytest.mark.parametrize("name", EXAMPLES)


def references(part: Any) -> Iterator[str]:
    """Every `$ref` below this part."""
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"]
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            yield from references(each)


def find(reference: str) -> Any:
    place: Any = DOCUMENT
    for step in reference.removeprefix("#/").split("/"):
        place = place[step]
    return place


def fits_schema(name: str, event: object) -> bool:
    schema = {**DOCUMENT, **SCHEMAS[name]}
    return bool(jsonschema.Draft7Validator(schema, format_checker=FORMATS).is_valid(event))


def fits_models(event: object, dropped: list[str]) -> bool:
    try:
        (NAMED_EVENT if is_named(event) else EVENT).validate_python(event, context={"dropped": dropped})
    except ValidationError:
        return False
    return True


DROPPED = {"section_id", "duration_seconds", "timezone", "topic", "enrols"}
"""Members that the models drop where the schema refuses them."""


def bent(name: str) -> Iterator[dict[str, Any]]:
    """The example with each member removed, emptied or made too large."""
    for member in EXAMPLES[name]:
        yield {key: value for key, value in EXAMPLES[name].items() if key != member}
    for member in EXAMPLES[name]["data"]:
        for value in WRONG:
            yield EXAMPLES[name] | {"data": EXAMPLES[name]["data"] | {member: value}}
    for member, value in OTHERS.items():
        yield EXAMPLES[name] | {"data": {member: value} | EXAMPLES[name]["data"]}


def test_the_committed_document_is_that_of_the_models() -> None:
    assert json.loads(COMMITTED.read_text(encoding="utf-8")) == DOCUMENT, "run: progress-worker asyncapi"


def test_it_is_an_asyncapi_3_document_with_every_event_on_both_channels() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert DOCUMENT["channels"]["plain"]["address"] == "lesson-events"
    partition = DOCUMENT["channels"]["partition"]
    assert partition["address"] == "lesson-events:{partition}"
    assert partition["parameters"]["partition"]["enum"] == [str(number) for number in range(8)]
    for channel in DOCUMENT["channels"].values():
        assert channel["messages"].keys() == MESSAGES.keys()
    assert {operation["action"] for operation in DOCUMENT["operations"].values()} == {"receive"}
    assert {operation["channel"]["$ref"] for operation in DOCUMENT["operations"].values()} == {
        "#/channels/plain",
        "#/channels/partition",
    }
    types = [kind.model_fields["type"].default for kind in EVENT_TYPES]
    assert [message["name"] for message in MESSAGES.values()] == types


def test_every_reference_leads_somewhere() -> None:
    for reference in references(DOCUMENT):
        assert find(reference), reference


def test_every_schema_is_a_schema() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft7Validator.check_schema(schema)


@each_event
def test_the_examples_fit_the_models_and_the_schemas(name: str) -> None:
    example = EXAMPLES[name]
    assert type(parse_entry(Entry("s", "1900000000000-0", json.dumps(example).encode()))).__name__ == name
    assert fits_schema(name, example)


@each_event
def test_what_a_schema_refuses_the_models_refuse_too_and_the_other_way_round(name: str) -> None:
    wrong = 0
    for event in bent(name):
        if "specversion" not in event:  # the models take a missing one for 1.0
            continue
        dropped: list[str] = []
        fits = fits_models(event, dropped)
        assert set(dropped) <= DROPPED
        if dropped == ["timezone"] and isinstance(event["data"]["timezone"], str):  # no schema knows the names
            continue
        wrong += not fits
        assert fits_schema(name, event) == (fits and not dropped), event
    assert wrong > 10


def test_an_event_has_the_schema_of_one_form_alone() -> None:
    models = {kind.__name__ for kind in EVENT_TYPES} | {kind.__name__ for kind in NAMED_EVENT_TYPES}
    assert EXAMPLES.keys() == models
    for name, message in MESSAGES.items():
        forms = [reference["$ref"].rpartition("/")[2] for reference in message["payload"]["oneOf"]]
        assert forms == [each for each in (name, f"Named{name}") if each in models]
        for form in forms:
            assert [each for each in forms if fits_schema(each, EXAMPLES[form])] == [form]


def test_the_limits_that_no_schema_can_say_are_written_down() -> None:
    text = DOCUMENT["info"]["description"]
    for words in (
        "65,536 characters",
        "1,048,576",
        "5 minutes ahead",
        "1980",
        "UUIDv5",
        "dead letter",
        "sequence",
        "1,024 bytes",
    ):
        assert words in text
    assert "1,048,576 characters" in MESSAGES["CourseOutlined"]["description"]
    assert "65,536 characters" in MESSAGES["LessonViewed"]["description"]
