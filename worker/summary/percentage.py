"""Percentages in SQL, as `worker.summary.rules.percentage` has them."""


def percentage(part: str, total: str) -> str:
    """The expression of `part` in percent of `total`, both names of columns with whole numbers."""
    rounded = f"round(100.0 * {part} / {total}, 2)"
    return f"CASE {part} WHEN 0 THEN 0 WHEN {total} THEN 100 ELSE least(greatest({rounded}, 0.01), 99.99) END"
