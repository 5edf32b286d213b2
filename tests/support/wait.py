"""Wait on a condition with a deadline; never for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")

POLL_SECONDS = 0.01


def wait_until(condition: Callable[[], Answer], seconds: float = 10, what: str = "the condition") -> Answer:
    """Return the first true answer of `condition`. Fails when it has not come after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"{what} did not come within {seconds} s"
        time.sleep(POLL_SECONDS)
    return answer
