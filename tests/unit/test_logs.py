"""Logs: one JSON object a line when no person watches, libraries included."""

import json
import logging
from collections.abc import Iterator
from typing import Literal

import pytest
from structlog.testing import capture_logs

from worker.logs import configure_logging, get_logger


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err.splitlines()


def test_a_happening_is_one_json_object_with_its_values(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("auto", "INFO")
    get_logger("worker.one").info("batch_recorded", entries=7)
    (line,) = lines(capsys)
    record = json.loads(line)
    assert (record["event"], record["entries"], record["level"]) == ("batch_recorded", 7, "info")
    assert record["logger"] == "worker.one"
    assert record["timestamp"].endswith("Z")


def test_a_librarys_record_has_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "INFO")
    logging.getLogger("some.library").warning("retrying %s", "soon")
    (line,) = lines(capsys)
    record = json.loads(line)
    assert (record["event"], record["level"], record["logger"]) == ("retrying soon", "warning", "some.library")


def test_a_traceback_stays_inside_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "INFO")
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        get_logger("worker.two").exception("broken")
    (line,) = lines(capsys)
    assert "ZeroDivisionError" in line
    assert json.loads(line)["event"] == "broken"


@pytest.mark.parametrize("level", ["INFO", "ERROR"])
def test_what_is_below_the_level_is_not_said(
    capsys: pytest.CaptureFixture[str], level: Literal["INFO", "ERROR"]
) -> None:
    configure_logging("json", level)
    get_logger(f"worker.{level}").debug("whispered")
    get_logger(f"worker.{level}").error("said")
    assert [json.loads(line)["event"] for line in lines(capsys)] == ["said"]


def test_a_person_gets_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("console", "INFO")
    get_logger("worker.three").info("batch_recorded", entries=7)
    (line,) = lines(capsys)
    assert "batch_recorded" in line
    assert not line.startswith("{")


def test_setting_up_twice_says_everything_once(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json", "INFO")
    configure_logging("json", "INFO")
    get_logger("worker.four").info("said")
    assert len(lines(capsys)) == 1


def test_a_logger_that_was_used_is_captured_also_after_setting_up_again() -> None:
    configure_logging("json", "INFO")
    log = get_logger("worker")
    log.info("said")
    configure_logging("json", "INFO")
    with capture_logs() as logs:
        log.info("said")
    assert [each["event"] for each in logs] == ["said"]
