"""A misspelt variable is named with the nearest setting; those of other programs are left alone."""

import pytest

from tests.support.commands import invoke
from worker.unknown_variables import unknown_variables


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("PROGRESS_STREM_KEY", "PROGRESS_STREAM_KEY"),
        ("progress_batchsize", "PROGRESS_BATCH_SIZE"),
        ("PROGRESS_DATABASE_URL", "DATABASE_URL"),
        ("PROGRES_BATCH_SIZE", "PROGRESS_BATCH_SIZE"),
        ("DATABASE_UR", "DATABASE_URL"),
        ("DATABSE_URL", "DATABASE_URL"),
        ("REDIS_URI", "REDIS_URL"),
    ],
)
def test_the_nearest_name_is_said(name: str, meant: str) -> None:
    assert unknown_variables({name: "x"}) == [f"{name.upper()} is not a setting. Did you mean {meant}?"]


def test_a_name_near_none_is_said_too() -> None:
    sentence = "PROGRESS_ZZZ is not a setting. See `progress-worker config --all`."
    assert unknown_variables({"PROGRESS_ZZZ": "x"}) == [sentence]


@pytest.mark.parametrize(
    "environment",
    [
        {"PROGRESS_BATCH_SIZE": "7", "progress_queue": "q", "DATABASE_URL": "x", "REDIS_URL": "y"},
        {"REDIS_URL": "redis://h", "REDIS_URI": "the same for another program"},
        dict.fromkeys(("DATABASE_USER", "DATABASE_HOST", "REDIS_HOST", "REDIS_PASSWORD", "PROGRAM_FILES"), "x"),
        dict.fromkeys(("PROGRESS_SERVICE_HOST", "PROGRESS_SERVICE_PORT_HTTP", "PROGRESS_PORT"), "of Kubernetes"),
        dict.fromkeys(("PROGRESS_PORT_8000_TCP_ADDR", "PROGRESS_API_PORT_8000_TCP"), "of Kubernetes"),
    ],
)
def test_settings_and_names_of_other_programs_are_left_alone(environment: dict[str, str]) -> None:
    assert unknown_variables(environment) == []


def test_a_command_warns_once_on_standard_error_and_goes_on() -> None:
    result = invoke({"PROGRESS_STREM_KEY": "x"}, "config", "--json")
    assert result.exit_code == 0
    assert result.stderr == "Warning: PROGRESS_STREM_KEY is not a setting. Did you mean PROGRESS_STREAM_KEY?\n"
    assert result.stdout.startswith("[")


def test_a_probe_does_not_warn() -> None:
    assert "not a setting" not in invoke({"PROGRESS_STREM_KEY": "x"}, "health", "live").output
