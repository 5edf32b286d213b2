"""Figures as people write them."""

import signal


def duration(seconds: float) -> str:
    """Return a length of time in the largest unit of which it has two."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def two_digits(number: float) -> str:
    """Return the number rounded to two significant digits, with thousands separated."""
    return f"{float(f'{number:.1e}'):,.15g}"


def percent(number: float) -> str:
    """Return a whole percentage: 0 only for nothing, 100 only for everything."""
    if 0 < number < 1:
        return "< 1 %"
    return "> 99 %" if 99 < number < 100 else f"{number:.0f} %"


def counted(number: int, noun: str) -> str:
    """Return the number and its noun, whose plural ends in s, with thousands separated."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def how_ended(status: int) -> str:
    """Return how a process ended, by its exit status or, negative, the signal."""
    return f"by {signal.Signals(-status).name}" if status < 0 else f"with exit status {status}"
