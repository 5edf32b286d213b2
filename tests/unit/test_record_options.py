"""Whose records a file has and how they are translated: from options, the connections' file and defaults."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import invoke
from worker.cli.record_options import OF_THE_WORKER, read_record_options
from worker.contract.connection import Connection
from worker.errors import InputError
from worker.settings import get_settings

Options = Callable[..., tuple[str, Connection]]


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Options:
    """Reads options beside a file with the connection `old`."""
    file = tmp_path / "connections.toml"
    file.write_text('[old]\nformat = "csv"\ntimezone = "Asia/Tokyo"\nenrol = "explicit"\n', encoding="utf-8")
    monkeypatch.setenv("PROGRESS_CONNECTIONS", str(file))
    get_settings.cache_clear()

    def options(format_name: Any = None, connection: Any = None, timezone: Any = None, *changes: str) -> Any:
        return read_record_options(format_name, connection, timezone, changes)

    return options


def test_a_connection_has_its_format_and_options_unless_others_are_given(options: Options) -> None:
    old = Connection(name="old", format="csv", timezone="Asia/Tokyo", enrol="explicit")
    assert options(None, "old") == ("csv", old)
    assert options("xapi", "old", "UTC", "packages=lesson", "edx_level = vertical") == (
        "xapi",
        old.model_copy(update={"timezone": "UTC", "packages": "lesson", "edx_level": "vertical"}),
    )
    levelled = options("edx", "old", None, "level=sequential", "infer=true")[1]
    assert (levelled.edx_level, levelled.infer) == ("sequential", True)
    assert options("csv", "new") == ("csv", Connection(name="new"))
    assert options("csv", "new", None, "timezone=Asia/Tokyo")[1].timezone == "Asia/Tokyo"


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (("csv",), "Give --connection NAME"),
        ((None, "new"), "Give --format, one of .*csv.*, or set `format` of connection new in PROGRESS_CONNECTIONS"),
        (("word", "new"), r"--format word: there is no such format; there are .*csv"),
        (("csv", ""), "--connection: A name has 1 to 1,024 bytes"),
        (("csv", "new", "Middle/Earth"), "--timezone: Input should be a name in the tz database"),
        (("csv", "new", None, "timezone"), r"--set timezone: expected KEY=VALUE"),
        (
            ("csv", "new", None, "colour=red"),
            r"--set colour: expected KEY=VALUE with one of the keys timezone, packages",
        ),
        (("csv", "new", None, "name=x"), "--set name: expected"),
        (("csv", "new", None, "=x"), "--set =x: expected KEY=VALUE"),
        (("edx", "new", None, "level=chapter"), "--set edx_level: Input should be 'block', 'vertical' or 'sequential'"),
        (("edx", "new", None, "infer=perhaps"), "--set infer: Input should be a valid boolean"),
        (("csv", "new", None, "packages=all"), "--set packages: Input should be 'course' or 'lesson'"),
        (("csv", "new", None, "enrol=explicit"), "--set enrol: it is the worker that decides this"),
    ],
    ids=str,
)
def test_mistakes_are_sentences_that_name_the_option(options: Options, given: tuple[Any, ...], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        options(*given)


def test_what_the_worker_decides_is_a_member() -> None:
    assert set(Connection.model_fields) > OF_THE_WORKER


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--dry-run"], "need --format and --connection"),
        (["--set", "packages=lesson"], "need --format and --connection"),
        (["--timezone", "UTC"], "need --format and --connection"),
        (["--format", "csv", "--connection", "x", "--json"], "--json needs --dry-run"),
        (
            ["--format", "csv", "--connection", "x", "--dry-run", "--shuffle"],
            "Give only one of --shuffle and --dry-run",
        ),
    ],
    ids=str,
)
def test_options_that_say_nothing_together_are_refused(arguments: list[str], problem: str) -> None:
    result = invoke({}, "publish", "absent", *arguments)
    assert result.exit_code == 2
    assert problem in " ".join(result.stderr.split())
