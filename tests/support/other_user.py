"""Another local user, where root runs the tests: what it can do is tried in a forked child that has become it."""

import os
import pickle
from collections.abc import Callable
from typing import TypeVar

OTHER = 65_534
"""nobody, who owns nothing."""
IS_ROOT = os.geteuid() == 0

T = TypeVar("T")


def as_another_user(act: Callable[[], T]) -> T | None:
    """What `act` returns to the other user; None where the system does not let it. It can import nothing new."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(OTHER)
            os.setuid(OTHER)
            os.write(writing, pickle.dumps(_attempt(act)))
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        result: T | None = pickle.loads(answer.read())  # noqa: S301 - of our own child
    os.waitpid(child, 0)
    return result


def _attempt(act: Callable[[], T]) -> T | None:
    try:
        return act()
    except OSError:
        return None
