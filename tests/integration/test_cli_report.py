"""`report` writes a page, CSV or JSON of what is stored: where it is told to, all of it or nothing."""

import csv
import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.support.commands import invoke
from tests.support.events import completed, enrolled, entries, outlined, viewed
from tests.support.rollups import refresh_all
from worker.progress.ingest import ingest
from worker.reports import page

OUTLINE = [(1, 1, "=One"), (1, 2, "Two <b>"), (2, 3, "Three")]
SUBJECTS = [("course", "3"), ("learner", "5")]
every_subject = pytest.mark.parametrize(("subject", "identity"), SUBJECTS)


@pytest.fixture(autouse=True)
def _recorded(engine: Engine) -> None:
    """Enrollment 5 of course 3 completed a lesson in ten measured minutes, and 5 and 6 opened another."""
    now = datetime.now(UTC)
    again = [viewed(key, 1, 2, time=now - timedelta(days=day)) for key, day in ((5, 2), (5, 1), (5, 0), (6, 1))]
    done = completed(5, 1, 1, time=now - timedelta(days=9), duration_seconds=600)
    enrollments = [enrolled(5, course_id=3), enrolled(6, course_id=3)]
    ingest(engine, entries([outlined(3, OUTLINE), *enrollments, done, *again]))
    refresh_all(engine)


def _timeless(page: str) -> str:
    """Without the moment it was read at."""
    return re.sub(r"As of <time.*?</time>|, as of [^.<]*", "", page)


@every_subject
def test_a_page_is_written_where_one_stands_and_its_path_printed(
    environment: dict[str, str], subject: str, identity: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke(environment, "report", subject, identity)
    assert (result.exit_code, result.stdout) == (0, f"{subject}-{identity}.html\n"), result.output
    assert [each.name for each in tmp_path.iterdir()] == [f"{subject}-{identity}.html"]
    written = Path(result.stdout.strip()).read_text(encoding="utf-8")
    assert written.startswith("<!doctype html>")
    assert "Two &lt;b&gt;" in written
    again = invoke(environment, "report", subject, identity, "--output", "-").stdout
    assert _timeless(written) == _timeless(again) != again


@every_subject
def test_csv_and_json_have_the_same_rows(environment: dict[str, str], subject: str, identity: str) -> None:
    everything = json.loads(invoke(environment, "report", subject, identity, "--format", "json").stdout)
    assert (everything["subject"], everything["id"]) == (subject, int(identity))
    assert everything["as_of"].endswith("Z")
    for table in everything["tables"]:
        one = ("report", subject, identity, "--table", table["name"])
        exported = json.loads(invoke(environment, *one, "--format", "json").stdout)
        read = list(csv.DictReader(StringIO(invoke(environment, *one, "--format", "csv").stdout)))
        assert len(read) == len(exported["rows"]) == len(table["rows"])
        assert {name for row in read for name in row} <= {column["name"] for column in table["columns"]}


def test_the_tables_have_what_happened(environment: dict[str, str]) -> None:
    course = _rows(environment, "course", "3", "lessons")
    assert [(each["title"], each["started"], each["completed"]) for each in course] == [
        ("=One", 1, 1),
        ("Two <b>", 2, 0),
        ("Three", 0, 0),
    ]
    assert [each["stopped"] for each in _rows(environment, "course", "3", "blockers")] == [0, 2, 0]
    learner = _rows(environment, "learner", "5", "lessons")
    assert [(each["title"], each["spent_seconds"], each["visits"]) for each in learner] == [
        ("=One", 600, 1),
        ("Two <b>", 0, 3),
    ]
    exported = invoke(environment, "report", "learner", "5", "--format", "csv", "--table", "lessons").stdout
    assert "'=One" in exported
    command = ("report", "learner", "5", "--format", "csv", "--table", "lessons", "--excel")
    assert invoke(environment, *command).stdout_bytes == b"\xef\xbb\xbf" + exported.encode().replace(b"\n", b"\r\n")


def _rows(environment: dict[str, str], subject: str, identity: str, table: str) -> list[dict[str, object]]:
    result = invoke(environment, "report", subject, identity, "--format", "json", "--table", table)
    found: list[dict[str, object]] = json.loads(result.stdout)["rows"]
    return found


def test_a_file_that_is_there_is_replaced_whole_and_keeps_nothing_of_a_failure(
    environment: dict[str, str], tmp_path: Path
) -> None:
    target = tmp_path / "days.csv"
    target.write_text("old" * 10_000)
    ordinary = target.stat().st_mode
    arguments = ("report", "learner", "5", "--format", "csv", "--table", "days", "--output", str(target))
    assert invoke(environment, *arguments).stdout == f"{target}\n"
    assert len(list(csv.reader(StringIO(target.read_text())))) == 29
    assert target.stat().st_mode == ordinary

    for missing in (tmp_path / "nowhere" / "x.csv", tmp_path):
        result = invoke(environment, *arguments[:-1], str(missing))
        assert result.exit_code == 1
        assert result.stderr.startswith(f"Error: Cannot write '{missing}': ")
    assert [each.name for each in tmp_path.iterdir()] == ["days.csv"]


def test_what_is_no_regular_file_is_written_to_and_a_link_and_a_mode_are_kept(
    environment: dict[str, str], tmp_path: Path
) -> None:
    arguments = ("report", "learner", "5", "--format", "csv", "--table", "days", "--output")
    private, link, pipe = tmp_path / "private.csv", tmp_path / "link.csv", tmp_path / "pipe"
    private.write_text("old")
    private.chmod(0o600)
    link.symlink_to(private)
    assert invoke(environment, *arguments, str(link)).exit_code == 0
    assert link.is_symlink()
    assert private.stat().st_mode & 0o777 == 0o600
    assert private.read_text().startswith("day,")

    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert invoke(environment, *arguments, str(pipe)).exit_code == 0
    assert pipe.is_fifo()
    assert os.read(reader, 4) == b"day,"
    os.close(reader)


def test_a_full_disk_is_told_in_a_sentence(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "worker.cli.main", "report", "learner", "5", "--output", "-"]
    with Path("/dev/full").open("wb") as full:
        said = subprocess.run(command, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (said.returncode, said.stderr) == (1, "Error: Cannot write: No space left on device.\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--format", "csv"], "choose it with --table, one of headline, "),
        (["--excel"], "--excel needs --format csv"),
        (["--format", "csv", "--table", "grades"], "no table 'grades'; it has headline, "),
        (["--table", "hours"], "omit --table"),
    ],
)
@every_subject
def test_a_mistake_is_told_and_nothing_written(
    environment: dict[str, str],
    subject: str,
    identity: str,
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke(environment, "report", subject, identity, *arguments)
    assert (result.exit_code, result.stdout, list(tmp_path.iterdir())) == (1, "", [])
    assert words in result.stderr


@every_subject
def test_without_the_extra_only_the_page_is_missing(
    environment: dict[str, str], subject: str, identity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    page._environment.cache_clear()
    result = invoke(environment, "report", subject, identity)
    assert result.exit_code == 1
    assert "pip install 'course-progress-worker[report]'" in result.stderr
    assert invoke(environment, "report", subject, identity, "--format", "json").exit_code == 0


def test_what_is_not_there_is_told_so(environment: dict[str, str]) -> None:
    for subject in ("course", "learner"):
        result = invoke(environment, "report", subject, "404", "--output", "-")
        assert (result.exit_code, "404" in result.stderr) == (1, True)
