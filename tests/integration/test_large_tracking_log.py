"""Half a million lines of a tracking log, one of them torn: all are translated, in memory that does not grow."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.tracking import COURSE, HTML, logged, tracked

pytestmark = [pytest.mark.second_tier, pytest.mark.timeout(300)]

LINES = 500_000
OPTIONS = ("--format", "edx", "--connection", "edx", "--dry-run")
PROGRAM = (
    "import sys; from worker.cli.main import main\n"
    "try: main(sys.argv[1:])\n"
    "except SystemExit as end: assert not end.code\n"
    "print(open('/proc/self/status').read().partition('VmHWM:')[2].split()[0])"
)
PREFIX = "2024-03-04 10:30:00,123 INFO 17 [tracking] [user 4] [ip 192.0.2.7] logger.py:41 - "
URL = f"/courses/{COURSE}/xblock/{HTML}/handler/xmodule_handler/goto_position"
PARTS = [
    *[(URL, {"GET": {}, "POST": {"position": ["2"]}}, True)] * 12,  # about the share of a real log
    ("edx.completion.block_completion.changed", {"user_id": 4, "block_id": HTML, "completion": 1.0}, False),
    ("play_video", {"id": "0b9e39477cf34507a7a48f74be381fdd", "currentTime": 0.5}, True),
]


def lines(count: int) -> Iterator[bytes]:
    """Each at a time of its own; the middle one is cut off within, as when the disk was full for a moment."""
    forms: list[list[bytes]] = []
    for name, data, in_text in PARTS:
        form = json.dumps(logged(tracked(name, data, timestamp="TIME"), in_text=in_text))
        forms.append((PREFIX + form).encode().split(b"TIME"))
    for number in range(count):
        before, after = forms[number % len(forms)]
        seconds, micros = divmod(number * 997, 10**6)
        line = before + b"2024-03-04T10:%02d:%02d.%06d+00:00" % (seconds // 60, seconds % 60, micros) + after
        yield (line[:400] if number == count // 2 else line) + b"\n"


def translate(count: int) -> tuple[dict[str, int], int]:
    """What the closing table counts, and the peak of the process's memory, in KB."""
    command = [sys.executable, "-c", PROGRAM, "publish", "-", *OPTIONS]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.writelines(lines(count))
        process.stdin.close()
        output = process.stdout.read().decode()
    assert process.returncode == 0, output
    cells = [line.split() for line in output.splitlines()]
    counts = {
        cell[1]: int(cell[2].replace(",", "")) for cell in cells if cell[:1] in (["event"], ["ignored"], ["rejected"])
    }
    return counts, int(output.split()[-1])


def test_a_torn_line_in_the_middle_stops_nothing_and_memory_stays_flat() -> None:
    _, small = translate(LINES // 20)
    counts, large = translate(LINES)
    each = LINES // len(PARTS)
    assert counts.pop("not_json") == 1
    assert sum(counts.values()) == LINES - 1
    assert abs(counts["event_type"] - 12 * each) <= 12
    assert abs(counts["lesson.completed"] - each) <= 1
    assert abs(counts["lesson.viewed"] - each) <= 1
    assert large - small < 5_000, "the longer log has some 350 MB more"
