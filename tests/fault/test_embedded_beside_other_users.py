"""The embedded servers beside other users of the host, who get in nowhere; and no permission is changed for them."""

import os
import socket
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest
import redis

from tests.support.other_user import IS_ROOT, as_another_user
from tests.support.own_servers import OwnServers
from tests.support.server_data import server_data
from worker import running_up
from worker.embedded import programs
from worker.embedded.start import start_servers
from worker.embedded.state import Servers
from worker.errors import ServerUnavailableError
from worker.running_up import RunningUp, nearest, publish

as_root = pytest.mark.skipif(not IS_ROOT, reason="only root can become another user")


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A directory that everybody may pass through, so that nothing but the servers' own care keeps others out."""
    with server_data() as directory:
        directory.chmod(0o755)
        yield directory


@pytest.fixture(scope="module")
def servers(place: Path) -> Iterator[Servers]:
    (place / "data").mkdir(mode=0o755)
    (place / "data").chmod(0o755)
    with start_servers(place / "data") as servers:
        yield servers


def ask_valkey(servers: Servers, *commands: str) -> bytes:
    """What a caller hears who knows the address and no password."""
    with socket.create_connection(("127.0.0.1", urlsplit(servers.redis_url).port or 0), 10) as caller:
        caller.sendall("".join(f"{command}\r\n" for command in commands).encode())
        caller.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: caller.recv(4096), b""))


def processes_of(servers: Servers) -> list[psutil.Process]:
    found = []
    for each in psutil.process_iter():
        with suppress(psutil.NoSuchProcess):  # PostgreSQL's processes come and go
            if each.name().startswith(("postgres", "valkey")) and each.cwd().startswith(str(servers.directory)):
                found.append(each)
    return found


def test_without_the_password_valkey_does_nothing(servers: Servers) -> None:
    ours = redis.Redis.from_url(servers.redis_url)
    ours.set("kept", "7")
    heard = ask_valkey(servers, "FLUSHALL", "CONFIG GET requirepass", "SHUTDOWN NOSAVE", "AUTH guess")
    assert heard.startswith(b"-NOAUTH")
    assert heard.count(b"-NOAUTH") == 3
    assert ours.get("kept") == b"7"


def test_the_password_is_in_no_command_line_and_in_no_file_that_others_may_read(servers: Servers) -> None:
    password = urlsplit(servers.redis_url).password
    assert password
    assert len(password) == 32
    for process in psutil.process_iter(["cmdline"]):
        assert password not in " ".join(process.info["cmdline"] or [])
    holders = [path for path in servers.directory.rglob("*") if path.is_file() and password in read(path)]
    assert holders == [servers.directory / "valkey.password"]
    for path in servers.directory.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def read(path: Path) -> str:
    return path.read_text(encoding="latin-1")


@as_root
def test_another_user_reads_no_file_and_reaches_no_database(servers: Servers) -> None:
    address = servers.database_url.replace("+psycopg", "")
    psycopg.connect(address).close()
    socket_file = servers.directory / "postgresql" / ".s.PGSQL.5432"

    def reach(path: Path) -> bool:
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(str(path))
        return True

    assert reach(socket_file)
    assert as_another_user(lambda: list(servers.directory.iterdir())), "the directory itself is open in this test"
    assert as_another_user(lambda: reach(socket_file)) is None
    for path in [each for each in servers.directory.iterdir() if each.is_file()]:
        assert as_another_user(path.read_bytes) is None, path
    heard = as_another_user(lambda: ask_valkey(servers, "FLUSHALL"))
    assert heard is not None
    assert heard.startswith(b"-NOAUTH")


@as_root
def test_the_state_of_a_running_up_is_read_by_its_user_alone(
    servers: Servers, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running_up, "private_directory", lambda: place / "base")
    up = RunningUp(servers.database_url, servers.redis_url, servers.directory, Path.cwd())
    with publish(up):
        assert nearest() == up
        (state_file,) = (place / "base").glob("*.json")
        assert as_another_user(state_file.read_text) is None
        (place / "base").chmod(0o755)
        assert as_another_user(state_file.read_text) is None
        (place / "base").chmod(0o777)
        assert nearest() is None, "anybody could have put it there"


@as_root
def test_no_server_runs_as_root(servers: Servers) -> None:
    seen = set()
    for process in processes_of(servers):
        with suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            assert 0 not in {*process.uids(), *process.gids()}, process
            status = Path(f"/proc/{process.pid}/status").read_text()
            assert "Groups:\t \n" in status
            seen.add(process.name())
    assert {"postgres", "valkey-server"} <= seen


@as_root
def test_below_a_private_home_they_work_and_not_a_permission_changes(place: Path) -> None:
    home = place / "home"
    home.mkdir(mode=0o700)
    (home / "project").mkdir(mode=0o750)
    before = modes(home, home / "project", *place.parents, place)
    with start_servers(home / "project" / "data") as servers:
        with psycopg.connect(servers.database_url.replace("+psycopg", "")) as connection:
            assert connection.execute("SELECT 42").fetchone() == (42,)
        assert redis.Redis.from_url(servers.redis_url).ping()
        assert modes(home, home / "project", *place.parents, place) == before
        assert modes(servers.directory) == {servers.directory: 0o700}
    assert modes(home, home / "project", *place.parents, place) == before


def modes(*paths: Path) -> dict[Path, int]:
    return {path: stat.S_IMODE(path.stat().st_mode) for path in paths}


@as_root
def test_data_that_valkey_wrote_as_root_is_handed_over(place: Path) -> None:
    directory = place / "before"
    with start_servers(directory) as servers:
        redis.Redis.from_url(servers.redis_url).set("kept", "7")
    for path in (directory / "valkey", *(directory / "valkey").rglob("*")):
        os.chown(path, 0, 0)
    with start_servers(directory) as servers:
        assert redis.Redis.from_url(servers.redis_url).get("kept") == b"7"


@as_root
def test_programs_installed_in_a_private_home_are_copied_to_where_everybody_may_run_them(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = place / "venv"
    program = packages / "wheel" / "bin" / "server"
    program.parent.mkdir(parents=True)
    (packages / "wheel.libs").mkdir()
    (packages / "wheel.libs" / "library").write_text("needed")
    (packages / "wheel.libs" / "library").chmod(0o600)
    program.write_text('#!/bin/sh\ncat "$(dirname "$0")/../../wheel.libs/library"\n')
    program.chmod(0o700)
    packages.chmod(0o700)
    before = modes(packages, program, place)
    shared = place / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    monkeypatch.setattr(programs, "lasting_directory", lambda: shared)

    def runnable() -> Path:
        return programs.runnable(program, packages, packages / "wheel", packages / "wheel.libs")

    copy = runnable()
    assert runnable() == copy
    assert as_another_user(lambda: subprocess.check_output([program])) is None
    assert as_another_user(lambda: subprocess.check_output([copy])) == b"needed"
    assert as_another_user(lambda: copy.write_text("worse")) is None
    assert modes(packages, program, place) == before
    assert len(list(copy.parents[2].parent.iterdir())) == 1, "nothing unfinished is left"

    packages.chmod(0o755)
    program.chmod(0o755)
    assert runnable() == program


def link(path: Path, victim: Path) -> None:
    path.symlink_to(victim, target_is_directory=True)


def open_to_all(path: Path, _victim: Path) -> None:
    path.mkdir()
    path.chmod(0o777)


@pytest.mark.parametrize("prepare", [link, open_to_all])
def test_a_directory_for_data_that_another_user_may_write_to_is_refused(
    tmp_path: Path, prepare: Callable[[Path, Path], None]
) -> None:
    shared, victim = tmp_path / "shared", tmp_path / "victim"
    victim.mkdir()
    shared.mkdir()
    shared.chmod(0o1777)
    prepare(shared / "data", victim)
    with (
        pytest.raises(ServerUnavailableError, match=r"is not a directory of your own.*PROGRESS_EMBEDDED_DIRECTORY"),
        start_servers(shared / "data"),
    ):
        pass
    assert list(victim.iterdir()) == []


def test_whoever_listens_on_the_port_first_is_not_told_the_password(place: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as thief:
        thief.setblocking(False)
        owner = OwnServers(Path(tempfile.mkdtemp(dir=place)))
        with pytest.raises(ServerUnavailableError, match="cannot listen on port"):
            owner.start_valkey(thief.getsockname()[1])
        with pytest.raises(BlockingIOError):
            thief.accept()


def test_an_address_that_is_wanted_again_keeps_its_password_any_other_gets_a_new_one(place: Path) -> None:
    owner = OwnServers(Path(tempfile.mkdtemp(dir=place)))
    owner.start_valkey(None)
    first = owner.redis_url
    owner.close()
    owner.start_valkey()
    assert owner.redis_url == first
    owner.close()
    owner.start_valkey(None)
    assert urlsplit(owner.redis_url).password != urlsplit(first).password
    owner.close()
