"""The identity of a database, also stored in Redis next to the streams that belong to it."""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class System:
    """A random id from the migration, and what distinguishes a copy of the database from the original."""

    id: str
    cluster: str
    """PostgreSQL's system identifier; empty if the role may not read it."""
    database: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse the text in Redis. Accepts any text."""
        parts = [*text.split("/", 2), "", ""]
        return cls(parts[0], parts[1], parts[2])

    def __str__(self) -> str:
        """The text stored in Redis."""
        return f"{self.id}/{self.cluster}/{self.database}"

    def is_same(self, other: Self) -> bool:
        """Return whether both are the same database. An empty cluster matches any."""
        clusters = {self.cluster, other.cluster} - {""}
        return (self.id, self.database) == (other.id, other.database) and len(clusters) < 2
