"""The lists of tables that people read name every table."""

import re
from pathlib import Path

from worker.database import models

RIGHTS = Path(__file__).parents[2] / "docs" / "how-to" / "tls-and-least-rights.md"
TABLES = set(models.Base.metadata.tables)


def test_the_map_has_one_row_per_table() -> None:
    named = re.findall(r"^\| `(\w+)` ", str(models.__doc__), re.MULTILINE)
    assert sorted(named) == sorted(TABLES)


def test_the_documented_rights_cover_every_table() -> None:
    grants = re.findall(r"^GRANT SELECT.* ON (.+) TO progress_worker;", RIGHTS.read_text("utf-8"), re.MULTILINE)
    assert {name for grant in grants for name in grant.split(", ")} == TABLES | {"progress_alembic_version"}
