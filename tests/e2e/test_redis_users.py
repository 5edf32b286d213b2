"""What docs/how-to/tls-and-least-rights.md grants to each Redis user suffices; one without `@dangerous` works too.

Every user here is made by the very lines of that document, with this test's names of keys.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from celery import Celery

from tests.support.api import served
from tests.support.commands import invoke
from tests.support.events import as_json, enrolled, viewed
from tests.support.own_servers import OwnServers, own_servers
from tests.support.system import System
from tests.support.tables import execute
from tests.support.wait import wait_until
from worker.client import EventPublisher
from worker.contract.event import Event
from worker.ops.readiness import check_readiness
from worker.settings import Settings
from worker.streams import connection
from worker.streams.connection import Redis

DOCUMENT = Path(__file__).parents[2] / "docs" / "how-to" / "tls-and-least-rights.md"
ROLES = ("publisher", "api", "beat", "operator", "worker")


def documented() -> dict[str, str]:
    """Each role's rights, as the document's commands grant them."""
    (block,) = re.findall(r"^```redis\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return dict(re.findall(r"^ACL SETUSER progress_(\w+) on >change-me (.*)$", block, re.MULTILINE))


@pytest.fixture(scope="module")
def own() -> Iterator[OwnServers]:
    """A Valkey whose users may be made."""
    with own_servers() as servers:
        yield servers


@pytest.fixture
def users(settings: Settings, own: OwnServers, tmp_path: Path) -> Iterator[SimpleNamespace]:
    """A system that is looked at as the administrator, and a function that makes a user and gives its URL."""
    settings = settings.model_copy(update={"redis_url": own.redis_url})
    administrator = connection.connect(settings)
    administrator.flushall()
    system = System(settings, administrator, tmp_path)

    def url_of(name: str, rights: str) -> str:
        rights = rights.replace("lesson-events", settings.stream_key)
        rights = rights.replace("~progress", f"~{settings.queue}")
        command: Any = administrator.execute_command
        command("ACL", "SETUSER", name, "reset", "on", ">change-me", *rights.split())
        at = urlsplit(own.redis_url)
        return f"redis://{name}:change-me@{at.hostname}:{at.port}/0"

    yield SimpleNamespace(system=system, url_of=url_of, administrator=administrator)
    system.close()
    administrator.close()


def refused(administrator: Redis) -> list[dict[str, Any]]:
    """What any user was refused since the server started."""
    log: Any = administrator.acl_log()
    return [{name: each[name] for name in ("reason", "object", "username")} for each in log]


@pytest.mark.second_tier
def test_each_role_does_its_work_with_the_documented_rights(users: SimpleNamespace) -> None:
    system, administrator = users.system, users.administrator
    rights = documented()
    assert tuple(rights) == ROLES
    url = {role: users.url_of(f"progress_{role}", rights[role]) for role in ROLES}
    administrator.acl_log_reset()

    events: list[Event] = [enrolled(each) for each in range(1, 17)]
    publisher = EventPublisher(url["publisher"], settings=system.settings)
    publisher.publish_many(events)
    publisher.close()
    system.start_beat(redis_url=url["beat"])
    gossiping = system.start("worker", "-c", "2", environment=system.environment(redis_url=url["worker"]))
    worker = system.start_worker(2, redis_url=url["worker"], log_level="DEBUG")
    events += [viewed(each) for each in range(1, 17)]
    system.publish([*events[16:], viewed(900)])
    worker.wait_for_line("maintained", count=2)
    app = Celery(broker=system.settings.redis_url)
    app.conf.task_default_queue = system.settings.queue
    app.send_task("progress.lesson_viewed", kwargs={"user_course_id": 0})
    app.close()
    wait_until(lambda: system.dead_letters() == {"unknown_enrollment": 1, "invalid_event": 1}, 20, "the Celery task")
    execute(system.engine, "DELETE FROM dead_letter")

    as_operator = system.environment(redis_url=url["operator"])
    for command in ("status", "metrics", "health ready", "drain --timeout 10", "replay", "system show"):
        result = invoke(as_operator, *command.split())
        assert result.exit_code == 0, result.output
    with served(system.settings.model_copy(update={"redis_url": url["api"]})) as client:
        assert client.get("/readyz").json() == {"ok": True, "checks": {"postgresql": True, "redis": True}}
        batch = {"Content-Type": "application/cloudevents-batch+json", "Prefer": "respond-async"}
        events.append(viewed(3, 1, 9))
        assert client.post("/events", json=[as_json(events[-1])], headers=batch).status_code == 202
    system.assert_exact(events)
    for each in (worker, gossiping):
        assert each.stop()[0] == 0
        assert not [line for line in each.lines() if "NOPERM" in json.dumps(line)]
    assert [each for each in refused(administrator) if each["object"] != "info"] == []


def test_a_user_without_dangerous_commands_can_do_everything(users: SimpleNamespace) -> None:
    system = users.system
    url = users.url_of("careful", "~* &* +@all -@dangerous")
    events: list[Event] = [enrolled(1), viewed(1)]
    system.publish(events)
    system.start_beat(redis_url=url)
    worker = system.start_worker(2, redis_url=url, log_level="DEBUG")
    system.assert_exact(events)
    worker.wait_for_line("maintained")
    environment = system.environment(redis_url=url)
    assert invoke(environment, "health", "ready").stdout == "PostgreSQL: ok\nRedis: ok\n"
    shown = json.loads(invoke(environment, "status", "--json").stdout)
    assert shown["warnings"] == []
    assert shown["versions"]["redis"].split()[0] in {"Redis", "Valkey"}
    assert invoke(environment, "metrics").exit_code == 0
    with served(system.settings.model_copy(update={"redis_url": url})) as client:
        assert client.get("/readyz").status_code == 200


def test_a_user_without_info_is_told_all_the_same_why_no_event_is_taken(users: SimpleNamespace) -> None:
    """By what Redis does, not by what it says of itself."""
    redis, url = users.administrator, users.url_of("api", documented()["api"])
    settings = users.system.settings.model_copy(update={"redis_url": url})
    for sentence, name, value in (
        ("Redis is full", "maxmemory", 1),
        ("NOREPLICAS", "min-replicas-to-write", 1),
    ):
        redis.config_set(name, value)
        assert sentence in str(check_readiness(settings)["Redis"])
        redis.config_set(name, 0)
    redis.replicaof("127.0.0.1", "1")
    assert "Redis is a replica" in str(check_readiness(settings)["Redis"])
    redis.replicaof("NO", "ONE")
    assert check_readiness(settings) == {"PostgreSQL": None, "Redis": None}
