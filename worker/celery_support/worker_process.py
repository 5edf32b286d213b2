"""The state of one worker: its processes' consumers, the flag that stops them, and the pipe for its wake-ups."""

import gc
import mmap
import os
import threading
from contextlib import suppress

from worker.consume.consumer import Consumer
from worker.consume.drain import Drain, Host
from worker.consume.recovery import Recovery
from worker.database.engine import open_engine
from worker.settings import get_settings
from worker.streams import connection

# Shared with the pool's processes, which are forked after this import. A plain byte, because a signal handler may write
# it at any moment and a lock could deadlock.
_stopping = mmap.mmap(-1, 1)

# Shared likewise. It never blocks: a wake-up that does not fit is one of thousands.
WAKE_UPS, _wake_up_pipe = os.pipe()
"""The main process's end: readable after a process or thread of this worker has asked for another drain."""
os.set_blocking(WAKE_UPS, False)
os.set_blocking(_wake_up_pipe, False)

_consumers: dict[int, tuple[Consumer, Recovery]] = {}
"""By thread: each has its own connections and its own name in the group."""


def stop_reading() -> None:
    """Stop the reading of every consumer of this worker, in all processes and threads."""
    _stopping[0] = 1


def is_stopping() -> bool:
    """Return whether the worker is shutting down."""
    return _stopping[0] == 1


def wake_up() -> None:
    """Ask this worker's main process for another drain, from any of its processes and threads. Needs no server."""
    with suppress(BlockingIOError):
        os.write(_wake_up_pipe, b"\a")


def take_wake_ups() -> None:
    """Clear all requests made so far."""
    with suppress(BlockingIOError):
        os.read(WAKE_UPS, 65_536)


def current_consumer() -> Consumer:
    """Return this thread's consumer, made on first use and kept from drain to drain."""
    return _current()[0]


def current_drain(host: Host, seconds: float) -> Drain:
    """Return a drain of this thread's consumer, with the memory of its earlier drains."""
    consumer, recovery = _current()
    return Drain(consumer, host, seconds, recovery)


def _current() -> tuple[Consumer, Recovery]:
    thread = threading.get_ident()
    if thread not in _consumers:
        settings = get_settings()
        consumer = Consumer(settings, connection.connect(settings), open_engine(settings))
        _consumers[thread] = (consumer, Recovery(consumer))
        if len(_consumers) == 1:
            # Imported modules stay: without this each full collection traverses them (docs/decisions/0007).
            gc.collect()
            gc.freeze()
    return _consumers[thread]


def forget_consumers() -> None:
    """Drop the consumers in a process that was just forked: connections do not survive a fork."""
    _consumers.clear()


def leave_group() -> None:
    """Take this process's consumers out of the group and close their connections; their pending entries stay."""
    for consumer, _ in _consumers.values():
        consumer.leave()
    _consumers.clear()
