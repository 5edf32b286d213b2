"""Try any number of dead letters again, page by page, and say what became of them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from worker.errors import InputError

if TYPE_CHECKING:
    from sqlalchemy import Engine


@dataclass(slots=True)
class Redriven:
    """What became of the letters, by number."""

    applied: int = 0
    repeated: int = 0
    superseded: int = 0
    parked: int = 0
    """Others, applied because their enrollment came with these."""
    refused: Counter[str] = field(default_factory=Counter)
    """Still there, by reason: this try's, or the old one where another transaction held the letter."""


def redrive(engine: "Engine", letter_ids: Sequence[int], reason: str | None) -> Redriven:
    """Try these letters, or without ids all of one reason or of all; each once.

    Raises InputError, before anything is tried, when an id is not there.
    """
    from worker.progress import stored_dead_letters
    from worker.progress.redrive import apply_parked
    from worker.progress.redrive import redrive as redrive_page

    total = Redriven()
    for page in chosen(engine, letter_ids, reason):
        outcome = redrive_page(engine, page)
        total.applied += outcome.applied
        total.repeated += outcome.repeated
        total.superseded += outcome.superseded
        with engine.connect() as connection:
            total.refused.update(stored_dead_letters.count_reasons(connection, page))
        arrived = apply_parked(engine, outcome.enrolled)
        total.parked += arrived.applied + arrived.repeated
    return total


def chosen(
    engine: "Engine", letter_ids: Sequence[int], reason: str | None, last: int = 2**63 - 1
) -> Iterator[Sequence[int]]:
    """Pages of these ids, or without ids of all with the reason or all there are, up to `last`. Raises InputError."""
    yield from _given(engine, letter_ids) if letter_ids else _found(engine, reason, last)


def _given(engine: "Engine", letter_ids: Sequence[int]) -> Iterator[Sequence[int]]:
    from worker.progress import stored_dead_letters
    from worker.progress.redrive import PAGE

    pages = [letter_ids[start : start + PAGE] for start in range(0, len(letter_ids), PAGE)]
    with engine.connect() as connection:
        for page in pages:
            if sum(stored_dead_letters.count_reasons(connection, page).values()) < len(page):
                missing = [each for each in page if not stored_dead_letters.count_reasons(connection, [each])]
                names = ", ".join(str(each) for each in missing[:10])
                raise InputError(f"There is no dead letter {names}: applied meanwhile? Nothing was tried.")
    yield from pages


def _found(engine: "Engine", reason: str | None, last: int) -> Iterator[Sequence[int]]:
    """Ids only rise, so a letter that stays is not met again; one whose reason changes neither."""
    from worker.progress import stored_dead_letters
    from worker.progress.redrive import PAGE

    after = 0
    while True:
        with engine.connect() as connection:
            page = [
                each for each in stored_dead_letters.dead_letter_ids(connection, reason, after, PAGE) if each <= last
            ]
        if not page:
            return
        after = page[-1]
        yield page
