"""A table of a report as the API answers it."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from worker.reports.table import Kind


class ReportColumn(BaseModel):
    """A column: its name in the rows, with the unit in it, its title for people, and what its values are."""

    name: str
    title: str
    kind: Kind


class ReportTable(BaseModel):
    """A table of a report: what it shows, and its rows by the names of the columns."""

    subject: Literal["course", "learner"]
    id: int
    as_of: datetime | None = Field(description="When the analysis was computed; null where it never was.")
    name: str
    title: str
    description: str
    columns: list[ReportColumn]
    rows: list[dict[str, str | int | float | bool | None]]
