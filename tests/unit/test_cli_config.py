"""`config` shows every setting, where its value comes from, and no password."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import invoke
from worker import running_up
from worker.main_settings import MainSettings
from worker.running_up import RunningUp, publish
from worker.settings import Settings, variable_name


@pytest.fixture(autouse=True)
def _no_up_of_a_developer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running_up, "private_directory", lambda: tmp_path / "base")


def config(**environment: str) -> dict[str, dict[str, Any]]:
    result = invoke(environment, "config", "--json")
    assert result.exit_code == 0, result.output
    return {each["variable"]: each for each in json.loads(result.stdout)}


def test_every_setting_is_there_with_its_meaning() -> None:
    shown = config()
    assert set(shown) == {variable_name(name) for name in Settings.model_fields}
    assert [name for name, each in shown.items() if not each["description"] and name != "PROGRESS_LOG_LEVEL"] == []


def test_value_default_unit_and_range_are_told() -> None:
    shown = config(PROGRESS_LOCK_TIMEOUT_SECONDS="2.5")["PROGRESS_LOCK_TIMEOUT_SECONDS"]
    assert re.fullmatch(r"[≥>] [\d.]+, ≤ 86,400", shown.pop("range"))
    assert shown == {
        "variable": "PROGRESS_LOCK_TIMEOUT_SECONDS",
        "group": "tuning",
        "value": 2.5,
        "default": 0.2,
        "origin": "environment",
        "unit": "seconds",
        "description": "PostgreSQL's lock_timeout; keep it far below deadlock_timeout so that the LMS never loses.",
    }
    assert config()["PROGRESS_LOG_LEVEL"]["range"] == "DEBUG | INFO | WARNING | ERROR"


def test_the_main_settings_and_any_other_that_is_set_are_shown_first_and_the_rest_with_all() -> None:
    given = {"PROGRESS_BATCH_SIZE": "7"}
    main = {variable_name(name) for name in MainSettings.model_fields}
    every = {variable_name(name) for name in Settings.model_fields}
    assert len(main) == 18
    shown, whole = invoke(given, "config").stdout, invoke(given, "config", "--all").stdout
    assert {name for name in every if re.search(rf"^ ?{name} ", shown, re.MULTILINE)} == main | set(given)
    assert f"{len(every) - len(main) - 1} more for tuning: --all" in shown
    assert {name for name in every if re.search(rf"^ ?{name} ", whole, re.MULTILINE)} == every
    assert "--all" not in whole
    assert {name for name, each in config().items() if each["group"] == "main"} == main


def test_passwords_are_left_out() -> None:
    given = {"DATABASE_URL": "postgresql://lms:secret@db/x", "REDIS_URL": "redis://:secret@r/0"}
    given |= {"PROGRESS_BROKER_URL": "redis://:secret@b/0"}
    shown = config(**given)
    assert {shown[name]["value"] for name in given} == {
        "postgresql+psycopg://lms:***@db/x",
        "redis://:***@r/0",
        "redis://:***@b/0",
    }
    table = invoke(given, "config")
    assert table.exit_code == 0
    assert "secret" not in table.output


def test_servers_of_a_running_up_are_marked(tmp_path: Path) -> None:
    with publish(RunningUp("postgresql://of_up/x", "redis://of_up", tmp_path, Path.cwd())):
        shown = config()
    assert (shown["REDIS_URL"]["value"], shown["REDIS_URL"]["origin"]) == ("redis://of_up", "up")
