"""The file of connections: what it may say, and the sentences for its mistakes."""

from pathlib import Path
from typing import get_args

import pytest

from tests.support.commands import invoke
from worker.adapters.formats import FORMATS
from worker.connections import read_connections
from worker.contract.connection import Connection, RecordFormat
from worker.errors import ConfigurationError

MEMBERS = f"but only {', '.join(name for name in Connection.model_fields if name != 'name')}\\."
MISTAKES = {
    '[moodle]\ntimezone = "Berlin"': r"\[moodle\] timezone: Input should be a name in the tz database",
    '[moodle]\nformat = "scorm"': r"\[moodle\] format: Input should be 'xapi', 'edx'",
    '[moodle]\nname = "canvas"': rf"\[moodle\] has no member name, {MEMBERS} The table's title is",
    '[moodle]\ncolour = "red"': rf"\[moodle\] has no member colour, {MEMBERS}",
    '[lms.example.org]\nformat = "xapi"': rf"\[lms\] has no member example, {MEMBERS} .* in quotes: \[\"lms.example.or",
    'timezone = "UTC"': r"timezone is not a table. Write \[timezone\] above it",
    "[moodle": "is not TOML",
}


def file_with(content: str, tmp_path: Path) -> Path:
    (file := tmp_path / "connections.toml").write_text(content, encoding="utf-8")
    return file


@pytest.mark.parametrize("content", MISTAKES)
def test_a_mistake_is_a_sentence_that_says_where_it_is(content: str, tmp_path: Path) -> None:
    file = file_with(content, tmp_path)
    with pytest.raises(ConfigurationError, match=MISTAKES[content]) as refused:
        read_connections(file)
    assert str(refused.value).startswith(f"PROGRESS_CONNECTIONS: {file}")


def test_the_title_of_a_table_is_the_name(tmp_path: Path) -> None:
    file = file_with('["lms.example.org"]\nformat = "csv"', tmp_path)
    assert read_connections(file) == {"lms.example.org": Connection(name="lms.example.org", format="csv")}


def test_a_connection_may_have_every_format_that_there_is() -> None:
    assert get_args(RecordFormat) == tuple(FORMATS)


@pytest.mark.parametrize("command", ["up", "drain", "status", "health ready", "demo"])
def test_commands_of_a_system_refuse_to_start_with_the_sentence(command: str, tmp_path: Path) -> None:
    file = file_with('[moodle]\ntimezone = "Berlin"', tmp_path)
    servers = {"DATABASE_URL": "postgresql://nowhere.invalid/x", "REDIS_URL": "redis://nowhere.invalid"}
    refused = invoke({**servers, "PROGRESS_CONNECTIONS": str(file)}, *command.split())
    assert refused.exit_code == 1
    [line] = refused.stderr.splitlines()
    assert line.startswith(f"Error: PROGRESS_CONNECTIONS: {file}: [moodle] timezone: ")
