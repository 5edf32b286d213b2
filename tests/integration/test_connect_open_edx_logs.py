"""The log of docs/how-to/connect-open-edx-logs.md, and the same events on the bus, byte for byte, are the same rows."""

import json
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from tests.support.commands import invoke
from tests.support.edx_bus import emitted, enrolled
from tests.support.hosts import RecordingHost
from tests.support.how_to import HowTo
from tests.support.named import rows_by_name
from tests.support.tables import rows
from tests.support.wait import wait_until
from worker.consume.consumer import Consumer
from worker.consume.drain import Drain
from worker.settings import Settings
from worker.streams import event_bus
from worker.streams.connection import Redis
from worker.streams.keys import Keys

HOW_TO = HowTo("connect-open-edx-logs")
COURSE, VIDEO = "course-v1:edX+Logs+1", "block-v1:edX+Logs+1+type@video+block@welcome"
COMPLETED = datetime(2026, 3, 2, 10, 4, 0, 500_000, UTC)
EXPECTED = {("edx-logs", "user:4", COURSE, VIDEO): ("completed", COMPLETED, COMPLETED)}
RECORDED = (
    "SELECT (SELECT count(*) FROM lesson_event), (SELECT count(*) FROM user_course), (SELECT count(*) FROM dead_letter)"
)


def tracked(line: str) -> dict[str, Any] | None:
    """The tracking event that the LMS wrote as this line; None of one that is cut off."""
    try:
        logged = json.loads(line[line.index("{") :])
    except ValueError:
        return None
    data = logged["event"]
    return {
        "name": logged["name"],
        "timestamp": logged["time"],
        "data": json.loads(data) if isinstance(data, str) else data,
        "context": logged["context"] | {"username": logged["username"], "event_source": logged["event_source"]},
    }


def test_the_log_and_then_the_bus(
    settings: Settings,
    redis: Redis,
    engine: Engine,
    consumer: Consumer,
    environment: dict[str, str],
    tmp_path: Path,
) -> None:
    for name in ("edx-logs.toml", "tracking.log"):
        (tmp_path / name).write_text(HOW_TO.written(name), encoding="utf-8")
    there = {**environment, "PROGRESS_CONNECTIONS": str(tmp_path / "edx-logs.toml")}
    result = invoke(there, "publish", str(tmp_path / "tracking.log"), "--connection", "edx-logs")
    assert result.exit_code == 0, result.output
    found = re.findall(r"^ *(event|ignored|rejected) +(\S+) +(\d+) ", result.stdout, re.MULTILINE)
    assert found == [
        ("event", "enrollment.created", "1"),
        ("event", "lesson.completed", "1"),
        ("event", "lesson.viewed", "1"),
        ("ignored", "event_type", "1"),
        ("rejected", "not_json", "1"),
    ]
    Drain(consumer, RecordingHost(), 1).run()
    assert rows_by_name(engine) == EXPECTED
    recorded = rows(engine, RECORDED)
    assert recorded == [(2, 1, 1)]

    topic = f"{settings.stream_key}-dev-analytics"
    events = [event for line in HOW_TO.written("tracking.log").splitlines() if (event := tracked(line))]
    entries = [emitted(event) for event in events] + [enrolled(course=COURSE, created="2026-03-02T10:00:00.4+00:00")]
    for fields in entries:
        redis.xadd(topic, dict(fields.items()), maxlen=10_000, approximate=True)
    (arguments,) = re.findall(r"^progress-worker (bridge edx-bus .*) --topic dev-analytics$", HOW_TO.text, re.MULTILINE)
    command = [sys.executable, "-m", "worker.cli.main", *arguments.split(), "--topic", topic]
    there["PROGRESS_EDX_BUS_URL"] = str(settings.redis_url)
    with subprocess.Popen(command, env=there, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        try:
            wait_until(lambda: acknowledged(redis, settings, topic), what="the end of the bus")
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()
        assert process.stdout.read() == b"Stopped: 5 entries read, 4 events published.\n"
    Drain(consumer, RecordingHost(), 1).run()
    assert rows_by_name(engine) == EXPECTED
    assert rows(engine, RECORDED) == recorded


def acknowledged(redis: Redis, settings: Settings, topic: str) -> bool:
    found = event_bus.measure(redis, Keys.of(settings).group, [topic])
    return [each.entries for each in found] == [0]
