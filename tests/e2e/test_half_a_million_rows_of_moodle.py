"""Half a million rows of Moodle's log: translated at some speed, in memory that does not grow, past torn rows."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.second_tier, pytest.mark.timeout(600)]

NAMES = [
    *("\\mod_page\\event\\course_module_viewed", "\\core\\event\\course_module_completion_updated"),
    *("\\core\\event\\course_viewed", "\\mod_quiz\\event\\attempt_submitted", "\\core\\event\\user_loggedin"),
]
HEADER = (
    "id,eventname,component,action,target,objecttable,objectid,crud,edulevel,contextid,contextlevel,contextinstanceid,"
    "userid,courseid,relateduserid,anonymous,other,timecreated,origin,ip,realuserid\n"
)
COMMAND = """
import atexit, runpy
atexit.register(lambda: print(*(line for line in open("/proc/self/status") if line.startswith("VmHWM"))))
runpy.run_module("worker.cli.main", run_name="__main__")
"""
"""The command line, which tells at its end how much memory it had: a child's usage would include its parent's."""
ROWS = 500_000
MIN_ROWS_A_SECOND = 3_000
"""It is six times as fast on an idle core."""
MAX_GROWTH = 1.15


def lines(count: int) -> Iterator[str]:
    """One of five rows is a view, one a completion; every 50,000th is torn."""
    yield HEADER
    for number in range(count):
        kind, user = number % 5, number // 5 % 5_000 + 2
        other = f'"{{""relateduserid"":{user},""overrideby"":null,""completionstate"":1}}"' if kind == 1 else "N;"
        torn = '"' if number % 50_000 == 49_999 else ""
        yield (
            f"{number},{torn}{NAMES[kind]},core,viewed,course_module,page,{number % 700},r,2,{number % 900},70,"
            f"{number % 300 + 1},{user},{number % 20 + 2},{user if kind == 1 else ''},0,{other},"
            f"{1_700_000_000 + number * 30},web,192.0.2.1,\n"
        )


def dry_run(file: Path) -> tuple[str, float, int]:
    """What it prints, its seconds, and the most memory it had, in KiB."""
    arguments = ["publish", str(file), "--format", "moodle", "--connection", "m", "--dry-run"]
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", COMMAND, *arguments], capture_output=True, text=True, check=True)
    return done.stdout, time.monotonic() - started, int(done.stdout.split()[-2])


def test_rows_a_second_and_memory(tmp_path: Path) -> None:
    few, many = tmp_path / "few.csv", tmp_path / "many.csv"
    for file, count in ((few, ROWS // 10), (many, ROWS)):
        with file.open("w", encoding="utf-8") as output:
            output.writelines(lines(count))
    _, _, before = dry_run(few)
    printed, seconds, after = dry_run(many)
    lines_of_outcomes = [line.split() for line in printed.splitlines() if re.match(r" (event|ignored|rejected) ", line)]
    counts = {(outcome, what): count for outcome, what, count, _ in lines_of_outcomes}
    assert counts == {
        ("event", "lesson.viewed"): "100,000",
        ("event", "lesson.completed"): "100,000",
        ("ignored", "event_type"): "299,990",
        ("rejected", "bad_row"): "10",
    }
    print(f"{ROWS / seconds:,.0f} rows a second; {before:,} KiB for {ROWS // 10:,} rows, {after:,} KiB for {ROWS:,}")
    assert seconds < ROWS / MIN_ROWS_A_SECOND
    assert after < before * MAX_GROWTH
