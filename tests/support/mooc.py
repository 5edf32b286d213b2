"""The statements of a generated MOOC, and what they come to, as a plain fold over them in the order of their times."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from random import Random

from tests.support.events import at
from tests.support.xapi import HOME, Statement, learner_name, statement

Row = tuple[str, datetime | None, datetime | None]
"""Status, last viewed, completed."""
RowKey = tuple[str, str, str, str]
"""Source, learner, course, lesson."""

SOURCE = "xapi"
_PROGRESS = "https://w3id.org/xapi/cmi5/result/extensions/progress"
_VERBS: list[tuple[str, str | None, dict[str, object]]] = [
    ("experienced", "viewed", {}),
    ("initialized", "viewed", {}),
    ("completed", "completed", {}),
    ("passed", "completed", {"result": {"success": True, "score": {"scaled": 0.9}}}),
    ("passed", "viewed", {"result": {"success": False}}),
    ("progressed", "reopened", {"result": {"completion": False, "extensions": {_PROGRESS: 0}}}),
    ("progressed", "viewed", {"result": {"completion": False, "extensions": {_PROGRESS: 50}}}),
    ("answered", None, {}),
]
"""Verb, kind of deed and members of statements, and how frequent they are."""
_WEIGHTS = [40, 15, 15, 5, 3, 3, 7, 12]


@dataclass(frozen=True, slots=True)
class Deed:
    """What a learner did: `viewed`, `completed`, `reopened`, or None for what is no progress in a lesson."""

    kind: str | None
    key: RowKey
    time: datetime


def mooc(size: int, seed: int) -> list[tuple[Statement, Deed]]:
    """So many statements as an LRS has them: half the neighbors out of order, one in twenty a duplicate."""
    chance = Random(seed)
    made = [_made(chance, number, size) for number in range(size * 19 // 20)]
    made += chance.sample(made, size - len(made))
    for first in range(0, len(made) - 1, 2):
        if chance.random() < 0.75:
            other = min(len(made) - 1, first + chance.randrange(1, 40))
            made[first], made[other] = made[other], made[first]
    return made


def _made(chance: Random, number: int, size: int) -> tuple[Statement, Deed]:
    learner = str(int(chance.paretovariate(1.2) * 7) % max(1, size // 15))
    course = f"{HOME}/c{chance.randrange(3)}"
    lesson = f"{course}/l{int(chance.expovariate(1 / 12)) % 60}"
    time = at(number * 3 + chance.random())
    (verb, kind, members), *_ = chance.choices(_VERBS, _WEIGHTS)
    if chance.random() < 0.8:
        members = {**members, "id": f"{chance.getrandbits(32):08x}-0000-4000-8000-{number:012x}"}
    sent = statement(learner, verb, lesson, course, **members, timestamp=time.isoformat())
    return sent, Deed(kind, (SOURCE, learner_name(learner), course, lesson), time)


def folded(deeds: Iterable[Deed]) -> dict[RowKey, Row]:
    """The rows that the deeds come to."""
    found: dict[RowKey, Row] = {}
    for deed in sorted(deeds, key=lambda deed: deed.time):
        status, _, completed_at = found.get(deed.key, ("in_progress", None, None))
        if deed.kind == "completed":
            found[deed.key] = ("completed", deed.time, completed_at or deed.time)
        elif deed.kind == "reopened":
            found[deed.key] = ("in_progress", deed.time, None)
        elif deed.kind == "viewed":
            found[deed.key] = (status, deed.time, completed_at)
    return found


def out_of_order(deeds: list[Deed]) -> int:
    """How many neighbors are in the wrong order."""
    return sum(first.time > second.time for first, second in pairwise(deeds))
