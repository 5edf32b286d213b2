"""Percentages: in PostgreSQL as in plain Python, and exactly 0 or 100 only where nothing or everything is."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from worker.summary.percentage import percentage, percentage_sql

_PERCENTAGE = percentage_sql("part", "total")
_SELECT = text(f"""
    SELECT CAST({_PERCENTAGE} AS numeric(5, 2))
    FROM unnest(CAST(:parts AS bigint[]), CAST(:totals AS bigint[])) WITH ORDINALITY AS given (part, total, number)
    ORDER BY number
""")


@st.composite
def shares(draw: st.DrawFn) -> tuple[int, int]:
    """A part of a total; often next to nothing or to everything."""
    total = draw(st.integers(0, 10**7) | st.sampled_from([2, 3, 800, 9_999, 10_000, 20_000, 10**12]))
    part = draw(st.integers(0, total) | st.sampled_from([min(1, total), max(0, total - 1), total]))
    return part, total


@given(given=st.lists(shares(), max_size=50))
def test_postgresql_rounds_as_the_rules_do_and_never_up_to_all_or_down_to_nothing(
    engine: Engine, given: list[tuple[int, int]]
) -> None:
    with engine.connect() as connection:
        parameters = {"parts": [part for part, _ in given], "totals": [total for _, total in given]}
        found = list(connection.scalars(_SELECT, parameters))
    assert found == [percentage(part, total) for part, total in given]
    for (part, total), percent in zip(given, found, strict=True):
        assert (percent == 0) == (part == 0)
        assert (percent == Decimal(100)) == (0 < part == total)
        assert total == 0 or abs(percent - Decimal(100 * part) / total) <= Decimal("0.01")
