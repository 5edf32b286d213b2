"""Merge the rows of a lesson's present and former places."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from worker.contract.lesson import Lesson
from worker.contract.progress_status import ProgressStatus
from worker.progress.moved_lessons import Moved
from worker.progress.reference import Progress


def counted_statuses(rows: Mapping[Lesson, ProgressStatus], moved: Moved) -> dict[Lesson, ProgressStatus]:
    """Return the highest status of all places of each lesson."""
    return {
        lesson: max((rows[place] for place in its), key=lambda status: status.rank)
        for lesson, its in places_of(rows, moved).items()
    }


def counted_rows(rows: Mapping[Lesson, Progress], moved: Moved) -> dict[Lesson, Progress]:
    """Return the highest status, latest view and earliest completion of all places of each lesson."""
    statuses = counted_statuses({place: row.status for place, row in rows.items()}, moved)
    return {
        lesson: Progress(
            statuses[lesson],
            max((at for place in its if (at := rows[place].last_viewed_at)), default=None),
            min((at for place in its if (at := rows[place].completed_at)), default=None),
        )
        for lesson, its in places_of(rows, moved).items()
    }


def places_of(keys: Iterable[Lesson], moved: Moved) -> dict[Lesson, list[Lesson]]:
    """Return for each lesson, by its present place, all its places among the keys."""
    places: dict[Lesson, list[Lesson]] = defaultdict(list)
    for place in keys:
        places[moved.get(place, place)].append(place)
    return places
