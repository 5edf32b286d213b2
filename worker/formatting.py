"""Figures as people say them, for the reasons that the analytics give."""


def duration(seconds: float) -> str:
    """A length of time, in the largest unit of which there are two."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def two_digits(number: float) -> str:
    """About so many: rounded to two significant digits."""
    return f"{float(f'{number:.1e}'):.15g}"


def percent(number: float) -> str:
    """A percentage in whole ones. Only nothing is 0, and only all is 100."""
    if 0 < number < 1:
        return "< 1 %"
    return "> 99 %" if 99 < number < 100 else f"{number:.0f} %"


def counted(number: int, noun: str) -> str:
    """So many of a noun whose plural ends in s, thousands parted."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
