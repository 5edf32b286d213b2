"""What setting a row by hand makes of it, when it takes place, and when it is the same once more."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from tests.support.events import at
from worker.contract.entry import Reason, Rejection
from worker.contract.progress_status import ProgressStatus
from worker.progress.correction_rules import Changes, corrected, correction_time, repeats
from worker.progress.reference import Progress

NOT_STARTED, IN_PROGRESS, COMPLETED = ProgressStatus
NOW = at(100)
BLANK = Progress()
SEEN = Progress(IN_PROGRESS, at(1))
DONE = Progress(COMPLETED, at(5), at(3))

CASES: dict[str, tuple[Progress, Changes, Progress]] = {
    "nothing": (DONE, {}, DONE),
    "the status alone keeps the access": (SEEN, {"status": NOT_STARTED}, Progress(NOT_STARTED, at(1))),
    "completed without a time is completed now": (SEEN, {"status": COMPLETED}, Progress(COMPLETED, NOW, NOW)),
    "a time of null is completed now": (
        DONE,
        {"completed_at": None},
        Progress(COMPLETED, NOW, NOW),
    ),
    "completed again keeps its times": (DONE, {"status": COMPLETED}, DONE),
    "completing is an access": (BLANK, {"status": COMPLETED, "completed_at": at(9)}, Progress(COMPLETED, at(9), at(9))),
    "an earlier completion keeps the later access": (DONE, {"completed_at": at(2)}, Progress(COMPLETED, at(5), at(2))),
    "a given access stays as it is given": (
        SEEN,
        {"status": COMPLETED, "completed_at": at(9), "last_viewed_at": at(4)},
        Progress(COMPLETED, at(4), at(9)),
    ),
    "a completion was an access, whoever takes that away": (
        DONE,
        {"last_viewed_at": None},
        Progress(COMPLETED, at(3), at(3)),
    ),
    "started without a time is started now": (BLANK, {"status": IN_PROGRESS}, Progress(IN_PROGRESS, NOW)),
    "started again keeps its access": (SEEN, {"status": IN_PROGRESS}, SEEN),
    "an access taken away while in progress": (
        SEEN,
        {"status": IN_PROGRESS, "last_viewed_at": None},
        Progress(IN_PROGRESS),
    ),
    "no longer completed has no such time": (DONE, {"status": IN_PROGRESS}, Progress(IN_PROGRESS, at(5))),
    "an access taken away": (SEEN, {"status": NOT_STARTED, "last_viewed_at": None}, BLANK),
    "a completion alone says completed": (SEEN, {"completed_at": at(2)}, Progress(COMPLETED, at(2), at(2))),
    "an access alone": (BLANK, {"last_viewed_at": at(2)}, Progress(NOT_STARTED, at(2))),
    "the ruling correction's time is not its business": (
        Progress(IN_PROGRESS, at(1), None, at(8)),
        {"last_viewed_at": at(2)},
        Progress(IN_PROGRESS, at(2), None, at(8)),
    ),
    "a status as text": (SEEN, {"status": "completed"}, Progress(COMPLETED, NOW, NOW)),  # type: ignore[typeddict-item]
}


@pytest.mark.parametrize(("row", "changes", "wanted"), CASES.values(), ids=CASES)
def test_what_is_omitted_is_filled_in_and_the_row_is_consistent(
    row: Progress, changes: Changes, wanted: Progress
) -> None:
    assert corrected(row, changes, NOW) == wanted


REFUSED: dict[str, tuple[Progress, Changes, Reason]] = {
    "completed at, in progress": (SEEN, {"status": IN_PROGRESS, "completed_at": at(2)}, Reason.INVALID_EVENT),
    "completed at, reset": (DONE, {"status": NOT_STARTED, "completed_at": at(2)}, Reason.INVALID_EVENT),
    "seen too far ahead": (
        SEEN,
        {"last_viewed_at": NOW + timedelta(minutes=5, milliseconds=1)},
        Reason.TIME_OUT_OF_RANGE,
    ),
    "completed too far ahead": (DONE, {"completed_at": NOW + timedelta(minutes=6)}, Reason.TIME_OUT_OF_RANGE),
    "without an offset": (DONE, {"completed_at": NOW.replace(tzinfo=None)}, Reason.INVALID_EVENT),
}


@pytest.mark.parametrize(("row", "changes", "reason"), REFUSED.values(), ids=REFUSED)
def test_contradictions_and_impossible_times_are_refused(row: Progress, changes: Changes, reason: Reason) -> None:
    with pytest.raises(Rejection) as refused:
        corrected(row, changes, NOW)
    assert refused.value.reason is reason


def test_five_minutes_ahead_are_allowed_to_the_millisecond() -> None:
    ahead = NOW + timedelta(minutes=5)
    assert corrected(SEEN, {"last_viewed_at": ahead}, NOW).last_viewed_at == ahead


def test_it_takes_place_now_when_all_that_is_known_is_older() -> None:
    assert correction_time(NOW, None) == NOW
    assert correction_time(NOW, at(99)) == NOW


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(minutes=5)])
def test_it_takes_place_after_everything_known_of_the_lesson(ahead: timedelta) -> None:
    assert correction_time(NOW, NOW + ahead) > NOW + ahead


def test_times_of_other_zones_are_compared_as_instants() -> None:
    there = (NOW + timedelta(seconds=1)).astimezone(timezone(timedelta(hours=-9)))
    assert correction_time(NOW, there) == NOW + timedelta(seconds=1, microseconds=1)
    assert correction_time(NOW, there).astimezone(UTC) > NOW


REPEATED = {name: case for name, case in CASES.items() if case[2].corrected_at is None}
MUCH_LATER = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(("changes", "snapshot"), [case[1:] for case in REPEATED.values()], ids=REPEATED)
def test_the_same_changes_sent_again_repeat_what_they_made(changes: Changes, snapshot: Progress) -> None:
    assert repeats(snapshot, changes, MUCH_LATER)


@pytest.mark.parametrize(
    "changes",
    [
        Changes(status=IN_PROGRESS),
        Changes(completed_at=at(4)),
        Changes(last_viewed_at=at(4)),
        Changes(last_viewed_at=None),
        Changes(status=NOT_STARTED, completed_at=at(3)),
    ],
    ids=str,
)
def test_other_changes_do_not_repeat_it(changes: Changes) -> None:
    assert not repeats(DONE, changes, MUCH_LATER)
