"""What became of a batch."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from worker.contract.entry import Entry, Reason
from worker.contract.fast_path import Target
from worker.contract.totals import Totals
from worker.progress.dead_letters import DeadLetter
from worker.progress.reference import Recorded

REFUSED: Target = ("everything", 0)
"""What an entry waits for while PostgreSQL refuses everything with one message, so that the cause is undecided."""


@dataclass(slots=True)
class Outcome:
    """Every entry of a batch is exactly one of applied, repeated, superseded, set aside as a letter or deferred.

    What was there already is repeated; an older enrollment or outline than the known one is superseded.
    """

    applied: int = 0
    repeated: int = 0
    superseded: int = 0
    dead_letters: list[DeadLetter] = field(default_factory=list)
    deferred: list[tuple[Entry, Target]] = field(default_factory=list)
    """Left as they were, to be tried again."""
    everything_refused: str = ""
    """The message with which PostgreSQL refused all that it was asked to record; empty when it did not."""
    met_locks: bool = False
    """Some were held by locks that only waiting shows: rows of progress, or what an enrollment refers to."""
    recorded: int = 0
    """Events that are new in the ledger."""
    dropped: int = 0
    """Optional members that were not valid; their events count without them."""
    snapshots: dict[Entry, Recorded] = field(default_factory=dict)
    """What became of each enrollment and outline."""
    enrolled: list[int] = field(default_factory=list)
    """Enrollments that the batch created: what was parked for them can be applied now."""

    def settled(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Those of the batch's entries that may be acknowledged: all but the deferred ones."""
        if not self.deferred:
            return entries
        left = {entry for entry, _ in self.deferred}
        return [entry for entry in entries if entry not in left]

    @property
    def parked(self) -> int:
        """Letters that wait for their enrollment, or an enrollment that waits for what it refers to."""
        return sum(
            letter.reason in {Reason.UNKNOWN_ENROLLMENT, Reason.UNKNOWN_REFERENCE} for letter in self.dead_letters
        )

    @property
    def rejected(self) -> int:
        """Letters that wait for a person."""
        return len(self.dead_letters) - self.parked

    @property
    def totals(self) -> Totals:
        """What is counted beside the tables."""
        return Totals(self.superseded, self.dropped)

    @property
    def counts(self) -> dict[str, int]:
        """The figures, by the names that logs and commands use."""
        return {
            "applied": self.applied,
            "repeated": self.repeated,
            "superseded": self.superseded,
            "parked": self.parked,
            "rejected": self.rejected,
            "deferred": len(self.deferred),
            "dropped_members": self.dropped,
        }

    def __add__(self, other: "Outcome") -> "Outcome":
        """The outcome of both."""
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
            self.enrolled + other.enrolled,
        )
