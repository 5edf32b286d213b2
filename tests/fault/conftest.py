"""The running system of one test: on the session's servers, or on some of this module's own that may be stopped."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import own_servers as own
from tests.support.databases import clone_database, drop_database, make_template
from tests.support.own_servers import OwnServers
from tests.support.system import System
from worker.settings import Settings
from worker.streams import connection
from worker.streams.connection import Redis


@pytest.fixture
def system(settings: Settings, redis: Redis, tmp_path: Path) -> Iterator[System]:
    """This test's own database and streams; whatever process it starts ends with it."""
    system = System(settings, redis, tmp_path)
    yield system
    system.close()


@pytest.fixture(scope="module")
def own_servers(request: pytest.FixtureRequest) -> Iterator[OwnServers]:
    """Servers that only this module uses; with the parameter `redis`, Debian's Redis where it is installed."""
    redis = getattr(request, "param", "valkey") == "redis"
    if redis and own.REDIS is None:
        pytest.skip("redis-server is not installed")
    with own.own_servers(redis=redis) as servers:
        yield servers


@pytest.fixture
def own_redis_system(settings: Settings, own_servers: OwnServers, tmp_path: Path) -> Iterator[System]:
    """Like `system`, with streams and broker on the module's own Valkey, which is emptied first."""
    settings = settings.model_copy(update={"redis_url": own_servers.redis_url})
    redis = connection.connect(settings)
    redis.flushall()
    system = System(settings, redis, tmp_path)
    yield system
    system.close()
    redis.close()


@pytest.fixture(scope="module")
def own_template(own_servers: OwnServers) -> str:
    """A migrated database of the module's own PostgreSQL, to be cloned."""
    return make_template(own_servers.database_url)


@pytest.fixture
def own_postgresql_system(
    settings: Settings, redis: Redis, own_servers: OwnServers, own_template: str, tmp_path: Path
) -> Iterator[System]:
    """Like `system`, with a database of the module's own PostgreSQL."""
    name, url = clone_database(own_servers.database_url, own_template)
    system = System(settings.model_copy(update={"database_url": url}), redis, tmp_path)
    yield system
    system.close()
    if not own_servers.postgresql_is_running():
        own_servers.start_postgresql()
    drop_database(own_servers.database_url, name)
