"""A refused connection is named as what it is: by commands, by readiness, and in the log of a worker that waits."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from sqlalchemy import make_url

from tests.support.commands import invoke
from tests.support.events import enrolled
from tests.support.server_data import server_data
from tests.support.system import System
from worker.client import EventPublisher
from worker.embedded.ports import free_port
from worker.embedded.start import start_servers
from worker.streams.connection import connect


@dataclass
class Guarded:
    """A PostgreSQL and a Valkey that want passwords, and their URLs."""

    database_url: str
    redis_url: str


@pytest.fixture(scope="module")
def guarded() -> Iterator[Guarded]:
    with (
        server_data() as directory,
        start_servers(directory, redis_port=free_port(), postgresql_port=free_port()) as servers,
    ):
        yield Guarded(servers.database_url, servers.redis_url)


def database(guarded: Guarded, **changes: object) -> str:
    return make_url(guarded.database_url).set(**changes).render_as_string(hide_password=False)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "predicate"),
    [
        ({"password": "wrong"}, 'refuses the password of role "postgres", or has no such role.'),
        ({"username": "nobody"}, 'refuses the password of role "nobody", or has no such role.'),
        ({"database": "none"}, 'has no database "none".'),
        ({"query": {"sslmode": "require"}}, "does not speak TLS, which the sslmode of DATABASE_URL requires."),
    ],
)
def test_by_postgresql(guarded: Guarded, changes: dict[str, object], predicate: str) -> None:
    environment = {"DATABASE_URL": database(guarded, **changes), "REDIS_URL": guarded.redis_url}
    for command in (["status"], ["health", "ready"]):
        result = invoke(environment, *command)
        assert result.exit_code == 1
        address = urlsplit(guarded.database_url).netloc.rpartition("@")[2]
        assert f"PostgreSQL at {address}/{changes.get('database', 'postgres')} {predicate}" in result.output


def test_by_postgresql_without_a_password(guarded: Guarded) -> None:
    url = guarded.database_url.replace(f":{urlsplit(guarded.database_url).password}@", "@")
    result = invoke({"DATABASE_URL": url, "REDIS_URL": guarded.redis_url}, "status")
    assert 'requires a password for role "postgres", and DATABASE_URL has none.' in result.stderr


@pytest.mark.parametrize(
    ("credentials", "path", "predicate"),
    [
        ("default:wrong@", "/0", 'refuses the password of user "default", or has no such user.'),
        ("nobody:x@", "/0", 'refuses the password of user "nobody", or has no such user.'),
        ("", "/0", "requires a password, and REDIS_URL has none."),
        (None, "/99", "has no database 99."),
    ],
)
def test_by_redis(guarded: Guarded, credentials: str | None, path: str, predicate: str) -> None:
    own, _, address = urlsplit(guarded.redis_url).netloc.rpartition("@")
    url = f"redis://{own + '@' if credentials is None else credentials}{address}{path}"
    result = invoke({"DATABASE_URL": guarded.database_url, "REDIS_URL": url}, "health", "ready")
    assert result.exit_code == 1
    assert f"Redis: Redis at {address}{path} {predicate}" in result.output


def test_by_redis_for_lack_of_rights(system: System) -> None:
    user = f"{system.settings.stream_key}-user"
    redis: Any = system.redis
    redis.execute_command("ACL", "SETUSER", user, "on", ">pw", "+ping")
    try:
        address = urlsplit(str(system.settings.redis_url)).netloc.rpartition("@")[2]
        environment = system.environment() | {"REDIS_URL": f"redis://{user}:pw@{address}/0"}
        result = invoke(environment, "status")
        assert result.exit_code == 1
        assert f"Redis at {address}/0 does not permit that: " in result.stderr
        assert "Extend the user's ACL." in result.stderr
    finally:
        redis.execute_command("ACL", "DELUSER", user)


@pytest.mark.parametrize("server", ["PostgreSQL", pytest.param("Redis", marks=pytest.mark.second_tier)])
def test_a_worker_says_it_and_begins_once_the_password_is_right(system: System, guarded: Guarded, server: str) -> None:
    assert invoke({"DATABASE_URL": guarded.database_url}, "migrate").exit_code == 0
    urls = {"database_url": guarded.database_url, "redis_url": guarded.redis_url, "broker_url": guarded.redis_url}
    publisher = EventPublisher(settings=system.settings.model_copy(update=urls))
    redis: Any = connect(system.settings.model_copy(update=urls))
    with psycopg.connect(guarded.database_url, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS worker")
        connection.execute("CREATE ROLE worker SUPERUSER LOGIN PASSWORD 'old'")
        redis.execute_command("ACL", "SETUSER", "worker", "on", "resetpass", ">old", "~*", "&*", "+@all")
        if server == "PostgreSQL":
            urls["database_url"] = database(guarded, username="worker", password="new")  # noqa: S106 - no secret
        else:
            urls["redis_url"] = f"redis://worker:new@{urlsplit(guarded.redis_url).netloc.rpartition('@')[2]}/0"
        worker = system.start_worker(1, **urls)
        (stopped, *_) = worker.wait_for_line("reading_stopped")
        assert stopped["detail"].startswith(f"{server} at 127.0.0.1")
        assert "refuses the password of " in stopped["detail"]
        assert worker.lines("server_away") == []
        connection.execute("ALTER ROLE worker PASSWORD 'new'")
        redis.execute_command("ACL", "SETUSER", "worker", "resetpass", ">new")
        publisher.publish(enrolled(1))
        worker.wait_for_line("batch_recorded")


@pytest.mark.second_tier
def test_by_the_broker(system: System, guarded: Guarded) -> None:
    address = urlsplit(guarded.redis_url).netloc.rpartition("@")[2]
    worker = system.start_worker(1, broker_url=f"redis://default:wrong@{address}/0")
    (away, *_) = worker.wait_for_line("broker_away")
    predicate = 'refuses the password of user "default", or has no such user.'
    assert away["detail"] == f"Redis at {address}/0 {predicate}"
