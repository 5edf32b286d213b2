"""What became of a batch."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from worker.domain.entry import Entry, Reason
from worker.storage.dead_letter import Letter

Held = tuple[str, int]
"""What an entry waits for: an `enrollment` or a `course` that somebody keeps locked, and its id; or REFUSED."""

REFUSED: Held = ("everything", 0)
"""PostgreSQL refused everything with one message, so whether it was for the entry's sake is undecided."""


@dataclass(slots=True)
class Outcome:
    """Every entry of a batch is exactly one of applied, repeated, set aside as a letter or deferred.

    A lesson event or correction that was there already is repeated; enrolments and outlines always count as applied.
    """

    applied: int = 0
    repeated: int = 0
    letters: list[Letter] = field(default_factory=list)
    deferred: list[tuple[Entry, Held]] = field(default_factory=list)
    """Left as they were, to be tried again."""
    everything_refused: str = ""
    """The message with which PostgreSQL refused all that it was asked to record; empty when it did not."""
    met_locks: bool = False
    """Some were held by locks that only waiting shows: rows of progress, or what an enrollment refers to."""
    recorded: int = 0
    """Events that are new in the ledger."""
    enrolled: list[int] = field(default_factory=list)
    """Enrolments that the batch created: what was parked for them can be applied now."""

    def settled(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Those of the batch's entries that may be acknowledged: all but the deferred ones."""
        if not self.deferred:
            return entries
        left = {entry for entry, _ in self.deferred}
        return [entry for entry in entries if entry not in left]

    @property
    def parked(self) -> int:
        """Letters that wait for their enrolment."""
        return sum(letter.reason is Reason.UNKNOWN_ENROLLMENT for letter in self.letters)

    @property
    def rejected(self) -> int:
        """Letters that wait for a person."""
        return len(self.letters) - self.parked

    @property
    def counts(self) -> dict[str, int]:
        """The figures, by the names that logs and commands use."""
        return {
            "applied": self.applied,
            "repeated": self.repeated,
            "parked": self.parked,
            "rejected": self.rejected,
            "deferred": len(self.deferred),
        }

    def __add__(self, other: "Outcome") -> "Outcome":
        """The outcome of both."""
        return Outcome(
            self.applied + other.applied,
            self.repeated + other.repeated,
            self.letters + other.letters,
            self.deferred + other.deferred,
            self.everything_refused or other.everything_refused,
            self.met_locks or other.met_locks,
            self.recorded + other.recorded,
            self.enrolled + other.enrolled,
        )
