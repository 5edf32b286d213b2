"""Callers who send an unfinished request and wait, by the thousand: everybody else is answered, they are hung up on."""

import resource
import select
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.api import ServeProcess
from tests.support.wait import wait_until

HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
QUICK = {"PROGRESS_API_HEADER_SECONDS": "1", "PROGRESS_API_BODY_SECONDS": "1"}


@contextmanager
def serving(environment: dict[str, str], tmp_path: Path, **settings: str) -> Iterator[tuple[str, ExitStack]]:
    """Where the API listens, and what closes the callers in the end."""
    with closing(ServeProcess({**environment, **settings}, tmp_path / "serve.log")) as process, ExitStack() as callers:
        yield str(process.url), callers


def call(url: str, callers: ExitStack, sent: bytes) -> socket.socket:
    """A caller who sent this."""
    address = httpx.URL(url)
    caller = callers.enter_context(socket.create_connection((address.host, address.port or 80), 20))
    caller.sendall(sent)
    return caller


def is_hung_up_on(caller: socket.socket) -> bool:
    try:
        while select.select([caller], [], [], 0)[0]:
            if not caller.recv(100_000):
                return True
    except ConnectionError:
        return True
    return False


def ends(caller: socket.socket, more: bytes) -> bool:
    """The caller is hung up on, if not as it waits then as it sends more."""
    try:
        caller.sendall(more)
    except ConnectionError:
        return True
    return is_hung_up_on(caller)


def answers(url: str) -> bool:
    return httpx.get(f"{url}/healthz", timeout=5).status_code == 200


@pytest.fixture
def few_open_files() -> Iterator[None]:
    """A soft limit of 1,024 open files for the processes that the test starts, as shells have it; this needs more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4_096), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("few_open_files")
@pytest.mark.second_tier
def test_1_100_unfinished_requests_keep_nobody_out(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    popen = subprocess.Popen

    def limited(command: list[str], **options: object) -> object:
        return popen(["sh", "-c", 'ulimit -Sn 1024; exec "$0" "$@"', *command], **options)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "Popen", limited)
    with serving(environment, tmp_path) as (url, callers):
        for _ in range(1_100):
            call(url, callers, HEAD)
        started = time.monotonic()
        assert answers(url)
        assert time.monotonic() - started < 2


def test_beyond_the_limit_who_has_waited_longest_gives_way(environment: dict[str, str], tmp_path: Path) -> None:
    with serving(environment, tmp_path, PROGRESS_API_CALLERS="20") as (url, callers):
        waiting = [call(url, callers, HEAD) for _ in range(60)]
        assert all(answers(url) for _ in range(5))
        wait_until(lambda: is_hung_up_on(waiting[0]), 30, "the end of the first")
        body = b"POST /progress/1/1/1/view HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"
        waiting = [call(url, callers, body) for _ in range(60)]
        assert all(answers(url) for _ in range(5))
        wait_until(lambda: is_hung_up_on(waiting[0]), 30, "the end of the first")


UNFINISHED = [
    (b"", b"\r\n"),
    (b"GET /heal", b"X"),
    (HEAD, b"A: b\r\n"),
    (HEAD + b"X-Long: a", b"X"),
    (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" + HEAD, b"A: b\r\n"),
    (b"POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999\r\n\r\n", b"X"),
]
"""What a caller begins with, and what it sends again and again after that; the last is answered and goes on."""


@pytest.mark.second_tier
def test_who_does_not_finish_a_head_is_hung_up_on(environment: dict[str, str], tmp_path: Path) -> None:
    """However much it goes on to send."""
    with serving(environment, tmp_path, **QUICK) as (url, callers):
        started = time.monotonic()
        unfinished = [(call(url, callers, sent), more) for sent, more in UNFINISHED]

        def all_are_hung_up_on() -> bool:
            unfinished[:] = [(caller, more) for caller, more in unfinished if not ends(caller, more)]
            return not unfinished

        wait_until(all_are_hung_up_on, 12, "the end of the connections")
        assert time.monotonic() - started >= 0.9
        assert answers(url)


@pytest.mark.second_tier
def test_a_body_that_does_not_come_is_not_waited_for(environment: dict[str, str], tmp_path: Path) -> None:
    head = b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
    batch = head.replace(b"json\r", b"cloudevents-batch+json\r")
    with serving(environment, tmp_path, **QUICK) as (url, callers):
        for sent in (head % b"/progress/1/1/1/view", batch % b"/events"):
            caller, answer = call(url, callers, sent), b""
            while more := caller.recv(1_000):
                answer += more
            assert answer.startswith(b"HTTP/1.1 408 "), answer
            assert b"longer than 1 s" in answer


def test_a_head_without_end_is_cut_short(environment: dict[str, str], tmp_path: Path) -> None:
    with serving(environment, tmp_path, PROGRESS_API_HEADER_SECONDS="60") as (url, callers):
        caller = call(url, callers, HEAD)

        wait_until(lambda: ends(caller, b"X: " + b"x" * 8_000 + b"\r\n"), 10, "the end of the connection")
