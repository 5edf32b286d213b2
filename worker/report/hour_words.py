"""When it is busiest, in a sentence."""

from collections import Counter

from worker.report.table import Table
from worker.report.wording import many


def busiest(table: Table) -> str:
    """The weekday and the hour of the day with the most events."""
    weekdays: Counter[str] = Counter()
    hours: Counter[int] = Counter()
    for record in table.records():
        weekdays[record["weekday"]] += record["events"]
        hours[record["hour"]] += record["events"]
    total = weekdays.total()
    (weekday, on_it), (hour, in_it) = weekdays.most_common(1)[0], hours.most_common(1)[0]
    return (
        f"{weekday} is the busiest day with {100 * on_it / total:.0f} % of {many(total, 'event')}; "
        f"the busiest hour of the day begins at {hour}:00, with {100 * in_it / total:.0f} %."
    )
