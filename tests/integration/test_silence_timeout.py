"""A connection whose PostgreSQL stops answering while TCP stays up: closed by the client after a timeout."""

import asyncio
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from tests.support.proxy import Mode, Proxy, proxy
from worker.database.engine import extend_timeout, open_async_engine, open_engine
from worker.database.failures import Failure, classify, has_answered
from worker.settings import Settings

SILENCE_SECONDS = 0.4
"""Of the statement and of the margin together."""


@pytest.fixture
def network(settings: Settings) -> Iterator[Proxy]:
    with proxy(str(settings.database_url)) as made:
        yield made


@pytest.fixture
def proxied_settings(settings: Settings, network: Proxy) -> Settings:
    changes = {"statement_timeout_seconds": 0.2, "socket_timeout_seconds": SILENCE_SECONDS - 0.2}
    return settings.model_copy(update={"database_url": network.url, **changes})


@pytest.fixture
def engine(proxied_settings: Settings) -> Iterator[Engine]:
    engine = open_engine(proxied_settings)
    yield engine
    engine.dispose()


def test_silence_counts_as_a_lost_connection_and_the_next_one_works(network: Proxy, engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("SELECT"))
        network.set(Mode.SWALLOW)
        started = time.monotonic()
        with pytest.raises(OperationalError, match="silent") as raised:
            connection.execute(text("SELECT"))
    assert SILENCE_SECONDS <= time.monotonic() - started < SILENCE_SECONDS + 1
    assert raised.value.connection_invalidated
    assert classify(raised.value) is Failure.TRANSIENT
    assert not has_answered(raised.value)
    network.set(Mode.PASS)
    with engine.connect() as connection:
        connection.execute(text("SELECT"))


async def statement_met_by_silence(settings: Settings, network: Proxy) -> None:
    engine = open_async_engine(settings)
    async with engine.connect() as connection:
        await connection.execute(text("SELECT"))
        network.set(Mode.SWALLOW)
        with pytest.raises(OperationalError, match="silent"):
            await connection.execute(text("SELECT"))
    network.set(Mode.PASS)
    async with engine.connect() as connection:
        await connection.execute(text("SELECT"))
    await engine.dispose()


def test_so_it_is_in_an_event_loop(proxied_settings: Settings, network: Proxy) -> None:
    started = time.monotonic()
    asyncio.run(statement_met_by_silence(proxied_settings, network))
    assert SILENCE_SECONDS <= time.monotonic() - started < SILENCE_SECONDS + 2


def test_a_statement_that_may_take_longer_is_waited_for_in_its_transaction_alone(
    network: Proxy, engine: Engine
) -> None:
    with engine.begin() as connection:
        extend_timeout(connection, 10)
        connection.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": 2 * SILENCE_SECONDS})
    with engine.connect() as connection:
        connection.execute(text("SELECT"))
        network.set(Mode.SWALLOW)
        with pytest.raises(OperationalError, match="silent"):
            connection.execute(text("SELECT"))
    assert network.opened == 1
