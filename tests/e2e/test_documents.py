"""The README and the how-tos hold: their blocks run in fresh shells of a user without privileges, in a clone whose path
has a space, installed by `make install`, on a system that the documents themselves start.
"""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.documents import Block, Terminal, blocks_of, is_shown
from tests.support.other_user import IS_ROOT, OTHER
from tests.support.wait import wait_until

pytestmark = pytest.mark.second_tier

ROOT = Path(__file__).parents[2]
DOCUMENTS = [Path("README.md"), *sorted(path.relative_to(ROOT) for path in (ROOT / "docs" / "how-to").glob("*.md"))]
API_PORT = 8_000


def runnable(name: Path) -> list[Block]:
    blocks = blocks_of((ROOT / name).read_text(encoding="utf-8"))
    return [block for block in blocks if "not-run" not in block.marks]


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """The home of a newcomer, who is another user than root."""
    folder = Path(tempfile.mkdtemp(prefix="a newcomer "))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def newcomer(home: Path) -> dict[str, Any]:
    """How the newcomer's processes are started: in the clone, with nothing in the environment but home and path.

    Added is only what says how this host reaches packages, and where an `up` of this test keeps its data.
    """
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", API_PORT)) == 0:
            pytest.skip(f"port {API_PORT}, which the documents name, is in use")
    path = "/usr/local/bin:/usr/bin:/bin" if IS_ROOT else os.environ["PATH"]  # root's may lead to its own home
    version = subprocess.run(
        ["python3", "-c", "import sys, venv, ensurepip; print(sys.version_info >= (3, 11))"],
        env={"PATH": path},
        capture_output=True,
        check=False,
    )
    if version.stdout != b"True\n":
        pytest.skip(f"no python3 from 3.11 on with venv in {path}")
    given = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    environment = {"HOME": str(home), "PATH": path, "PROGRESS_EMBEDDED_DIRECTORY": str(home / "up")} | given
    user: dict[str, Any] = {"user": OTHER, "group": OTHER, "extra_groups": []} if IS_ROOT else {}
    return {"env": environment, "cwd": clone(home), **user}


def clone(home: Path) -> Path:
    """Copy what is or will be committed."""
    folder = home / "course progress"
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in names.split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    if IS_ROOT:
        for path in (home, *home.rglob("*")):
            os.chown(path, OTHER, OTHER)
    return folder


@pytest.fixture(scope="module")
def installed(home: Path, newcomer: dict[str, Any]) -> dict[str, Any]:
    """A newcomer who has done what every document begins with."""
    with closing(Terminal(home / "installation", **newcomer)) as terminal:
        printed = terminal.run(Block("sh", {}, "make install\n", 0))
    assert "  . .venv/bin/activate\n  progress-worker up\n" in printed
    return newcomer


@pytest.mark.timeout(1_200)  # with the installation
@pytest.mark.parametrize("name", [name for name in DOCUMENTS if runnable(name)], ids=str)
def test_every_block_of_a_document_runs(name: Path, home: Path, installed: dict[str, Any]) -> None:
    blocks = runnable(name)
    with ExitStack() as terminals:

        def open_terminal(number: int) -> Terminal:
            return terminals.enter_context(closing(Terminal(home / f"{name.stem} {number}", **installed)))

        terminal = open_terminal(0)
        for number, block in enumerate(blocks, 1):
            if "ready" in block.marks:
                terminal.start(block)
                terminal = open_terminal(number)
            elif "retry" in block.marks:
                wait_until(partial(prints_what_is_shown, terminal, block), 60, f"what line {block.line} shows")
            else:
                assert prints_what_is_shown(terminal, block), (
                    f"not what line {block.line} shows: {terminal.log.read_text()}"
                )


def prints_what_is_shown(terminal: Terminal, block: Block) -> bool:
    printed = terminal.run(block)
    return block.expected is None or is_shown(block.expected, printed)
