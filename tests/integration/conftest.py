"""Every way in, onto this test's system."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine

from tests.support.api import served
from tests.support.doors import Doors
from worker.consume.consumer import Consumer
from worker.settings import Settings
from worker.streams.connection import Redis


@pytest.fixture
def open_api(settings: Settings) -> Iterator[httpx.Client]:
    """A client of the API on this test's system."""
    with served(settings) as client:
        yield client


@pytest.fixture
def doors(
    engine: Engine,
    redis: Redis,
    open_api: httpx.Client,
    consumer: Consumer,
    environment: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Doors:
    """The stream, the API and the command line, whose drain need not wait a second for more."""
    monkeypatch.setattr("worker.consume.drain_until_empty.SLICE_SECONDS", 0.01)
    return Doors(engine, redis, open_api, consumer, environment, tmp_path)
