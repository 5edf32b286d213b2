"""A user's mistake gets a sentence that names the thing and the next step, on standard error, and exit status 1."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import invoke
from worker import running_up
from worker.running_up import RunningUp, publish

GOOD = {"DATABASE_URL": "postgresql://lms:secret@localhost:1/x", "REDIS_URL": "redis://:secret@localhost:1/0"}


@pytest.fixture(autouse=True)
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No `up` of a developer is found from here."""
    monkeypatch.setattr(running_up, "private_directory", lambda: tmp_path / "base")
    return tmp_path / "base"


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        (["status"], "DATABASE_URL and REDIS_URL"),
        (["drain"], "DATABASE_URL and REDIS_URL"),
        (["migrate"], "DATABASE_URL"),
        (["summary", "1"], "DATABASE_URL"),
        (["publish", "x"], "REDIS_URL"),
    ],
)
def test_without_servers_a_sentence_says_what_to_set_or_start(command: list[str], missing: str) -> None:
    result = invoke({}, *command)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith(f"Error: {missing} {'are' if ' ' in missing else 'is'} not set. Set ")
    assert "progress-worker up" in result.stderr


def test_one_server_alone_is_not_completed_from_a_running_up(tmp_path: Path) -> None:
    with publish(RunningUp("postgresql://other/x", "redis://other", tmp_path, Path.cwd())):
        result = invoke({"DATABASE_URL": GOOD["DATABASE_URL"]}, "status")
    assert result.stderr.startswith("Error: REDIS_URL is not set.")


def test_the_lines_to_export_for_an_up_elsewhere_stand_one_by_one(tmp_path: Path) -> None:
    with publish(RunningUp("postgresql://u:p@h/x", "redis://:p@h", tmp_path, tmp_path)):
        result = invoke({}, "status")
    assert result.stderr.splitlines()[-3:] == [
        f"To use that of {tmp_path}:",
        "export DATABASE_URL=postgresql://u:p@h/x",
        "export REDIS_URL=redis://:p@h",
    ]


def test_without_urls_the_servers_of_a_running_up_are_used(tmp_path: Path, silent_port: int) -> None:
    urls = (f"postgresql://127.0.0.1:{silent_port}/of_up", f"redis://127.0.0.1:{silent_port}")
    with publish(RunningUp(*urls, tmp_path, Path.cwd())):
        result = invoke({}, "status")
    assert result.exit_code == 1
    assert "/of_up" in result.stderr


@pytest.mark.parametrize(
    ("variable", "url"),
    [
        ("DATABASE_URL", "postgresql://lms:secret@localhost:port/x"),
        ("DATABASE_URL", "postgresql://lms:secret@localhost:99999/x"),
        ("DATABASE_URL", "postgresql://lms:sec[ret@localhost/x"),
        ("DATABASE_URL", "postgresql://lms:12/ret@localhost/x"),
        ("DATABASE_URL", "mysql://lms:secret@localhost/x"),
        ("REDIS_URL", "redis://:secret@localhost:port/0"),
        ("REDIS_URL", "redis://:secret@localhost:99999/0"),
        ("REDIS_URL", "redis://:sec[ret@localhost/0"),
        ("REDIS_URL", "http://:secret@localhost"),
    ],
)
def test_a_wrong_url_is_named_by_its_variable_and_without_its_password(variable: str, url: str) -> None:
    for command in (["status"], ["drain"], ["health", "ready"], ["up"], ["demo"]):
        result = invoke({**GOOD, variable: url}, *command)
        assert result.exit_code == 1
        assert result.stderr.startswith(f"Error: {variable}")
        assert "ret@" not in result.output


def test_a_setting_out_of_range_is_named() -> None:
    result = invoke({**GOOD, "PROGRESS_BATCH_SIZE": "0"}, "status")
    assert (result.exit_code, result.stderr.startswith("Error: PROGRESS_BATCH_SIZE: ")) == (1, True)


def test_servers_that_do_not_answer_are_named(silent_port: int, tmp_path: Path) -> None:
    away = {
        "DATABASE_URL": f"postgresql://lms:secret@127.0.0.1:{silent_port}/lms",
        "REDIS_URL": f"redis://:secret@127.0.0.1:{silent_port}/0",
    }
    for command in (["status"], ["summary", "1"], ["migrate"], ["drain"], ["dead-letters", "list"]):
        result = invoke(away, *command)
        assert result.exit_code == 1
        assert f"PostgreSQL does not answer at 127.0.0.1:{silent_port}/" in result.stderr
        assert "secret" not in result.output
    events = tmp_path / "events.jsonl"
    events.write_text("{}\n")
    result = invoke(away, "publish", str(events))
    assert result.exit_code == 1
    assert f"Redis does not answer at 127.0.0.1:{silent_port}" in result.stderr
    assert "secret" not in result.output


@pytest.mark.parametrize("arguments", [["nonsense"], ["summary"], ["summary", "x"], ["drain", "--timeout", "0"]])
def test_a_usage_error_exits_with_2(arguments: list[str]) -> None:
    result = invoke({}, *arguments)
    assert result.exit_code == 2
    assert "Usage:" in result.stderr


@pytest.mark.parametrize("arguments", [[], ["1", "--all"], ["--all", "--reason", "invalid_json"], ["--reason", "odd"]])
def test_redrive_wants_to_know_exactly_what(arguments: list[str]) -> None:
    assert invoke({}, "dead-letters", "redrive", *arguments).exit_code == 2


@pytest.mark.parametrize(
    "command",
    [
        "outline show",
        "overview",
        "learner",
        "summary",
        "report course",
        "report learner",
        "enrollments --course",
        "audit --course",
        "map show --id",
    ],
)
def test_a_name_in_place_of_an_id_is_told_where_its_number_is(command: str) -> None:
    result = invoke({}, *command.split(), "alg")
    assert result.exit_code == 2
    assert "'alg' is no number. If it is a name, find its number with `progress-worker map show --grep 'alg'`." in (
        " ".join(result.stderr.split())
    )
