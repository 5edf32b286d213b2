"""An LMS keeps rows locked for minutes: how long everybody else's events take meanwhile, and the locked ones' after.

Events over 400 enrollments of four courses at a steady rate; each is seen in the ledger by another session, so the
times are those of the commit, exact to LOOK_SECONDS.
"""

import random
import threading
import time
from itertools import count
from uuid import UUID

from tests.soak.place import Figures, place, versions
from tests.support.events import enrolled, viewed
from tests.support.model import assert_tables_equal_model
from tests.support.system import System
from tests.support.tables import rows
from tests.support.wait import wait_until
from worker.cli.progress_bar import open_progress
from worker.client import EventPublisher
from worker.contract.event import Event, LessonViewed

COURSES, ENROLLMENTS = 4, 400
WARM_UP_SECONDS = 5.0
LOOK_SECONDS = 0.05
OTHERS_SECONDS, LOCKED_SECONDS = 1.0, 5.0
"""Bounds: the others' 99th percentile, and the locked ones' after the commit."""
LOCKED = 4
"""The enrollment."""
LOCK = {
    "course": "UPDATE user_course SET timezone = 'UTC' WHERE course_id = 1",
    "enrollment": f"UPDATE user_course SET timezone = 'UTC' WHERE id = {LOCKED}",
}


class _Times:
    """When each event was published and when it was seen in the ledger, by one monotonic clock."""

    def __init__(self, system: System) -> None:
        self.published: dict[UUID, float] = {}
        self.seen: dict[UUID, float] = {}
        self._system = system
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def _look(self) -> None:
        sql = "SELECT event_id FROM lesson_event WHERE recorded_at > now() - interval '5 s'"
        while not self._over.wait(LOOK_SECONDS):
            now = time.monotonic()
            for (event_id,) in rows(self._system.engine, sql):
                self.seen.setdefault(event_id, now)

    def end(self) -> None:
        self._over.set()
        self._thread.join()


def run(what: str, minutes: float, seed: int, rate: float) -> tuple[Figures, list[str]]:
    """Lock a course or an enrollment for so many minutes; the figures, and what is wrong."""
    chance = random.Random(seed)
    with place() as (system, servers):
        worker, _ = system.start_worker(2), system.start_beat()
        events: list[Event] = [enrolled(key, course_id=1 + key % COURSES) for key in range(1, ENROLLMENTS + 1)]
        publisher = EventPublisher(settings=system.settings)
        publisher.publish_many(events)
        system.wait_until_drained(60)
        times = _Times(system)
        turn = count(1)

        def publish(until: float) -> None:
            while time.monotonic() < until:
                event = viewed(chance.randint(1, ENROLLMENTS), 1, chance.randint(1, 20), seconds=next(turn))
                times.published[UUID(event.event_id)] = time.monotonic()
                publisher.publish(event)
                events.append(event)
                time.sleep(1 / rate)

        try:
            publish(time.monotonic() + WARM_UP_SECONDS)
            is_locked = (lambda key: key % COURSES == 1) if what == "course" else (lambda key: key == 4)
            with (
                system.engine.connect() as lms,
                open_progress("locked", total=60 * minutes, unit="seconds") as progress,
            ):
                lms.exec_driver_sql("SET idle_in_transaction_session_timeout = 0")
                lms.exec_driver_sql(LOCK[what])
                locked_at = time.monotonic()
                while (held := time.monotonic() - locked_at) < 60 * minutes:
                    publish(time.monotonic() + min(5.0, 60 * minutes - held))
                    progress.update(held, f"{held:.0f} s")
                lms.commit()
                released_at = time.monotonic()
            publish(released_at + WARM_UP_SECONDS)
            wait_until(lambda: len(times.seen) == len(times.published), 60, "every event in the ledger")
        finally:
            times.end()
        system.wait_until_drained(60)
        lessons = [event for event in events if isinstance(event, LessonViewed)]

        def is_locked(key: int) -> bool:
            return key % COURSES == 0 if what == "course" else key == LOCKED

        others = sorted(_seconds(times, event) for event in lessons if not is_locked(event.data.user_course_id))
        waited = [
            times.seen[UUID(event.event_id)] - released_at
            for event in lessons
            if is_locked(event.data.user_course_id) and locked_at < times.published[UUID(event.event_id)] < released_at
        ]
        p99 = others[int(len(others) * 0.99)]
        letters = sum(system.dead_letters().values())
        figures: Figures = [
            ("servers", versions(system)),
            (
                "locked",
                f"one {what} of {COURSES} courses and {ENROLLMENTS} enrollments, {minutes * 60:.0f} s, seed {seed}",
            ),
            ("events", f"{len(lessons):,} at {rate:,.0f} a second; {len(waited):,} of them waited for the lock"),
            (
                "the others', publish to commit: median, p99, most",
                f"{_ms(others[len(others) // 2])}, {_ms(p99)}, {_ms(others[-1])}",
            ),
            ("the locked ones', after the LMS's commit: last", f"{max(waited):.2f} s"),
            ("dead letters, pending, deadlocks", f"{letters}, {sum(system.pending().values())}, {servers.deadlocks()}"),
        ]
        checks = {
            f"p99 of the others is {p99:.2f} s": p99 <= OTHERS_SECONDS,
            f"the locked ones took {max(waited):.1f} s": max(waited) <= LOCKED_SECONDS,
            f"{letters} dead letters": letters == 0,
            f"deadlocks: {servers.deadlocks()}": servers.deadlocks() == 0,
            "the worker ended": worker.is_running(),
            "rows differ": _is_exact(system, events),
        }
        return figures, [problem for problem, holds in checks.items() if not holds]


def _is_exact(system: System, events: list[Event]) -> bool:
    try:
        assert_tables_equal_model(system.engine, events)
    except AssertionError:
        return False
    return True


def _seconds(times: _Times, event: LessonViewed) -> float:
    key = UUID(event.event_id)
    return times.seen[key] - times.published[key]


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms"
