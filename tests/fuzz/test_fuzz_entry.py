"""A fuzzer led by coverage finds no bytes that break the parsing of an entry; `fuzz_entry.py` says what it holds."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.property.test_any_bytes import HOSTILE, SEEDS
from tests.support.events import body

FOLDER = Path(__file__).parent
SECONDS = 5

pytestmark = [
    pytest.mark.second_tier,
    pytest.mark.skipif(find_spec("atheris") is None, reason="atheris has no wheel for this Python or system"),
]


def fuzz(directory: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the fuzzer in this folder, where it leaves the input that broke something."""
    return subprocess.run(
        [sys.executable, str(FOLDER / "fuzz_entry.py"), f"-dict={FOLDER / 'dictionary.txt'}", *map(str, arguments)],
        cwd=directory,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=SECONDS + 60,
        check=False,
    )


def test_five_seconds_of_fuzzing_break_nothing(tmp_path: Path) -> None:
    seeds = tmp_path / "seeds"
    seeds.mkdir()
    for number, content in enumerate([*map(body, SEEDS), *HOSTILE.values()]):
        (seeds / str(number)).write_bytes(content[:4_096])
    finished = fuzz(tmp_path, f"-max_total_time={SECONDS}", "-timeout=10", seeds)
    assert finished.returncode == 0, finished.stderr[-4_000:]
    assert "DONE" in finished.stderr
