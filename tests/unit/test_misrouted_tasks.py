"""Pool processes warn of misrouted tasks now and then, not with every run of the housekeeping."""

import pytest
from structlog.testing import capture_logs

from worker.ops import misrouted_tasks
from worker.settings import Settings


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
