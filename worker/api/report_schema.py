"""API schema of a report's table."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from worker.reports.table import Kind


class ReportColumn(BaseModel):
    """A column: its name in the rows, which includes the unit, its title for people, and the kind of its values."""

    name: str
    title: str
    kind: Kind


class ReportTable(BaseModel):
    """A table of a report; rows have their values by column name."""

    subject: Literal["course", "learner"]
    id: int
    as_of: datetime | None = Field(description="When the activity was computed; null if never.")
    name: str
    title: str
    description: str
    columns: list[ReportColumn]
    rows: list[dict[str, str | int | float | bool | None]]
