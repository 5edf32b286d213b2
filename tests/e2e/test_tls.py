"""TLS to Redis: who does not know the authority of its certificate sends it nothing; who does works as ever."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import RedisError

from tests.support.commands import invoke
from tests.support.events import completed, enrolled
from tests.support.system import System
from tests.support.tls import Tls, tls
from tests.support.wait import wait_until
from worker.client import EventPublisher
from worker.settings import Settings
from worker.streams.connection import Redis

UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"


@pytest.fixture
def front(settings: Settings, tmp_path: Path) -> Iterator[Tls]:
    """Valkey's wheel has no TLS of its own."""
    with tls(str(settings.redis_url), tmp_path) as front:
        yield front


@pytest.fixture
def system_of(settings: Settings, redis: Redis, tmp_path: Path) -> Iterator[System]:
    """Not connected to anything yet: a test says to which URL."""
    made = System(settings, redis, tmp_path)
    yield made
    made.close()


def use(system: System, url: str) -> None:
    changed = Settings(database_url=system.settings.database_url, redis_url=url)
    system.settings = system.settings.model_copy(update={"redis_url": changed.redis_url})


@pytest.mark.parametrize(
    ("options", "host"),
    [
        ("", "localhost"),
        pytest.param("?ssl_cert_reqs=CERT_REQUIRED", "localhost", marks=pytest.mark.second_tier),
        pytest.param("?ssl_check_hostname=true&ssl_ca_certs={authority}", "127.0.0.1", marks=pytest.mark.second_tier),
    ],
    ids=["by default", "as Celery spells it", "another host's certificate"],
)
def test_nobody_says_a_word_to_a_server_that_is_not_trusted(
    front: Tls, system_of: System, options: str, host: str
) -> None:
    use(system_of, front.url(options.format(authority=front.authority), host))
    with pytest.raises(RedisError, match=UNTRUSTED):
        EventPublisher(settings=system_of.settings, retries=0).publish(enrolled(1))
    shown = invoke(system_of.environment(), "status")
    assert shown.exit_code == 1
    assert "is not trusted" in shown.stderr
    assert "?ssl_ca_certs=FILE" in shown.stderr
    refused = front.refused
    beat = system_of.start_beat()
    wait_until(lambda: UNTRUSTED in beat.tail(200) and front.refused > refused, 20, "beat's refusal")
    worker = system_of.start_worker(1)
    wait_until(lambda: UNTRUSTED in worker.tail(200), 20, "the worker's refusal")
    assert front.received == 0


@pytest.mark.parametrize(
    "options",
    [
        "?ssl_ca_certs={tls.authority}",
        pytest.param("?ssl_cert_reqs=CERT_NONE", marks=pytest.mark.second_tier),
        pytest.param("?ssl_cert_reqs=none", marks=pytest.mark.second_tier),
        "?ssl_cert_reqs=CERT_REQUIRED&ssl_ca_certs={tls.authority}&ssl_certfile={tls.certificate}&ssl_keyfile={tls.key}",
    ],
    ids=["authority", "unverified as Celery spells it", "unverified as redis-py spells it", "with certificates"],
)
def test_streams_and_broker_work_alike_over_tls(front: Tls, system_of: System, options: str) -> None:
    if "certfile" in options:
        front.demand_certificates()
    use(system_of, front.url(options.format(tls=front)))
    system_of.publish([enrolled(1), completed(1, 1, 1)])
    system_of.start_worker(1)
    system_of.start_beat()
    wait_until(lambda: system_of.recorded() == 1, 30, "the event")
    assert invoke(system_of.environment(), "health", "ready").exit_code == 0
    assert front.refused == 0
