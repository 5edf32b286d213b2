"""The pools of Celery in which the worker runs."""

from typing import Any

from celery.concurrency import get_implementation

POOLS = ("prefork", "solo", "threads")
"""Pools that run few tasks at a time. In others every wake-up would open a consumer with its own connections."""


def refuse_unsupported_pool(pool_cls: Any) -> None:
    """End the process with a sentence if the worker cannot run in this pool."""
    # SystemExit, because Celery only logs any other exception of a signal's receiver.
    pool = get_implementation(pool_cls)
    if pool not in map(get_implementation, POOLS):
        name = f"{pool.__module__}:{pool.__qualname__}"
        raise SystemExit(f"Error: The worker does not run in the pool {name}. Choose one of {', '.join(POOLS)}.")
