"""Completion percentages: the rounding rule, and the same in SQL."""

from decimal import ROUND_HALF_UP, Decimal

_HUNDREDTH = Decimal("0.01")
_NOTHING, _EVERYTHING = Decimal("0.00"), Decimal("100.00")


def percentage(part: int, total: int) -> Decimal:
    """Return `part` as a percentage of `total`, rounded half up to two decimals; 0 of 0 is 0.

    Only none gives 0 and only all gives 100: anything else is kept within 0.01 and 99.99.
    """
    if part == 0:
        return _NOTHING
    if part == total:
        return _EVERYTHING
    rounded = (Decimal(100 * part) / total).quantize(_HUNDREDTH, ROUND_HALF_UP)
    return min(max(rounded, _HUNDREDTH), _EVERYTHING - _HUNDREDTH)


def percentage_sql(part: str, total: str) -> str:
    """Return the SQL expression for `part` as a percentage of `total`, both names of integer columns."""
    rounded = f"round(100.0 * {part} / {total}, 2)"
    return f"CASE {part} WHEN 0 THEN 0 WHEN {total} THEN 100 ELSE least(greatest({rounded}, 0.01), 99.99) END"
