"""Percentages in SQL, as `rules.percentage` defines them."""


def percentage(part: str, total: str) -> str:
    """Return the expression for `part` as a percentage of `total`, both names of integer columns."""
    rounded = f"round(100.0 * {part} / {total}, 2)"
    return f"CASE {part} WHEN 0 THEN 0 WHEN {total} THEN 100 ELSE least(greatest({rounded}, 0.01), 99.99) END"
