"""The running system of one test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.system import System
from worker.settings import Settings
from worker.streams.connection import Redis


@pytest.fixture
def system(settings: Settings, redis: Redis, tmp_path: Path) -> Iterator[System]:
    """This test's own database and streams; whatever process it starts ends with it."""
    system = System(settings, redis, tmp_path)
    yield system
    system.close()
