"""Pool processes warn of misrouted tasks now and then, not with every run of the housekeeping."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from worker.ops import misrouted_tasks
from worker.settings import Settings

TASKS = Path(__file__).parents[2] / "worker" / "tasks.py"


class Broker:
    """A default queue with a message of each task that an LMS sends."""

    names = re.findall(r'name="(progress\.lesson_\w+)"', TASKS.read_text(encoding="utf-8"))

    def lrange(self, *_: Any) -> list[bytes]:
        return [json.dumps({"headers": {"task": name}}).encode() for name in self.names]

    def close(self) -> None:
        pass


def test_each_task_that_an_lms_sends_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "progress.lesson_reopened" in Broker.names
    monkeypatch.setattr(misrouted_tasks, "connect", lambda _: Broker())
    found = misrouted_tasks.find_misrouted_tasks(Settings())
    assert [name for name in Broker.names if any(f"holds {name} tasks" in each for each in found)] == Broker.names


def test_the_first_warning_comes_after_a_pause_and_the_next_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_000.0]
    monkeypatch.setattr(misrouted_tasks, "_warned_at", [now[0]])
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr(misrouted_tasks, "find_misrouted_tasks", lambda _: ["a sentence"])
    with capture_logs() as logs:
        for _ in range(601):
            misrouted_tasks.warn_now_and_then(Settings())
            now[0] += 1
    assert logs == [{"event": "misrouted_tasks", "warning": "a sentence", "log_level": "warning"}] * 2
