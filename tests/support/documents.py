"""The fenced blocks of a Markdown document, and a terminal that runs them as a reader would.

What a fence says after its language:

| fence              | meaning                                                                     |
|--------------------|-----------------------------------------------------------------------------|
| sh, python         | runs in the reader's terminal                                               |
| … ready="TEXT"     | keeps running; once it has printed TEXT, the reader goes on in another terminal |
| … retry            | reads what a worker is still recording: repeated until it shows what follows |
| … not-run="REASON" | is not run by the test                                                      |
| text               | what the block before it prints; … stands for anything                      |
"""

import os
import re
import shlex
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.wait import wait_until

FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
RATES = re.compile(r"[\d,.]+(?= s\b| a second)|(?<=events/s )[\d,]+")
SECONDS = 300


@dataclass
class Block:
    """A block that can be run, and the output that the document shows for it."""

    language: str
    marks: dict[str, str]
    text: str
    line: int
    expected: str | None = None


def blocks_of(document: str) -> list[Block]:
    """Return the blocks in sh and python, in order."""
    blocks: list[Block] = []
    end = 0
    for fence in FENCE.finditer(document):
        language, info, text = fence.groups()
        marks = dict(part.partition("=")[::2] for part in shlex.split(info))
        if language in {"sh", "python"}:
            blocks.append(Block(language, marks, text, document.count("\n", 0, fence.start()) + 1))
            end = fence.end()
        elif language == "text" and blocks and "```" not in document[end : fence.start()]:
            blocks[-1].expected = text
    return blocks


def is_shown(expected: str, output: str) -> bool:
    """Return whether the output is what the document shows, apart from spaces and rates."""

    def plain(text: str) -> str:
        return RATES.sub("N", " ".join(text.split()))

    pattern = re.escape(plain(expected)).replace("…", ".*")
    return re.fullmatch(pattern, plain(output)) is not None


class Terminal:
    """A bash that reads no profile; everything it prints is in one file."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder
        self.log = folder / "output"
        folder.mkdir()
        folder.chmod(0o755)
        self._blocks = 0
        with self.log.open("wb") as output:
            self._bash = subprocess.Popen(
                ["bash", "-e", "-o", "pipefail"],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **options,
            )

    def run(self, block: Block) -> str:
        """Run a block in this shell until all of it has succeeded; return what it printed."""
        before, end = len(self._printed()), f"-- end of block {self._blocks} --"
        self._enter(block, f"echo '{end}'")
        self._wait_for(end, before, block)
        return self._printed()[before:].partition(end)[0]

    def start(self, block: Block) -> None:
        """Run a block that keeps running, until it is ready."""
        before = len(self._printed())
        self._enter(block, "exit 1")
        self._wait_for(block.marks["ready"], before, block)

    def close(self) -> None:
        """Do as Ctrl-C."""
        for number, seconds in ((signal.SIGINT, 40), (signal.SIGKILL, 10)):
            try:
                os.killpg(self._bash.pid, number)
                self._bash.wait(seconds)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
        self._bash.wait()
        assert self._bash.stdin is not None
        self._bash.stdin.close()

    def _enter(self, block: Block, afterwards: str) -> None:
        script = self.folder / f"block-{self._blocks}"
        self._blocks += 1
        script.write_text(block.text, encoding="utf-8")
        script.chmod(0o644)
        path = shlex.quote(str(script))
        line = f"python {path} < /dev/null" if block.language == "python" else f". {path} < /dev/null"
        if "retry" in block.marks:
            line += " || true"  # what it prints decides
        assert self._bash.stdin is not None
        self._bash.stdin.write(f"{line}\n{afterwards}\n".encode())
        self._bash.stdin.flush()

    def _printed(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def _wait_for(self, text: str, before: int, block: Block) -> None:
        def is_printed() -> bool:
            ended, printed = self._bash.poll() is not None, self._printed()[before:]
            assert text in printed or not ended, f"line {block.line}:\n{block.text}\nprinted\n{printed}"
            return text in printed

        wait_until(is_printed, SECONDS, f"{text!r} of line {block.line}")
