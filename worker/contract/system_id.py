"""Which system a database is: what is written beside the streams that belong to it."""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class System:
    """A random id made by the migration, and what tells a copy of the database from the original."""

    id: str
    cluster: str
    """PostgreSQL's system identifier; empty where the role may not ask for it."""
    database: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """From the text beside a stream, whatever it is."""
        parts = [*text.split("/", 2), "", ""]
        return cls(parts[0], parts[1], parts[2])

    def __str__(self) -> str:
        """The text beside a stream."""
        return f"{self.id}/{self.cluster}/{self.database}"

    def is_same(self, other: Self) -> bool:
        """Both name one database. Where one does not know its cluster, id and name decide."""
        clusters = {self.cluster, other.cluster} - {""}
        return (self.id, self.database) == (other.id, other.database) and len(clusters) < 2
