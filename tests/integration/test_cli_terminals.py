"""Every command on a narrow terminal: no id, stream or reason is broken, the key columns stay, and help is not cut."""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from sqlalchemy import Engine

from tests.support.commands import invoke
from tests.support.events import completed, enrolled, entries, outlined, viewed
from tests.support.hosts import RecordingHost
from tests.support.named import named_viewed
from tests.support.rollups import refresh_all
from tests.support.streams import add
from worker.cli.main import main
from worker.client import EventPublisher
from worker.consume.consumer import Consumer
from worker.consume.drain import Drain
from worker.contract.id_ranges import MAX_ID
from worker.progress.ingest import ingest
from worker.settings import Settings, get_settings
from worker.streams.connection import Redis

LARGE, LESSON = MAX_ID - 7, 2**31 - 1
TABLES = {
    "publish --format csv --connection lms --dry-run {file}": ("lesson.completed", "missing_member"),
    "status": ("unknown_enrollment", "invalid_json", "{stream}:0"),
    "summary {id}": ("{id}",),
    "courses": ("{id}",),
    "enrollments --course {id}": ("{id}",),
    "learner {id}": ("{id}", "{lesson}", "in_progress"),
    "learner {id} --lesson 1 {lesson}": ("{id}", "{lesson}"),
    "overview {id}": ("{id}", "{lesson}"),
    "outline show {id}": ("{id}", "{lesson}"),
    "map show": ("user", "topic", "ann", "cm:17"),
    "map show --learner ann": ("ann", "c1"),
    "dead-letters list": ("unknown_enrollment", "invalid_json"),
    "dead-letters show 1": ("{stream}",),
    "system show": ("{stream}:0", "{stream}:7"),
    "config --all": ("PROGRESS_API_BAD_REQUESTS_PER_MINUTE", "{stream}"),
}
"""Each command that prints tables, and the words that stay on every terminal. At 80 columns, streams stay as well."""
NO_TABLES = {
    *("migrate", "drain", "metrics", "audit", "rebuild", "void", "replay", "serve", "asyncapi"),
    *("demo", "up", "report course", "report learner", "outline load", "system adopt", "health live", "health ready"),
    *("map load", "map ignore", "bridge edx-bus"),
    *("dead-letters export", "dead-letters redrive", "dead-letters delete"),
}
WIDE, NARROW = 600, (50, 80, 120)
MEASURED = re.compile(r"[+-]?[\d,]+\.\d+|\d\d:\d\d:\d\d")
"""Ages and clocks: other numbers in each run."""


@pytest.fixture
def names(
    environment: dict[str, str], settings: Settings, redis: Redis, engine: Engine, consumer: Consumer
) -> dict[str, str]:
    """A system in which every table has rows, with ids as large as they get; the names that occur in it."""
    lesson = {"topic_id": 1, "lesson_id": LESSON}
    EventPublisher(settings=settings).publish_many(
        [
            outlined(LARGE, [(1, LESSON, "Fractions and decimals, halves and quarters, part one"), (1, 2, "Next")]),
            enrolled(LARGE, course_id=LARGE),
            viewed(LARGE, **lesson),
            completed(LARGE, **lesson),
            viewed(LARGE, lesson_id=2),
            viewed(16),
            viewed(24),
        ]
    )
    add(redis, settings.stream_key, [b"not JSON"])
    Drain(consumer, RecordingHost(), 0.5).run()
    ingest(engine, entries([named_viewed("ann", "cm:17"), named_viewed("account:https://lms.example.org/|4")]))
    refresh_all(engine)
    assert "invalid_json" in invoke(environment, "dead-letters", "show", "1").output
    file = Path(__file__).parents[1] / "data" / "lms" / "completions.csv"
    return {"id": str(LARGE), "lesson": str(LESSON), "stream": settings.stream_key, "file": str(file)}


def printed(environment: Mapping[str, str], names: Mapping[str, str], command: str, width: int) -> str:
    """What the command prints on a terminal so wide."""
    terminal = {"TTY_COMPATIBLE": "1", "COLUMNS": str(width), "NO_COLOR": "1"}
    # PostgreSQL's address is longer than a narrow terminal.
    short = {"DATABASE_URL": "postgresql://db/lms"} if command.startswith("config") else {}
    result = invoke({**environment, **terminal, **short}, *command.format(**names).split())
    assert result.exit_code == 0, result.output
    assert not result.stderr or "publish" in command  # which shows its progress there
    return result.stdout


def words(text: str) -> set[str]:
    """Its words, without measurements and the note on what was omitted."""
    text = re.sub(r"Not shown at this width: .*?\.$", "", text, flags=re.DOTALL | re.MULTILINE)
    return {word for word in text.split() if re.search(r"\w", word) and not MEASURED.fullmatch(word)}


def test_no_command_breaks_an_id_a_stream_or_a_reason(environment: dict[str, str], names: dict[str, str]) -> None:
    for command, key_words in TABLES.items():
        whole = words(printed(environment, names, command, WIDE))
        addresses = {word for word in whole if "/" in word}
        for width in NARROW:
            text = printed(environment, names, command, width)
            assert max(map(len, text.splitlines())) <= width, f"{command} at {width}:\n{text}"
            broken = {word for word in words(text) - whole if not any(word in address for address in addresses)}
            assert not broken, f"{command} at {width}: {broken}\n{text}"
            wanted = [*key_words, "{stream}"] if width >= 80 and command == "dead-letters list" else key_words
            assert [each for each in wanted if each.format(**names) not in text] == [], f"{command} at {width}:\n{text}"


def commands(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command, groups included, by its name."""
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        yield f"{prefix}{name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix}{name} ")


def test_every_command_that_prints_tables_is_looked_at() -> None:
    known = {re.sub(r"( --.*| \{id\}.*| \d+)+$", "", command) for command in TABLES}
    assert known | NO_TABLES == {name for name, command in commands(main) if not isinstance(command, click.Group)}


@pytest.mark.parametrize("width", NARROW)
def test_no_sentence_of_the_help_is_cut(width: int) -> None:
    for name, command in (("", main), *commands(main)):
        help_ = invoke({"COLUMNS": str(width), "TERM": "xterm"}, *name.split(), "--help").output
        assert not re.search(r"(?<![]D])\.\.\.", help_), f"{name}:\n{help_}"
        if isinstance(command, click.Group):
            for each in command.list_commands(click.Context(command)):
                assert re.search(rf"^  {each}  +\w.*", help_, re.MULTILINE), f"{name}:\n{help_}"


def test_without_utf_8_drawings_are_ascii_and_nothing_fails(environment: dict[str, str], names: dict[str, str]) -> None:
    get_settings.cache_clear()
    for command in TABLES:
        terminal = {"TTY_COMPATIBLE": "1", "COLUMNS": "120", "NO_COLOR": "1", "PYTHONIOENCODING": "ascii"}
        runner = CliRunner(charset="ascii", env={**environment, **terminal})
        result = runner.invoke(main, command.format(**names).split(), catch_exceptions=False)
        assert result.exit_code == 0, result.output
        assert "\\u2" not in result.stdout, f"{command}:\n{result.stdout}"
    assert "#" in runner.invoke(main, ["learner", names["id"]]).stdout, "the bar of a week"


def test_on_a_terminal_in_the_c_locale_python_s_utf_8_is_not_used_for_drawings() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "PYTHON"))}
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "worker.cli.main", "config"]
    with subprocess.Popen(command, env=environment | {"LANG": "C", "TERM": "xterm"}, stdout=theirs) as process:
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # raised at the end
            while part := os.read(ours, 4_096):
                shown += part
        assert process.wait(30) == 0
    os.close(ours)
    assert b"PROGRESS_LOG_LEVEL" in shown
    assert b"---" in shown
    assert b", ..." in shown, "append :0, :1, and more"
    assert shown.isascii()


def test_neither_a_pipe_nor_no_color_gets_control_characters(
    environment: dict[str, str], names: dict[str, str]
) -> None:
    for command in TABLES:
        assert "\x1b" not in printed(environment, names, command, 80)
        assert "\x1b" not in invoke(environment, *command.format(**names).split()).stdout
