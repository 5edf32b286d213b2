"""`system adopt` takes over another system's streams after confirmation, and closes its connections."""

from collections.abc import Iterator
from unittest.mock import Mock

import pytest
from sqlalchemy import Engine

from tests.support.commands import invoke
from worker.failover.ownership import claim_streams, read_ownership
from worker.settings import Settings
from worker.streams import connection, owner_mark
from worker.streams.connection import Redis
from worker.streams.keys import Keys


@pytest.fixture
def keys(settings: Settings, engine: Engine, redis: Redis) -> Keys:
    """The streams, claimed by this test's database."""
    keys = Keys(settings.stream_key, settings.stream_partitions)
    with engine.connect() as database:
        claim_streams(database, redis, keys, "one")
    return keys


@pytest.fixture(autouse=True)
def _every_connection_is_closed(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    connect, closed = connection.connect, []

    def watched(settings: Settings) -> Redis:
        client = connect(settings)
        closed.append(Mock(wraps=client.close))
        monkeypatch.setattr(client, "close", closed[-1])
        return client

    monkeypatch.setattr(connection, "connect", watched)
    yield
    assert closed, keys
    assert all(each.called for each in closed)


def test_nothing_is_adopted_where_no_stream_is_anothers(environment: dict[str, str]) -> None:
    result = invoke(environment, "system", "adopt")
    assert (result.exit_code, result.stdout) == (0, "Nothing to adopt: no stream belongs to another system.\n")


def test_streams_of_another_system_are_listed_and_taken_over_once_that_is_confirmed(
    environment: dict[str, str], engine: Engine, redis: Redis, keys: Keys
) -> None:
    owner_mark.take_over(redis, keys, "0198/7412/lms")
    found = read_ownership(engine, redis, keys)
    assert set(found.others) == set(keys.streams)
    assert not found.is_settled

    declined = invoke(environment, "system", "adopt")
    assert declined.exit_code == 1
    assert f"{keys.stream_key}: belongs to database lms, id 0198" in declined.stdout
    assert read_ownership(engine, redis, keys) == found

    assert invoke(environment, "system", "adopt", "--yes").exit_code == 0
    assert read_ownership(engine, redis, keys).is_settled
