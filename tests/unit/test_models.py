"""The map of the tables names every table."""

import re

from worker.database import models


def test_the_map_has_one_row_per_table() -> None:
    named = re.findall(r"^\| `(\w+)` ", str(models.__doc__), re.MULTILINE)
    assert sorted(named) == sorted(models.Base.metadata.tables)
