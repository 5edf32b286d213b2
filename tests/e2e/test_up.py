"""`progress-worker up`: a whole system that other commands find by themselves, until it is told to stop."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest
import redis

from tests.support.server_data import server_data
from tests.support.wait import wait_until
from tests.support.worker_process import is_alive
from worker.cli.output import redacted

# An `up` of a developer, and the state that it publishes for this user, are none of this test's business.
PROGRAM = """
import sys
from pathlib import Path
from worker.cli.main import main
from worker.embedded import state
base = Path(sys.argv.pop(1))
state._base = lambda: base
main()
"""

VIEWED = (
    '{"specversion":"1.0","id":"1","source":"/test","type":"enrollment.created","time":"2025-07-14T10:00:00Z",'
    '"data":{"user_course_id":1,"user_id":7,"course_id":3}}\n'
    '{"specversion":"1.0","id":"2","source":"/test","type":"lesson.completed","time":"2025-07-14T10:30:00Z",'
    '"data":{"user_course_id":1,"topic_id":3,"lesson_id":8}}\n'
)


@pytest.fixture
def base() -> Iterator[Path]:
    with server_data() as path:
        yield path


@pytest.fixture
def given(environment: dict[str, str]) -> dict[str, str]:
    """The variables that name this test's servers, and what it uses of them."""
    names = ("DATABASE_URL", "REDIS_URL", "PROGRESS_STREAM_KEY", "PROGRESS_QUEUE")
    return {name: environment[name] for name in names}


@pytest.fixture
def port() -> int:
    """One that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


class Up:
    """An `up` in the background, its output in a file."""

    def __init__(self, base: Path, *arguments: str, **environment: str) -> None:
        self.base = base
        self.log = base / "output"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                self.command("up", "--workers", "1", *arguments),
                env={**os.environ, "PROGRESS_RUNTIME_DIRECTORY": str(base / "run"), **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-u", "-c", PROGRAM, str(self.base), *arguments]

    def call(self, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """Another command of the same user."""
        return subprocess.run(
            self.command(*arguments), input=given, capture_output=True, text=True, timeout=60, check=False
        )

    def wait_for(self, text: str) -> None:
        def said() -> bool:
            assert self.process.poll() is None or text in self.log.read_text(), self.log.read_text()
            return text in self.log.read_text()

        wait_until(said, 60, f"{text!r} in\n{self.log.read_text()}")

    def descendants(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


@contextmanager
def up(base: Path, *arguments: str, **environment: str) -> Iterator[Up]:
    started = Up(base, *arguments, **environment)
    try:
        started.wait_for("Running until Ctrl-C.")
        yield started
    finally:
        started.process.terminate()
        try:
            started.process.wait(40)
        finally:
            started.process.kill()
            started.process.wait()


@pytest.mark.second_tier
def test_other_commands_work_on_it_and_everything_ends_with_it(base: Path) -> None:
    with up(base) as system:
        published = system.call("publish", "-", given=VIEWED)
        assert published.stdout.startswith("Published 2 events"), published.stderr

        def summary() -> dict[str, object]:
            shown = system.call("summary", "1", "--json")
            answer: dict[str, object] = json.loads(shown.stdout) if shown.returncode == 0 else {}
            return answer if answer.get("completed_lessons") else {}

        assert wait_until(summary, 20, "the row")["current_lesson_id"] == 8
        assert system.call("health", "ready").returncode == 0
        shown = re.search(r"^  REDIS_URL=(\S+)$", system.log.read_text(), re.MULTILINE)
        assert shown, system.log.read_text()
        assert redis.Redis.from_url(shown[1]).ping(), "an LMS can be given what it prints"
        second = system.call("up")
        assert second.returncode == 1
        assert second.stderr.startswith("Error: `progress-worker up` is already running")

        descendants = system.descendants()
        system.process.send_signal(signal.SIGINT)
        assert system.process.wait(40) == 0, system.log.read_text()
        assert not [each.pid for each in descendants if is_alive(each.pid)]
        assert "Stopped." in system.log.read_text()
        assert "Traceback" not in system.log.read_text()
        after = system.call("status")
        assert after.returncode == 1
        assert "start `progress-worker up`" in after.stderr
    with up(base) as again:
        assert json.loads(again.call("summary", "1", "--json").stdout)["completed_lessons"] == 1, "data is kept"


@pytest.mark.second_tier
def test_given_servers_are_used_none_are_started_and_sigterm_ends_it(base: Path, given: dict[str, str]) -> None:
    with up(base, **given) as system:
        names = {each.name() for each in system.descendants()}
        assert not [name for name in names if name.startswith(("postgres", "valkey"))]
        assert f"  REDIS_URL={redacted(given['REDIS_URL'])}\n" in system.log.read_text(), "theirs, without its password"
        assert "API: " not in system.log.read_text()
        system.process.terminate()
        assert system.process.wait(40) == 0, system.log.read_text()


def test_the_api_answers_where_it_says_and_ends_with_it(base: Path, given: dict[str, str], port: int) -> None:
    with up(base, "--api", "--api-port", str(port), **given) as system:
        announced = re.search(
            r"^  API: (http://127\.0\.0\.1:\d+), documentation at (\S+)$", system.log.read_text(), re.MULTILINE
        )
        assert announced, system.log.read_text()
        url, documentation = announced.groups()
        assert url.endswith(f":{port}")
        assert httpx.get(documentation, timeout=30).status_code == 200
        assert httpx.get(f"{url}/readyz", timeout=30).json()["ok"] is True
        events = [json.loads(line) for line in VIEWED.splitlines()]
        headers = {"Content-Type": "application/cloudevents-batch+json", "Prefer": "respond-async"}
        httpx.post(f"{url}/events", content=json.dumps(events), headers=headers, timeout=30).raise_for_status()

        def is_recorded() -> bool:
            answer = httpx.get(f"{url}/progress/1/3/8", timeout=30)
            return answer.status_code == 200 and answer.json()["status"] == "completed"

        wait_until(is_recorded, 20, "the row, made by the worker beside it")
        descendants = system.descendants()
        assert [each for each in descendants if "serve" in each.cmdline()]
        system.process.send_signal(signal.SIGINT)
        assert system.process.wait(40) == 0, system.log.read_text()
        assert not [each.pid for each in descendants if is_alive(each.pid)]
        assert "Traceback" not in system.log.read_text()
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{url}/healthz", timeout=30)


@pytest.mark.parametrize(("argument", "name"), [("worker", "Celery worker"), ("beat", "Celery beat"), ("serve", "API")])
@pytest.mark.second_tier
def test_a_child_that_dies_is_named_and_ends_it(
    base: Path, given: dict[str, str], port: int, argument: str, name: str
) -> None:
    with up(base, "--api", "--api-port", str(port), **given) as system:
        descendants = system.descendants()
        child = next(each for each in descendants if argument in each.cmdline() and each.ppid() == system.process.pid)
        child.kill()
        assert system.process.wait(40) == 1
        assert f"Error: The {name} ended by SIGKILL." in system.log.read_text()
        assert not [each.pid for each in descendants if is_alive(each.pid)], "nothing is left behind"


def test_a_port_of_the_api_in_use_is_named_before_anything_starts(base: Path, given: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        system = Up(base, "--api", "--api-port", str(port), **given)
        assert system.process.wait(30) == 1
    said = system.log.read_text()
    assert said == f"Error: Cannot listen on '127.0.0.1', port {port}: Address already in use. Choose another.\n"


def test_one_given_server_is_not_enough(base: Path, environment: dict[str, str]) -> None:
    system = Up(base, DATABASE_URL=environment["DATABASE_URL"])
    assert system.process.wait(30) == 1
    assert "Error: REDIS_URL not set." in system.log.read_text()
