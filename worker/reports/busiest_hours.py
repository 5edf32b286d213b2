"""When it is busiest, in a sentence."""

from collections import Counter

from worker.formatting import counted, percent
from worker.reports.table import Table


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
        f"{weekday} is the busiest day with {percent(100 * on_it / total)} of {counted(total, 'event')}; "
        f"the busiest hour of the day begins at {hour}:00, with {percent(100 * in_it / total)}."
    )
