"""What counts for each lesson: the rows of its own place and of those where it was before."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from worker.contract.lesson import Lesson
from worker.contract.progress_status import ProgressStatus
from worker.progress.moved_lessons import Moved
from worker.progress.reference import Progress


def counted_statuses(rows: Mapping[Lesson, ProgressStatus], moved: Moved) -> dict[Lesson, ProgressStatus]:
    """The highest status of all places of each lesson."""
    return {
        lesson: max((rows[place] for place in its), key=lambda status: status.rank)
        for lesson, its in places_of(rows, moved).items()
    }


def counted_rows(rows: Mapping[Lesson, Progress], moved: Moved) -> dict[Lesson, Progress]:
    """The highest status, the latest view and the earliest completion of all places of each lesson."""
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
    """Of each lesson, as it is named now, all its places among the keys."""
    places: dict[Lesson, list[Lesson]] = defaultdict(list)
    for place in keys:
        places[moved.get(place, place)].append(place)
    return places
