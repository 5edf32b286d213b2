"""Wait on a condition with a deadline; never for a time.

The deadline only ends what hangs, so it leaves a loaded machine room. A bound that is a promise is given at the call.
"""

import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")

POLL_SECONDS = 0.01


def wait_until(condition: Callable[[], Answer], seconds: float = 30, what: str = "the condition") -> Answer:
    """Return the first true answer of `condition`. Fails when it has not come after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"{what} did not come within {seconds} s"
        time.sleep(POLL_SECONDS)
    return answer
