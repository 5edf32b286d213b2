"""What belongs to one worker process: its consumers, and the flag by which the parent tells its children to stop."""

import gc
import mmap
import threading

from worker.services.consumer import Consumer
from worker.settings import get_settings
from worker.storage import database
from worker.stream import connection

# Shared with the pool's processes, because they are forked after this import. A plain byte: a signal handler may
# write it at any moment, where a lock could deadlock.
_stopping = mmap.mmap(-1, 1)

_consumers: dict[int, Consumer] = {}
"""By thread: each has its own connections and its own name in the group."""


def stop_reading() -> None:
    """Tell every consumer of this worker, in whatever process or thread, to stop reading."""
    _stopping[0] = 1


def is_stopping() -> bool:
    """The worker is shutting down."""
    return _stopping[0] == 1


def current_consumer() -> Consumer:
    """This thread's consumer, made on first use and kept from drain to drain."""
    thread = threading.get_ident()
    if thread not in _consumers:
        settings = get_settings()
        _consumers[thread] = Consumer(settings, connection.connect(settings), database.connect(settings))
        if len(_consumers) == 1:
            # What was imported stays: without this each full collection goes through all of it (docs/decisions/0007).
            gc.collect()
            gc.freeze()
    return _consumers[thread]


def forget_consumers() -> None:
    """Start without any, in a process that was just forked: connections do not survive a fork."""
    _consumers.clear()


def leave_group() -> None:
    """Take this process's consumers out of the group and close their connections; what is pending stays with them."""
    for consumer in _consumers.values():
        consumer.leave()
    _consumers.clear()
