"""Redrive, discard or export any number of dead letters, page by page."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import Engine

from worker.contract.id_ranges import MAX_ID
from worker.errors import InputError
from worker.progress import dead_letters, redrive, stored_dead_letters
from worker.progress.exported_dead_letters import CorrectedDeadLetter
from worker.progress.stored_dead_letters import Selection, StoredDeadLetter

T = TypeVar("T")

CHUNK_BYTES = 8 * 1024 * 1024
"""Approximate number of bytes of dead letters held at a time."""

NAMED = 10
"""Maximum number of ids in a message."""


@dataclass(slots=True)
class Redriven:
    """Counts of dead letters by result."""

    applied: int = 0
    repeated: int = 0
    superseded: int = 0
    parked: int = 0
    """Others, applied because these brought their enrollment."""
    gone: int = 0
    """Corrected ones that had been applied or deleted before."""
    refused: Counter[str] = field(default_factory=Counter)
    """Still there, by reason: this try's, or the old one where another transaction held the dead letter."""
    refused_ids: dict[str, list[int]] = field(default_factory=dict)
    """The first NAMED of each reason."""

    def refuse(self, ids_by_reason: Mapping[str, Sequence[int]]) -> None:
        """Count these dead letters as refused."""
        for reason, ids in ids_by_reason.items():
            self.refused[reason] += len(ids)
            self.refused_ids[reason] = [*self.refused_ids.get(reason, []), *ids][:NAMED]


def redrive_all(engine: Engine, dead_letter_ids: Sequence[int], reason: str | None) -> Redriven:
    """Try these dead letters once each; without ids all of one reason, or all.

    Raises InputError, before anything is tried, for an id that does not exist.
    """
    total = Redriven()
    for page in _pages(engine, dead_letter_ids, reason):
        _redrive_page(engine, page, total)
    return total


def redrive_corrected(engine: Engine, corrected: Iterable[CorrectedDeadLetter]) -> Redriven:
    """Give dead letters their corrected content, and try each once. Those that no longer exist are `gone`.

    Each page is one transaction that corrects and others that apply: after an error, do it all again.
    """
    total = Redriven()
    for page in chunks(corrected, lambda each: len(each.body or b""), redrive.PAGE):
        with engine.begin() as connection:
            found = dead_letters.correct_dead_letters(connection, page)
        total.gone += len(page) - len(found)
        _redrive_page(engine, sorted(set(found)), total)
    return total


def export_all(engine: Engine, selection: Selection) -> Iterator[StoredDeadLetter]:
    """Yield the dead letters that exist now, oldest first, holding about CHUNK_BYTES at a time."""
    with engine.connect() as connection:
        last = stored_dead_letters.last_dead_letter_id(connection)
    for chunk in chunks(_sizes(engine, selection, last), lambda each: each[1], redrive.PAGE):
        with engine.connect() as connection:
            found = stored_dead_letters.get_dead_letters(connection, [each for each, _ in chunk])
        yield from found


def _sizes(engine: Engine, selection: Selection, last: int) -> Iterator[tuple[int, int]]:
    page, after = [(0, 0)], 0
    while page:
        with engine.connect() as connection:
            page = stored_dead_letters.dead_letter_sizes(connection, selection, after, last, redrive.PAGE)
        yield from page
        after = page[-1][0] if page else after


def chunks(items: Iterable[T], size: Callable[[T], int], most: int) -> Iterator[list[T]]:
    """Yield the items in lists of at most `most`, of about CHUNK_BYTES by their sizes, at least one each."""
    chunk: list[T] = []
    total = 0
    for each in items:
        if chunk and (len(chunk) == most or total + size(each) > CHUNK_BYTES):
            yield chunk
            chunk, total = [], 0
        chunk.append(each)
        total += size(each)
    if chunk:
        yield chunk


def _redrive_page(engine: Engine, page: Sequence[int], total: Redriven) -> None:
    outcome = redrive.redrive(engine, page)
    total.applied += outcome.applied
    total.repeated += outcome.repeated
    total.superseded += outcome.superseded
    with engine.connect() as connection:
        total.refuse(stored_dead_letters.ids_by_reason(connection, page))
    arrived = redrive.apply_parked(engine, outcome.enrolled)
    total.parked += arrived.applied + arrived.repeated


def count_all(engine: Engine, dead_letter_ids: Sequence[int], reason: str | None) -> tuple[int, int]:
    """Return the number of these dead letters, without ids of one reason or any, and the newest id of all."""
    with engine.connect() as connection:
        counts = stored_dead_letters.count_dead_letters(connection)
        last = stored_dead_letters.last_dead_letter_id(connection)
    return len(dead_letter_ids) or sum(count for each, count in counts.items() if reason in (None, each)), last


def discard_all(engine: Engine, dead_letter_ids: Sequence[int], reason: str | None, last: int) -> Iterator[int]:
    """Delete these dead letters, or those up to `last`, a page a transaction; yield the number deleted so far.

    Raises InputError, before anything is deleted, for an id that does not exist.
    """
    deleted = 0
    for page in _pages(engine, dead_letter_ids, reason, last):
        with engine.begin() as connection:
            deleted += stored_dead_letters.discard_dead_letters(connection, page)
        yield deleted


def _pages(
    engine: Engine, dead_letter_ids: Sequence[int], reason: str | None, last: int = MAX_ID
) -> Iterator[Sequence[int]]:
    """Yield these ids in pages; without ids those of all dead letters of one reason, or of all, up to `last`.

    Raises InputError, before the first page, for an id that does not exist.
    """
    yield from _given(engine, dead_letter_ids) if dead_letter_ids else _found(engine, reason, last)


def _given(engine: Engine, dead_letter_ids: Sequence[int]) -> Iterator[Sequence[int]]:
    given = [dead_letter_ids[start : start + redrive.PAGE] for start in range(0, len(dead_letter_ids), redrive.PAGE)]
    with engine.connect() as connection:
        for page in given:
            there = set[int]().union(*stored_dead_letters.ids_by_reason(connection, page).values())
            if missing := [each for each in page if each not in there]:
                names = ", ".join(str(each) for each in missing[:NAMED])
                raise InputError(f"There is no dead letter {names}; it may have been applied. Nothing was changed.")
    yield from given


def _found(engine: Engine, reason: str | None, last: int) -> Iterator[Sequence[int]]:
    """Ids only rise, so a dead letter that stays is not met again, even if its reason changes."""
    after = 0
    while True:
        with engine.connect() as connection:
            page = [
                each
                for each in stored_dead_letters.dead_letter_ids(connection, reason, after, redrive.PAGE)
                if each <= last
            ]
        if not page:
            return
        after = page[-1]
        yield page
