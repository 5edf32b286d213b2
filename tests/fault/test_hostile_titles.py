"""An LMS sends titles that a spreadsheet would take for formulas: every export of the course disarms them."""

import csv
from datetime import UTC, datetime
from io import StringIO

import pytest
from sqlalchemy import Engine

from tests.support.api import served
from tests.support.commands import invoke
from tests.support.events import completed, enrolled, entries, outlined
from tests.support.rollups import refresh_all
from worker.progress.ingest import ingest
from worker.settings import Settings

TITLES = [
    "=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", "\nplain", "\uff1d1+1", "\uff0b1", "\uff0d1", "\uff20x",
    " =1", "\xa0=1", "\u200b=1", "\ufeff=1", '"=1', "'=1", "\u201c=1", "\u3000\uff1d1",
]  # fmt: skip


@pytest.mark.parametrize("subject", ["course", "learner"])
def test_each_has_an_apostrophe_before_it(
    engine: Engine, settings: Settings, environment: dict[str, str], subject: str
) -> None:
    outline = outlined(3, [(1, number, title) for number, title in enumerate(TITLES, 1)])
    done = [completed(3, 1, number, time=datetime.now(UTC)) for number, _ in enumerate(TITLES, 1)]
    ingest(engine, entries([outline, enrolled(3, course_id=3), *done]))
    refresh_all(engine)
    printed = invoke(environment, "report", subject, "3", "--format", "csv", "--table", "lessons").stdout_bytes
    with served(settings) as client:
        answered = client.get(f"/reports/{subject}/3/lessons.csv").content
    for exported in (printed, answered):
        shown = [row["title"] for row in csv.DictReader(StringIO(exported.decode(), newline=""))]
        assert [title[0] for title in shown] == ["'"] * len(TITLES)
        assert [title.replace("'", "") for title in shown] == [title.replace("'", "") for title in TITLES]
