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
    as_of: datetime | None = Field(
        description="Everything recorded before this instant is included; null if the activity was never computed."
    )
    pending: int = Field(description="Number of enrollments with changes that are not included yet.", ge=0)
    name: str
    title: str
    description: str
    columns: list[ReportColumn]
    rows: list[dict[str, str | int | float | bool | None]]
