"""Rows set by hand: the correction rules over all that is known, later events merge, and the ledger tells the same."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest
from sqlalchemy import Engine

from tests.support.activity import IDLE_CUTOFF
from tests.support.events import at, completed, corrected, entries, viewed
from tests.support.rollups import audited
from tests.support.tables import contents, execute, insert_as_lms, rows, snapshot
from tests.support.wait import wait_until
from worker.analytics.thresholds import AnalysisThresholds
from worker.audit.repair import rebuild_scope
from worker.audit.scope import Scope
from worker.contract.event import LedgerEvent
from worker.contract.progress_status import ProgressStatus
from worker.errors import ConflictError, InputError
from worker.progress.correction_rules import Changes
from worker.progress.ingest import ingest
from worker.progress.lesson_progress import create_progress, update_progress

NOT_STARTED, IN_PROGRESS, COMPLETED = ProgressStatus
Record = Callable[..., object]
KEY = (1, 1, 1)
ROW = "SELECT status::text, last_viewed_at, completed_at FROM user_course_progress"
LOCKED = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


@pytest.fixture
def record(engine: Engine) -> Iterator[Record]:
    """Record events of enrollment 1; at the end an audit finds nothing and a rebuild changes nothing."""
    insert_as_lms(engine, 1)
    yield lambda *events: ingest(engine, entries(events))
    assert audited(engine) == []
    before = contents(engine)["user_course_progress"]
    found = rebuild_scope(engine, Scope(), 60, AnalysisThresholds().stuck, IDLE_CUTOFF.total_seconds())
    assert [each for step in found for each in step.differences] == []
    assert contents(engine)["user_course_progress"] == before


def row(engine: Engine) -> tuple[object, ...]:
    """The only one."""
    (found,) = rows(engine, ROW)
    return found


def soon(minutes: float) -> datetime:
    return datetime.now(UTC) + timedelta(minutes=minutes)


def ahead(event: LedgerEvent, minutes: float) -> LedgerEvent:
    """The event, so many minutes from now."""
    return event.model_copy(update={"time": soon(minutes)})


CASES: dict[str, tuple[Changes, tuple[object, ...]]] = {
    "the status alone": ({"status": IN_PROGRESS}, ("in_progress", at(9), None)),
    "nothing at all": ({"status": NOT_STARTED, "last_viewed_at": None}, ("not_started", None, None)),
    "the access alone": ({"last_viewed_at": at(3)}, ("completed", at(3), at(5))),
    "the completion alone": ({"completed_at": at(3)}, ("completed", at(9), at(3))),
    "everything": (
        {"status": COMPLETED, "last_viewed_at": at(2), "completed_at": at(1)},
        ("completed", at(2), at(1)),
    ),
}


@pytest.mark.parametrize(("changes", "wanted"), CASES.values(), ids=CASES)
def test_it_sets_what_is_given_and_fills_in_the_rest(
    engine: Engine, record: Record, changes: Changes, wanted: tuple[object, ...]
) -> None:
    record(completed(seconds=5), viewed(seconds=9))
    update_progress(engine, KEY, changes)
    assert row(engine) == wanted


KNOWN: dict[str, Callable[[], LedgerEvent]] = {
    "an event of now": lambda: ahead(completed(), 0),
    "an event ahead": lambda: ahead(completed(), 4.9),
    "a correction ahead": lambda: ahead(
        corrected(
            status="completed",
            last_viewed_at=at(1),
            completed_at=at(1),
            id="f" * 8 + "-ffff-ffff-ffff-" + "f" * 11 + "e",
        ),
        4.9,
    ),
}


@pytest.mark.parametrize("known", KNOWN.values(), ids=KNOWN)
def test_it_rules_over_everything_known_of_the_lesson(
    engine: Engine, record: Record, known: Callable[[], LedgerEvent]
) -> None:
    event = known()
    record(event)
    assert row(engine)[0] == "completed"
    update_progress(engine, KEY, {"status": NOT_STARTED, "last_viewed_at": None})
    assert row(engine) == ("not_started", None, None)
    assert rows(engine, "SELECT corrected_at > :time FROM user_course_progress", time=event.time) == [(True,)]


def test_of_several_by_hand_the_last_one_rules_however_fast_they_come(engine: Engine, record: Record) -> None:
    record(ahead(viewed(), 4))
    for turn in range(20):
        update_progress(engine, KEY, {"status": (COMPLETED, NOT_STARTED)[turn % 2], "last_viewed_at": at(turn)})
        assert row(engine)[:2] == (("completed", "not_started")[turn % 2], at(turn))
    times = rows(engine, "SELECT count(DISTINCT occurred_at), count(*) FROM lesson_event WHERE type = 'corrected'")
    assert times == [(20, 20)]


def test_its_own_times_ahead_are_no_later_than_itself(engine: Engine, record: Record) -> None:
    record(viewed())
    update_progress(engine, KEY, {"last_viewed_at": soon(4)})
    assert rows(engine, "SELECT corrected_at > last_viewed_at FROM user_course_progress") == [(True,)]


def test_events_of_another_lesson_do_not_move_its_time(engine: Engine, record: Record) -> None:
    record(viewed(), ahead(viewed(1, 1, 2), 4))
    update_progress(engine, KEY, {"status": COMPLETED})
    (early,) = rows(engine, "SELECT corrected_at < :soon FROM user_course_progress WHERE lesson_id = 1", soon=soon(1))
    assert early == (True,)


def test_later_events_merge_onto_it_and_late_earlier_ones_are_silent(engine: Engine, record: Record) -> None:
    record(completed(seconds=5))
    update_progress(engine, KEY, {"status": IN_PROGRESS, "last_viewed_at": at(1)})
    record(completed(seconds=50))
    assert row(engine) == ("in_progress", at(1), None)
    later = ahead(completed(), 1)
    record(later)
    assert row(engine) == ("completed", later.time, later.time)


def test_two_at_once_that_set_different_members_lose_neither(engine: Engine, record: Record) -> None:
    record(completed(seconds=5), viewed(seconds=9))
    with engine.connect() as other:
        other.exec_driver_sql("SELECT FROM user_course WHERE id = 1 FOR UPDATE")
        changes = (Changes(last_viewed_at=at(20)), Changes(completed_at=at(2)))
        threads = [Thread(target=update_progress, args=[engine, KEY, each]) for each in changes]
        for thread in threads:
            thread.start()
        wait_until(lambda: rows(engine, LOCKED) == [(2,)])
        other.rollback()
    for thread in threads:
        thread.join()
    assert row(engine) == ("completed", at(20), at(2))
    assert rows(engine, "SELECT count(*) FROM lesson_event WHERE type = 'corrected'") == [(2,)]


def test_a_blank_row_stands_for_no_event(engine: Engine, record: Record) -> None:
    made, is_new = create_progress(engine, KEY, {})
    assert (made.status, made.last_viewed_at, is_new) == (NOT_STARTED, None, True)
    assert rows(engine, "SELECT count(*) FROM lesson_event") == [(0,)]
    assert audited(engine) == []
    record(viewed(seconds=2))
    assert row(engine) == ("in_progress", at(2), None)


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        (Changes(status=COMPLETED, completed_at=at(3)), ("completed", at(3), at(3))),
        (Changes(last_viewed_at=at(3)), ("not_started", at(3), None)),
        (Changes(status=IN_PROGRESS, last_viewed_at=at(3)), ("in_progress", at(3), None)),
    ],
    ids=["completed", "seen", "in progress"],
)
def test_any_other_new_row_is_a_correction(
    engine: Engine, record: Record, changes: Changes, wanted: tuple[object, ...]
) -> None:
    assert create_progress(engine, KEY, changes)[1]
    assert row(engine) == wanted
    record(completed(seconds=9))
    assert row(engine) == wanted


def test_a_row_that_the_lms_made_blank_is_set_like_any_other(engine: Engine, record: Record) -> None:
    execute(engine, "INSERT INTO user_course_progress (user_course_id, topic_id, lesson_id) VALUES (1, 1, 1)")
    update_progress(engine, KEY, {"status": COMPLETED, "completed_at": at(4)})
    assert row(engine) == ("completed", at(4), at(4))
    record(completed(seconds=2))
    assert row(engine) == ("completed", at(4), at(4))


def test_it_never_moves_the_position(engine: Engine, record: Record) -> None:
    record(viewed(1, 1, 1), viewed(1, 2, 2, seconds=9))
    update_progress(engine, KEY, {"status": COMPLETED, "completed_at": soon(1)})
    assert rows(engine, "SELECT current_topic, current_lesson, position_at FROM user_course") == [(2, 2, at(9))]


def test_the_same_again_changes_nothing_even_after_others(engine: Engine, record: Record) -> None:
    record(viewed())
    first = Changes(status=COMPLETED)
    update_progress(engine, KEY, first, "once")
    update_progress(engine, KEY, {"status": IN_PROGRESS}, "other")
    before = snapshot(engine)
    assert update_progress(engine, KEY, first, "once").status is IN_PROGRESS
    assert snapshot(engine) == before


@pytest.mark.parametrize(
    ("key", "changes"),
    [
        (KEY, Changes(status=IN_PROGRESS)),
        (KEY, Changes(completed_at=at(3))),
        (KEY, Changes(last_viewed_at=at(3))),
        ((1, 1, 2), Changes(status=COMPLETED)),
    ],
    ids=["another status", "another completion", "another access", "another lesson"],
)
def test_another_change_under_a_known_identity_is_refused(
    engine: Engine, record: Record, key: tuple[int, int, int], changes: Changes
) -> None:
    record(viewed(1, 1, 1), viewed(1, 1, 2))
    update_progress(engine, KEY, {"status": COMPLETED}, "once")
    before = snapshot(engine)
    with pytest.raises(ConflictError, match="lesson 1 of topic 1 was corrected"):
        update_progress(engine, key, changes, "once")
    assert snapshot(engine) == before


def test_an_identity_of_another_kind_of_event_is_refused(engine: Engine, record: Record) -> None:
    record(viewed(id="00000000-0000-4000-8000-000000000001"))
    before = snapshot(engine)
    with pytest.raises(ConflictError, match="was viewed"):
        update_progress(engine, KEY, {"status": COMPLETED}, "00000000-0000-4000-8000-000000000001")
    with pytest.raises(ConflictError, match="was viewed"):
        create_progress(engine, (1, 1, 2), {"status": COMPLETED}, "00000000-0000-4000-8000-000000000001")
    assert snapshot(engine) == before


@pytest.mark.parametrize(
    "changes",
    [
        Changes(status=IN_PROGRESS, completed_at=at(3)),
        Changes(status=NOT_STARTED, completed_at=at(3)),
        Changes(last_viewed_at=at(3).replace(year=2999)),
        Changes(last_viewed_at=at(3).replace(year=1979)),
    ],
    ids=["completed at, not completed", "completed at, reset", "ahead", "before 1980"],
)
def test_what_cannot_be_is_refused_and_nothing_changes(engine: Engine, record: Record, changes: Changes) -> None:
    record(viewed())
    before = snapshot(engine)
    with pytest.raises(InputError):
        update_progress(engine, KEY, changes)
    assert snapshot(engine) == before
