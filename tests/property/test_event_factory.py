"""Whatever a typed method is called with: an event that a worker takes as the very same, or an error in a sentence."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.events import ENTRY_MILLISECONDS, START
from worker.contract.event import partition_key
from worker.contract.named_event import NAMED_EVENT_TYPES, partition_key_of
from worker.contract.parse import parse
from worker.errors import InputError
from worker.event_factory import EventFactory

texts = st.text(max_size=5) | st.sampled_from(["x" * 1_024, "ü" * 513, "\0", "\ud800", "\U0001f680", "e\u0301"])
names = texts.filter(lambda text: text not in {"", "\0"})
numbers = st.integers(1, 2**31 - 1)
anything = st.one_of(st.none(), st.booleans(), st.integers(-1, 2**64), st.floats(), texts, st.just([]))
LESSON = {"learner": names, "lesson": names, "course": names, "topic": names, "enrols": st.booleans()}
DURATION = {"duration_seconds": st.integers(-1, 86_401)}
PLACE = {"user_course_id": numbers, "topic_id": numbers, "lesson_id": numbers}
OUTLINE_LESSON = {"lesson": names, "topic": names, "title": texts, "aliases": st.lists(names, max_size=2)}
OUTLINE_PLACE = {"topic_id": numbers, "lesson_id": numbers, "title": texts}
METHODS: dict[str, list[dict[str, st.SearchStrategy[Any]]]] = {
    "lesson_viewed": [LESSON | DURATION, PLACE | DURATION | {"section_id": numbers}],
    "lesson_completed": [LESSON | DURATION, PLACE | DURATION | {"section_id": numbers}],
    "lesson_reopened": [LESSON, PLACE],
    "enrollment_created": [
        {"learner": names, "course": names, "timezone": texts},
        {"user_course_id": numbers, "user_id": numbers, "course_id": numbers, "timezone": texts},
    ],
    "course_outlined": [
        {"course": names, "lessons": st.lists(st.fixed_dictionaries(OUTLINE_LESSON), max_size=2)},
        {"course_id": numbers, "lessons": st.lists(st.fixed_dictionaries(OUTLINE_PLACE), max_size=2)},
    ],
}
OF_NAMES = {"learner", "lesson", "course", "topic", "enrols"}


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A method and its arguments in one form, of which perhaps one is left out or anything."""
    method = draw(st.sampled_from(sorted(METHODS)))
    arguments = draw(st.fixed_dictionaries(draw(st.sampled_from(METHODS[method]))))
    for name in draw(st.sets(st.sampled_from(sorted(arguments.keys() - {"lessons"})), max_size=1)):
        del arguments[name]
    return method, arguments | draw(
        st.dictionaries(st.sampled_from(["event_id", *list(arguments)[:1]]), anything, max_size=1)
    )


@given(calls(), names)
def test_an_event_is_the_one_that_a_worker_parses(call: tuple[str, dict[str, Any]], source: str) -> None:
    method, arguments = call
    try:
        event = getattr(EventFactory(source), method)(**arguments, occurred_at=START)
    except (InputError, TypeError):
        return
    assert parse(event.to_json(), ENTRY_MILLISECONDS) == event
    assert isinstance(event, NAMED_EVENT_TYPES) == bool(arguments.keys() & OF_NAMES)
    if isinstance(event, NAMED_EVENT_TYPES):
        assert partition_key(vars(event.data)) == partition_key_of(event)


@pytest.mark.parametrize("method", METHODS)
@given(data=st.data())
def test_a_mixture_is_refused(method: str, data: st.DataObject) -> None:
    by_names, by_numbers = METHODS[method]
    arguments = data.draw(st.fixed_dictionaries(by_names))
    others = {name: each for name, each in by_numbers.items() if name.endswith("_id")}
    mixed = data.draw(st.sampled_from(sorted(others)).map(lambda name: {name: 1}))
    with pytest.raises(TypeError, match="names or numbers, not both"):
        getattr(EventFactory("moodle"), method)(**arguments, **mixed)
