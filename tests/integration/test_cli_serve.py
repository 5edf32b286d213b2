"""`progress-worker serve`: where it listens, whom it believes, what it says of a mistake, and how it ends."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic

import httpx
import pytest
from sqlalchemy import Engine

from tests.support.api import ServeProcess
from tests.support.commands import invoke, run
from tests.support.tables import insert_as_lms, rows
from tests.support.wait import wait_until
from worker.cli.serve import STOP_SECONDS

TOKEN, OTHER = "a-token-of-the-lms", "a-token-from-a-file"
TOKENS = json.dumps([{"name": "lms", "token": TOKEN, "scopes": ["read", "write"]}])
NOBODY_ELSE = "No token is configured: only this host can connect, with full access."

ANYWHERE = "0.0.0.0"  # noqa: S104 - what is to be refused
BLOCKED = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "serve.log"


@contextmanager
def serving(environment: dict[str, str], log: Path, *arguments: str) -> Iterator[tuple[ServeProcess, str]]:
    """The process and where it listens."""
    with closing(ServeProcess(environment, log, *arguments)) as process:
        yield process, str(process.url)


@contextmanager
def taken_port(host: str = "127.0.0.1") -> Iterator[str]:
    """A port on which somebody listens: what should not come as far as listening there cannot, and does not hang."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as taken:
        yield str(taken.getsockname()[1])


def status(url: str, token: str | None = None) -> int:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.get(f"{url}/progress/course/1/summary", headers=headers, timeout=30).status_code


def refuses_connections(url: str) -> bool:
    try:
        httpx.get(url, timeout=30)
    except httpx.TransportError:
        return True
    return False


def test_without_a_token_it_listens_on_loopback_alone_and_says_so(environment: dict[str, str], log: Path) -> None:
    with serving(environment, log) as (process, url):
        address = httpx.URL(url)
        assert address.host == "127.0.0.1"
        assert address.port, "the one that was free, not 0"
        assert NOBODY_ELSE in log.read_text().splitlines()
        assert f"{url}/docs" in log.read_text()
        assert httpx.get(f"{url}/docs", timeout=30).status_code == 200
        listening = Path(f"/proc/{process.process.pid}/net/tcp").read_text()
        own = [line.split()[1] for line in listening.splitlines() if f":{address.port:04X} 00000000:0000 0A" in line]
        assert own == [f"0100007F:{address.port:04X}"]


@pytest.mark.second_tier
def test_loopback_of_ipv6_will_do(environment: dict[str, str], log: Path) -> None:
    with serving(environment, log, "--host", "::1") as (_, url):
        assert url.startswith("http://[::1]:")
        assert NOBODY_ELSE in log.read_text()
        assert status(url) == 404, "there is no enrollment 1"


@pytest.mark.parametrize("host", [ANYWHERE, "::", "0"])
def test_without_a_token_it_does_not_listen_where_others_could_reach_it(environment: dict[str, str], host: str) -> None:
    """Nor does it for a moment: the port is taken, which it would find out."""
    with taken_port("::1" if host == "::" else "127.0.0.1") as port:
        refused = invoke(environment, "serve", "--host", host, "--port", port)
    assert refused.exit_code == 1
    [line] = refused.stderr.splitlines()
    assert line.startswith(f"Error: {host} is reachable from other hosts, but no token is configured. Set PROGRESS_API")


@pytest.mark.parametrize(
    ("host", "listening"),
    [(ANYWHERE, "127.0.0.1"), pytest.param("::", "[::1]", marks=pytest.mark.second_tier)],
)
def test_with_a_token_it_listens_anywhere(environment: dict[str, str], log: Path, host: str, listening: str) -> None:
    with serving({**environment, "PROGRESS_API_TOKENS": TOKENS}, log, "--host", host) as (_, told):
        url = f"http://{listening}:{httpx.URL(told).port}"
        assert (status(url), status(url, OTHER), status(url, TOKEN)) == (401, 401, 404)
        assert NOBODY_ELSE not in log.read_text()
        assert TOKEN not in log.read_text()


def test_tokens_of_the_variable_and_of_the_folder_are_both_good(
    environment: dict[str, str], log: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "tokens"
    folder.mkdir()
    (folder / "reader").write_text(json.dumps({"token": OTHER, "scopes": ["read"]}))
    (folder / ".hidden").write_text("no token")
    given = {"PROGRESS_API_TOKENS": TOKENS, "PROGRESS_API_TOKENS_DIRECTORY": str(folder)}
    with serving({**environment, **given}, log) as (_, url):
        assert [status(url, token) for token in (TOKEN, OTHER, None, "another-token")] == [404, 404, 401, 401]
        view = httpx.post(f"{url}/progress/1/1/1/view", headers={"Authorization": f"Bearer {OTHER}"})
        assert view.status_code == 403
        assert "'reader'" in view.json()["detail"], "the file's name is the token's"


MISTAKES = {
    "no JSON": ({"PROGRESS_API_TOKENS": TOKEN}, "PROGRESS_API_TOKENS: "),
    "no list": ({"PROGRESS_API_TOKENS": json.dumps({"lms": TOKEN})}, "PROGRESS_API_TOKENS: "),
    "unknown scope": (
        {"PROGRESS_API_TOKENS": json.dumps([{"name": "lms", "token": TOKEN, "scopes": ["admin"]}])},
        "PROGRESS_API_TOKENS: ",
    ),
    "the same twice": ({"PROGRESS_API_TOKENS": json.dumps([*json.loads(TOKENS), *json.loads(TOKENS)])}, "The API tok"),
    "no such folder": ({"PROGRESS_API_TOKENS_DIRECTORY": "/nowhere/at/all"}, "PROGRESS_API_TOKENS_DIRECTORY: "),
    "no number": ({"PROGRESS_API_CONNECTIONS": "many"}, "PROGRESS_API_CONNECTIONS: "),
    "no server": ({"DATABASE_URL": ""}, "DATABASE_URL"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_wrong_setting_is_named_in_one_line(environment: dict[str, str], mistake: str) -> None:
    wrong, named = MISTAKES[mistake]
    with taken_port() as port:
        refused = invoke({**environment, **wrong}, "serve", "--port", port)
    assert refused.exit_code == 1
    [line] = refused.stderr.splitlines()
    assert line.startswith(f"Error: {named}")
    assert TOKEN not in line


@pytest.mark.parametrize("host", ["", "a..b", "x" * 70, "host.invalid"])
def test_what_is_no_host_is_named_in_one_line(environment: dict[str, str], host: str) -> None:
    refused = invoke(environment, "serve", "--host", host, "--port", "0")
    assert refused.exit_code == 1
    [line] = refused.stderr.splitlines()
    assert line.startswith(f"Error: Cannot listen on {host!r}, port 0: ")


def test_a_port_in_use_is_named_in_one_line(environment: dict[str, str]) -> None:
    with taken_port() as port:
        refused = run(environment, "serve", "--port", port)
    assert refused.returncode == 1
    said = f"Error: Cannot listen on '127.0.0.1', port {port}: Address already in use. Choose another.\n"
    assert refused.stderr == said


@pytest.mark.parametrize("missing", ["uvicorn", "fastapi", "limits"])
def test_without_the_extra_it_says_what_to_install(environment: dict[str, str], missing: str) -> None:
    program = f"import sys; sys.modules[{missing!r}] = None; from worker.cli.main import main; main()"
    refused = subprocess.run(
        [sys.executable, "-c", program, "serve"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert refused.returncode == 1
    assert refused.stderr == f"Error: The API needs {missing}: pip install 'course-progress-worker[api]'.\n"


def test_config_shows_no_token(environment: dict[str, str]) -> None:
    given = {**environment, "PROGRESS_API_TOKENS": TOKENS, "COLUMNS": "400"}
    for arguments in (["config"], ["config", "--json"]):
        shown = invoke(given, *arguments)
        assert shown.exit_code == 0
        assert "PROGRESS_API_TOKENS" in shown.output
        assert TOKEN not in shown.output
        assert "lms" not in shown.output.replace("LMS", "")


@pytest.mark.parametrize(("number", "ends"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 130)])
def test_a_signal_ends_it_after_the_request_in_hand_is_answered(
    environment: dict[str, str], log: Path, engine: Engine, number: signal.Signals, ends: int
) -> None:
    insert_as_lms(engine, 1)
    with serving(environment, log) as (process, url), ThreadPoolExecutor(1) as pool, engine.connect() as lms:
        lms.exec_driver_sql("SELECT FROM user_course FOR UPDATE")
        view = pool.submit(httpx.post, f"{url}/progress/1/1/1/view", timeout=30)
        wait_until(lambda: rows(engine, BLOCKED), 20, "the request's wait for the lock")
        process.process.send_signal(number)
        wait_until(lambda: refuses_connections(f"{url}/healthz"), 5, "the end of listening")
        assert process.process.poll() is None
        lms.rollback()
        assert view.result(20).status_code == 200
        started = monotonic()
        assert process.process.wait(20) == ends, log.read_text()
        assert monotonic() - started < STOP_SECONDS / 2
    assert "Traceback" not in log.read_text()


@pytest.mark.second_tier
def test_a_request_that_does_not_end_is_given_up_and_writes_nothing(
    environment: dict[str, str], log: Path, engine: Engine
) -> None:
    patient = {"PROGRESS_API_LOCK_TIMEOUT_SECONDS": "60", "PROGRESS_STATEMENT_TIMEOUT_SECONDS": "60"}
    insert_as_lms(engine, 1)
    with serving({**environment, **patient}, log) as (process, url), ThreadPoolExecutor(1) as pool:
        with engine.connect() as lms:
            lms.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
            lms.exec_driver_sql("SELECT FROM user_course FOR UPDATE")
            view = pool.submit(httpx.post, f"{url}/progress/1/1/1/view", timeout=60)
            wait_until(lambda: rows(engine, BLOCKED), 20, "the request's wait for the lock")
            process.process.terminate()
            started = monotonic()
            process.process.wait(STOP_SECONDS + 10)
            assert monotonic() - started >= STOP_SECONDS, "it had its time"
            assert view.exception(20) or view.result().status_code == 503
            wait_until(lambda: not rows(engine, BLOCKED), 30, "the end of its statement")
            lms.rollback()
        assert rows(engine, "SELECT count(*) FROM lesson_event") == [(0,)]
    assert "Traceback" not in log.read_text()


@pytest.mark.second_tier
def test_a_misspelt_variable_is_logged_once(environment: dict[str, str], log: Path) -> None:
    with serving(environment | {"PROGRESS_STREM_KEY": "x"}, log):
        wait_until(lambda: "unknown_variable" in log.read_text(), what="the log line")
    assert log.read_text().count("PROGRESS_STREM_KEY is not a setting. Did you mean PROGRESS_STREAM_KEY?") == 1


def test_below_a_prefix_other_resources_of_xapi_are_not_there_either(environment: dict[str, str], log: Path) -> None:
    with serving(environment, log, "--root-path", "/lms") as (_, url):
        for path in ("/lms/xapi/agents/profile", "/xapi/agents/profile"):
            assert "a sink for statements" in httpx.get(url + path).json()["detail"]
        assert httpx.get(f"{url}/lms/xapis").json()["detail"] == "Not Found"
