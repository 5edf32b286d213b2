"""`progress-worker up`: a whole system that other commands find by themselves, until it is told to stop."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest
import redis

from tests.support.server_data import server_data
from tests.support.wait import wait_until
from tests.support.worker_process import ROOT, is_alive
from worker.cli.output import redacted

# An `up` of a developer, and the state that it publishes for this user, are none of this test's business.
PROGRAM = """
import sys
from pathlib import Path
from worker import running_up
base = Path(sys.argv.pop(1))
running_up.private_directory = lambda: base
"""
COMMAND = f"{PROGRAM}\nfrom worker.cli.main import main\nmain()"
CELERY = f"{PROGRAM}\nfrom celery.__main__ import main\nmain()"
ALEMBIC = f"{PROGRAM}\nfrom alembic.config import main\nmain()"
LIBRARY = f"""{PROGRAM}
import asyncio
from worker.client import EventPublisher
from worker.service import open_progress_service

async def summary():
    async with open_progress_service() as service:
        return await service.get_user_course_progress_summary(user_course_id=1)

print(EventPublisher().lesson_viewed(user_course_id=1, topic_id=3, lesson_id=9))
print(asyncio.run(summary()).completed_lessons)
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

    def __init__(self, base: Path, *arguments: str, again: str = "", **environment: str) -> None:
        self.base = base
        self.directory = base / again if again else Path(tempfile.mkdtemp(prefix="here-", dir=base))
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.log = self.directory / "output"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                self.command("up", "--workers", "1", *arguments),
                cwd=self.directory,
                env={
                    **os.environ,
                    "PYTHONPATH": str(ROOT),
                    "PROGRESS_RUNTIME_DIRECTORY": str(base / "run"),
                    **environment,
                },
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )

    def command(self, *arguments: str, program: str = COMMAND) -> list[str]:
        return [sys.executable, "-u", "-c", program, str(self.base), *arguments]

    def call(
        self, *arguments: str, given: str | None = None, program: str = COMMAND, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Another command of the same user, by default in the same directory."""
        return subprocess.run(
            self.command(*arguments, program=program),
            cwd=cwd or self.directory,
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def wait_for(self, text: str) -> None:
        def said() -> bool:
            assert self.process.poll() is None or text in self.log.read_text(), self.log.read_text()
            return text in self.log.read_text()

        wait_until(said, 60, f"{text!r} in\n{self.log.read_text()}")

    def exports(self) -> dict[str, str]:
        """What the lines set that it prints for a shell."""
        lines = re.findall(r"^  (export .+)$", self.log.read_text(), re.MULTILINE)
        shell = subprocess.run(
            ["/bin/sh", "-c", "\n".join([*lines, 'printf "%s\n%s" "$DATABASE_URL" "$REDIS_URL"'])],
            capture_output=True,
            text=True,
            check=True,
        )
        return dict(zip(("DATABASE_URL", "REDIS_URL"), shell.stdout.splitlines(), strict=True))

    def descendants(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


def logs_it(system: Up, *arguments: str, program: str) -> bool:
    """A process started in its directory logs that it uses it."""
    log = system.directory / "log"
    with log.open("wb") as output:
        command, where = system.command(*arguments, program=program), system.directory
        process = subprocess.Popen(command, cwd=where, env=system.environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: "up_found" in log.read_text(), 40, "the log line")
    finally:
        process.terminate()
        process.wait(40)
    return str(where) in log.read_text()


def has_row(system: Up) -> bool:
    """The lesson of VIEWED is completed."""
    shown = system.call("summary", "1", "--json")
    return shown.returncode == 0 and json.loads(shown.stdout)["completed_lessons"] == 1


@contextmanager
def up(base: Path, *arguments: str, again: str = "", **environment: str) -> Iterator[Up]:
    """One that runs, in the directory `again` of an earlier one."""
    started = Up(base, *arguments, again=again, **environment)
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
        assert redis.Redis.from_url(system.exports()["REDIS_URL"]).ping(), "an LMS can be given what it prints"
        psycopg.connect(system.exports()["DATABASE_URL"]).close()
        before = system.exports()
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
    with up(base, again=system.directory.name) as again:
        assert again.exports() == before, "its ports and passwords are kept"
        assert json.loads(again.call("summary", "1", "--json").stdout)["completed_lessons"] == 1, "data is kept"


@pytest.mark.second_tier
def test_everything_finds_it_in_its_directory_and_two_leave_each_other_alone(base: Path) -> None:
    with up(base) as first, up(base) as second:
        assert first.exports() != second.exports()
        for system in (first, second):
            assert system.call("publish", "-", given=VIEWED).returncode == 0
            wait_until(partial(has_row, system), 20, "the row")
        found = first.call(program=LIBRARY)
        assert found.stdout.splitlines()[1:] == ["1"], found.stderr
        assert re.search(r"1 node online", first.call("-A", "worker", "status", program=CELERY).stdout)
        current = first.call("-c", str(ROOT / "pyproject.toml"), "current", program=ALEMBIC)
        assert "(head)" in current.stdout, current.stderr
        assert f"On the system of `progress-worker up` in {first.directory}." in current.stderr
        assert f" in {first.directory}: postgresql://" in first.call("migrate").stderr

        assert logs_it(first, "-A", "worker", "beat", program=CELERY)
        assert logs_it(first, "serve", "--port", "0", program=COMMAND)

        voided = first.call("void", "2", "--enrollment", "1", "--source", "/test")
        assert voided.returncode == 0, voided.stderr
        assert voided.stderr.startswith(f"On the system of `progress-worker up` in {first.directory}: postgresql://")
        assert json.loads(second.call("summary", "1", "--json").stdout)["completed_lessons"] == 1, "untouched"

        commands = (
            first.call("status", cwd=base),
            first.call(program=LIBRARY, cwd=base),
            first.call("-A", "worker", "status", program=CELERY, cwd=base),
        )
        for elsewhere in commands:
            assert elsewhere.returncode == 1
            for system in (first, second):
                assert str(system.directory) in elsewhere.stderr, elsewhere.stderr
                lines = {f"export {name}={url}" for name, url in system.exports().items()}
                shown = lines if elsewhere is commands[0] else set()
                assert lines.intersection(elsewhere.stderr.splitlines()) == shown, "passwords on a terminal alone"


@pytest.mark.parametrize("name", ["postgres", "valkey"])
@pytest.mark.second_tier
def test_a_server_that_dies_is_named_and_ends_it(base: Path, name: str) -> None:
    with up(base) as system:
        descendants = system.descendants()
        own = psutil.Process(system.process.pid).children()  # theirs may be gone before they are asked for anything
        next(each for each in own if each.name().startswith(name)).kill()
        assert system.process.wait(40) == 1
        assert re.search(
            r"^Error: (PostgreSQL|Valkey) ended by SIGKILL\. The end of ", system.log.read_text(), re.MULTILINE
        )
        assert not [each.pid for each in descendants if is_alive(each.pid)], "nothing is left behind"


@pytest.mark.second_tier
def test_given_servers_are_used_none_are_started_and_sigterm_ends_it(base: Path, given: dict[str, str]) -> None:
    (base / "connections.toml").write_text('[moodle]\ntimezone = "Europe/London"\n')
    with up(base, PROGRESS_CONNECTIONS="../connections.toml", **given) as system:  # the worker runs elsewhere
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
    assert "Error: REDIS_URL is not set." in system.log.read_text()
