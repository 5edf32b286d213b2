"""The outcome of a batch."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from worker.contract.batch import Target
from worker.contract.entry import PARKED, Entry
from worker.contract.totals import Totals
from worker.progress.dead_letters import DeadLetter
from worker.progress.reference import Recorded

REFUSED: Target = ("everything", 0)
"""The target of entries deferred while PostgreSQL refuses everything with one message and the cause is undecided."""


@dataclass(slots=True)
class Outcome:
    """Every entry of a batch is exactly one of applied, repeated, superseded, ignored, dead-lettered or deferred.

    An event already recorded is repeated; an enrollment or outline older than the known one is superseded.
    """

    applied: int = 0
    repeated: int = 0
    superseded: int = 0
    dead_letters: list[DeadLetter] = field(default_factory=list)
    deferred: list[tuple[Entry, Target]] = field(default_factory=list)
    """Not applied, to be tried again; each with the target that it waits for."""
    everything_refused: str = ""
    """The message with which PostgreSQL refused every entry, or empty."""
    met_locks: bool = False
    """Some met locks that SKIP LOCKED does not reveal: on progress rows, or on rows that an enrollment refers to."""
    recorded: int = 0
    """Events new in the ledger."""
    dropped: int = 0
    """Invalid optional members; their events count without them."""
    snapshots: dict[Entry, Recorded] = field(default_factory=dict)
    """The result of each enrollment and outline."""
    ignored: int = 0
    """Events of users that are not to count."""
    enrolled: list[int] = field(default_factory=list)
    """Enrollments that the batch created; events parked for them can be applied now."""

    def settled(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Return the batch's entries that may be acknowledged: all but the deferred ones."""
        if not self.deferred:
            return entries
        left = {entry for entry, _ in self.deferred}
        return [entry for entry in entries if entry not in left]

    @property
    def parked(self) -> int:
        """The number of dead letters that wait for their enrollment or for a row that a foreign key requires."""
        return sum(each.reason in PARKED for each in self.dead_letters)

    @property
    def rejected(self) -> int:
        """The number of dead letters that wait for a person."""
        return len(self.dead_letters) - self.parked

    @property
    def reasons(self) -> dict[str, dict[str, int]]:
        """The number of dead letters by reason, under `rejected_reasons` and `parked_reasons`; empty without any."""
        found: dict[str, Counter[str]] = {}
        for each in self.dead_letters:
            kind = "parked_reasons" if each.reason in PARKED else "rejected_reasons"
            found.setdefault(kind, Counter())[str(each.reason)] += 1
        return {kind: dict(number) for kind, number in found.items()}

    @property
    def totals(self) -> Totals:
        """The counts that no table keeps."""
        return Totals(self.superseded, self.dropped)

    @property
    def counts(self) -> dict[str, int]:
        """The counts, by the names used in logs and commands."""
        return {
            "applied": self.applied,
            "repeated": self.repeated,
            "superseded": self.superseded,
            "parked": self.parked,
            "rejected": self.rejected,
            "ignored": self.ignored,
            "deferred": len(self.deferred),
            "dropped_members": self.dropped,
        }

    def __add__(self, other: "Outcome") -> "Outcome":
        """Return the outcome of both."""
        return Outcome(
            self.applied + other.applied,
            self.repeated + other.repeated,
            self.superseded + other.superseded,
            self.dead_letters + other.dead_letters,
            self.deferred + other.deferred,
            self.everything_refused or other.everything_refused,
            self.met_locks or other.met_locks,
            self.recorded + other.recorded,
            self.dropped + other.dropped,
            self.snapshots | other.snapshots,
            self.ignored + other.ignored,
            self.enrolled + other.enrolled,
        )
