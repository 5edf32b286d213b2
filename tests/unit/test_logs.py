"""Logs: one JSON object a line when no person watches, libraries included."""

import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from structlog.testing import capture_logs

from worker.logs import configure_logging, get_logger, log_uncaught


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    configure_logging("json", "INFO")  # closes a file
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


def test_a_file_gets_json_and_is_opened_anew_after_it_was_moved_away(tmp_path: Path) -> None:
    file, rotated = tmp_path / "worker.log", tmp_path / "worker.log.1"
    configure_logging("auto", "INFO", str(file))
    get_logger("worker.five").info("before")
    file.rename(rotated)
    get_logger("worker.five").info("after")
    assert [json.loads(path.read_text())["event"] for path in (rotated, file)] == ["before", "after"]


@pytest.mark.parametrize(
    ("level", "chatty", "shown"),
    [("INFO", False, ["WARNING"]), ("INFO", True, ["INFO", "WARNING"]), ("ERROR", True, []), ("ERROR", False, [])],
)
def test_lines_for_each_task_message_are_logged_if_asked_for(
    capsys: pytest.CaptureFixture[str], level: str, chatty: bool, shown: list[str]
) -> None:
    configure_logging("json", level, chatty=chatty)
    for each in ("DEBUG", "INFO", "WARNING"):
        logging.getLogger("celery.beat").log(getattr(logging, each), each)
    assert [json.loads(line)["event"] for line in lines(capsys)] == shown


def test_warnings_and_uncaught_exceptions_are_lines_like_all_others(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for place, name in ((sys, "excepthook"), (threading, "excepthook"), (sys, "unraisablehook")):
        monkeypatch.setattr(place, name, getattr(place, name))

    class Stubborn:
        def __del__(self) -> None:
            raise ValueError("three")

    configure_logging("json", "INFO")
    log_uncaught()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("one", stacklevel=1)
        (thread := threading.Thread(target=lambda: 1 / 0, name="two")).start()
        thread.join()
        Stubborn()
        sys.excepthook(KeyError, KeyError("four"), None)
    finally:
        logging.captureWarnings(False)
    found = [json.loads(line) for line in lines(capsys)]
    assert "one" in found[0]["event"]
    assert [each["event"] for each in found[1:]] == ["thread_crashed", "exception_ignored", "process_crashed"]
    assert found[1]["thread"] == "two"
    assert [each["exception"][0]["exc_type"] for each in found[1:]] == ["ZeroDivisionError", "ValueError", "KeyError"]
