"""Real servers for every test: one PostgreSQL and one Redis a session, a database and streams of its own for each.

`DATABASE_URL` and `REDIS_URL` name given servers (the role needs CREATEDB, nothing else); without them the embedded
ones run. What a developer has set for the worker itself reaches no test.
"""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from sqlalchemy import Engine

pytest.register_assert_rewrite("tests.support")

from tests.support.databases import clone_database, drop_database, make_template  # noqa: E402 - asserts rewritten first
from tests.support.server_data import is_in_memory, server_data  # noqa: E402
from worker.consume.consumer import Consumer  # noqa: E402
from worker.database.engine import open_engine  # noqa: E402
from worker.embedded.start import start_servers  # noqa: E402
from worker.embedded.state import Servers  # noqa: E402
from worker.settings import Settings, get_settings  # noqa: E402
from worker.streams import connection  # noqa: E402

# Put aside before the first test, which sees only the settings that it makes; under names that the processes which
# run the tests side by side inherit.
for name in ("DATABASE_URL", "REDIS_URL"):
    if name in os.environ:
        os.environ[f"GIVEN_{name}"] = os.environ.pop(name)
GIVEN = {name: os.environ.get(f"GIVEN_{name}") for name in ("DATABASE_URL", "REDIS_URL")}
for name in [name for name in os.environ if name.upper().startswith("PROGRESS_")]:
    del os.environ[name]

# Shells start background jobs with SIGINT ignored, and every child would inherit that: what is tested is Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A test's database outlives its examples on purpose: each example clears the tables it needs.
EXAMPLES = {"quick": 20, "full": 100, "thorough": 1_000}
for name, examples in EXAMPLES.items():
    hypothesis_settings.register_profile(
        name,
        deadline=None,
        max_examples=examples,
        derandomize="CI" in os.environ,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
hypothesis_settings.load_profile("quick")

TIMEOUTS = {"e2e": 180, "fault": 180, "property": 180}
"""Seconds, by folder, where they are not those of pyproject.toml. All examples of a law are one test."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every test its timeout; none where somebody asked for thorough laws, which take as long as they take."""
    is_thorough = hypothesis_settings.get_current_profile_name() == "thorough"
    for item in items:
        seconds = 0 if is_thorough else TIMEOUTS.get(item.path.parent.name)
        if seconds is not None:
            item.add_marker(pytest.mark.timeout(seconds))


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """The session's servers: those given, the embedded ones for what is not."""
    with server_data() as directory:
        if GIVEN["DATABASE_URL"] and GIVEN["REDIS_URL"]:
            given = Settings(database_url=GIVEN["DATABASE_URL"], redis_url=GIVEN["REDIS_URL"])
            yield Servers(str(given.database_url), str(given.redis_url), directory)
            return
        with start_servers(directory) as embedded:
            given = Settings(
                database_url=GIVEN["DATABASE_URL"] or embedded.database_url,
                redis_url=GIVEN["REDIS_URL"] or embedded.redis_url,
            )
            yield Servers(str(given.database_url), str(given.redis_url), directory)


@pytest.fixture(scope="session")
def template(servers: Servers) -> Iterator[str]:
    """The name of a migrated database without connections, to be cloned."""
    name = make_template(servers.database_url)
    yield name
    drop_database(servers.database_url, name)


@pytest.fixture
def database_url(servers: Servers, template: str) -> Iterator[str]:
    """A migrated, empty database of this test's own."""
    in_memory = GIVEN["DATABASE_URL"] is None and is_in_memory(servers.directory)
    name, url = clone_database(servers.database_url, template, strategy="file_copy" if in_memory else None)
    yield url
    drop_database(servers.database_url, name)


@pytest.fixture
def settings(database_url: str, servers: Servers, tmp_path: Path) -> Settings:
    """This test's settings: its own database and stream key, and times short enough to wait for."""
    stream_key = f"test-{uuid4().hex[:12]}"
    return Settings(
        database_url=database_url,
        redis_url=servers.redis_url,
        stream_key=stream_key,
        replay_window_seconds=0,  # what is done with is gone: most tests look for just that
        queue=f"{stream_key}-queue",
        runtime_directory=tmp_path / "run",
        slice_seconds=2,
        block_seconds=0.05,
        lease_seconds=2,
        stalled_seconds=0.5,
        reclaim_idle_seconds=1,
        reclaim_interval_seconds=0.1,
        consumer_idle_seconds=1,
        backoff_seconds=0.2,
        connect_timeout_seconds=2,
        socket_timeout_seconds=5,
        lock_timeout_seconds=2,
        statement_timeout_seconds=10,
    )


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    """The worker's own engine on this test's database."""
    engine = open_engine(settings)
    yield engine
    engine.dispose()


@pytest.fixture
def redis(settings: Settings) -> Iterator[connection.Redis]:
    """The worker's own client of Redis; whatever this test's names left in Redis is deleted at the end."""
    client = connection.connect(settings)
    yield client
    names = list(client.scan_iter(f"*{settings.stream_key}*", count=10_000))
    if names:
        client.delete(*names)
    client.close()


@pytest.fixture
def new_consumer(settings: Settings, redis: connection.Redis) -> Iterator[Callable[..., Consumer]]:
    """Make members of the group, each with connections of its own; keywords change settings of that one."""
    assert redis.ping()
    made: list[Consumer] = []

    def make(**changes: object) -> Consumer:
        changed = settings.model_copy(update=changes)
        made.append(Consumer(changed, connection.connect(changed), open_engine(changed)))
        return made[-1]

    yield make
    for consumer in made:
        consumer.leave()


@pytest.fixture
def consumer(new_consumer: Callable[..., Consumer]) -> Consumer:
    """A member of the group that has not read anything yet."""
    return new_consumer()


@pytest.fixture
def environment(settings: Settings, redis: connection.Redis) -> dict[str, str]:
    """The environment for a process that works on this test's database and streams."""
    assert redis.ping()
    return {
        **os.environ,
        "DATABASE_URL": str(settings.database_url),
        "REDIS_URL": str(settings.redis_url),
        "PROGRESS_STREAM_KEY": settings.stream_key,
        "PROGRESS_QUEUE": settings.queue,
        "PROGRESS_BLOCK_SECONDS": str(settings.block_seconds),
        "PROGRESS_REPLAY_WINDOW_SECONDS": str(settings.replay_window_seconds),
        "PROGRESS_RUNTIME_DIRECTORY": str(settings.runtime_directory),
    }


@pytest.fixture(autouse=True)
def _no_settings_from_another_test() -> Iterator[None]:
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()
