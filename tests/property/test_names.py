"""The laws of names on a real PostgreSQL: rows by name are those of the plain rules, in any order and as often."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from tests.support.events import entries
from tests.support.named_histories import any_histories, ordinary_histories
from tests.support.named_model import NamedModel, assert_equals_named_model
from tests.support.tables import clear, execute
from worker.contract.connection import Connection
from worker.contract.named_event import NamedEvent
from worker.progress.ingest import ingest
from worker.progress.redrive import apply_parked, sweep_parked
from worker.summary.refresh import refresh_summaries

Batches = list[list[NamedEvent]]
IGNORED = ("moodle", "ann")
IGNORE = "INSERT INTO external_id (kind, source, key, id, ignored) VALUES ('user', 'moodle', 'ann', 5, true)"
POLICIES = (
    Connection(name="moodle", enrol="explicit", timezone="Europe/London"),
    Connection(name="Moodle", lessons="outline", timezone="Asia/Tokyo"),
)


def forget(engine: Engine) -> None:
    """An empty database that has never named anything."""
    clear(engine)
    execute(engine, "TRUNCATE external_id, external_enrollment")


def record(engine: Engine, batches: Iterable[Sequence[NamedEvent]]) -> None:
    for batch in batches:
        apply_parked(engine, ingest(engine, entries(batch)).enrolled)


def settle(engine: Engine) -> None:
    """Twice, as the first sweep may enroll whom parked events wait for; then the outlines decide on positions."""
    sweep_parked(engine)
    sweep_parked(engine)
    refresh_summaries(engine, 500)


@pytest.fixture
def connections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of connections says POLICIES."""
    lines = [f"[{each.name}]" + "".join(f"\n{name} = '{value}'" for name, value in members(each)) for each in POLICIES]
    (tmp_path / "connections.toml").write_text("\n".join(lines))
    monkeypatch.setenv("PROGRESS_CONNECTIONS", str(tmp_path / "connections.toml"))


def members(policy: Connection) -> Iterable[tuple[str, object]]:
    """What is not default."""
    return policy.model_dump(exclude_defaults=True, exclude={"name"}).items()


@st.composite
def arrangements(draw: st.DrawFn, first: list[NamedEvent], rest: list[NamedEvent]) -> Batches:
    """First the outlines, then the rest, each in any order, some again, split anyhow."""
    head = draw(st.permutations(first))
    again = draw(st.lists(st.sampled_from(rest), max_size=5))
    arrival = [*head, *draw(st.permutations([*rest, *again]))]
    cuts = sorted({0, len(head), len(arrival), *draw(st.sets(st.integers(1, len(arrival)), max_size=8))})
    return [arrival[start:end] for start, end in pairwise(cuts)]


@given(data=st.data(), history=ordinary_histories())
def test_order_repetition_and_split_do_not_matter(
    engine: Engine, data: st.DataObject, history: tuple[list[NamedEvent], list[NamedEvent]]
) -> None:
    first, rest = history
    once, arranged = NamedModel(), NamedModel()
    once.deliver(first)
    once.deliver(rest)
    once.sweep()
    batches = data.draw(arrangements(first, rest))
    for batch in batches:
        arranged.deliver(batch)
    arranged.sweep()
    assert (arranged.rows(), arranged.zones()) == (once.rows(), once.zones())

    forget(engine)
    record(engine, batches)
    settle(engine)
    assert_equals_named_model(engine, arranged)


@given(batches=any_histories(), swept=st.sets(st.integers(0, 4)))
def test_whatever_comes_in_whatever_order_the_rows_are_those_of_the_rules(
    engine: Engine, batches: Batches, swept: set[int]
) -> None:
    forget(engine)
    assert_law(engine, NamedModel(), batches, swept)


@pytest.mark.usefixtures("connections")
@given(batches=any_histories(), swept=st.sets(st.integers(0, 4)))
def test_so_they_are_whatever_a_connection_allows(engine: Engine, batches: Batches, swept: set[int]) -> None:
    """One enrolls by completions alone, another lets outlines alone name lessons; a user does not count."""
    forget(engine)
    execute(
        engine, "INSERT INTO external_id (kind, source, key, id, ignored) VALUES ('user', 'moodle', 'ann', 5, true)"
    )
    assert_law(engine, NamedModel(POLICIES, {IGNORED}), batches, swept)


def assert_law(engine: Engine, model: NamedModel, batches: Batches, swept: set[int]) -> None:
    for number, batch in enumerate(batches):
        model.deliver(batch)
        record(engine, [batch])
        if number in swept:
            model.sweep()
            sweep_parked(engine)
    model.sweep()
    settle(engine)
    assert_equals_named_model(engine, model)
