"""The faults of the soak, one at a time, and how long the system takes to recover from each."""

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from uuid import UUID

from redis import RedisError

from tests.soak.clocks import Clocks
from tests.support.events import body, enrolled, viewed
from tests.support.own_servers import OwnServers
from tests.support.system import System
from tests.support.tables import rows
from tests.support.wait import wait_until
from tests.support.worker_process import CeleryProcess, kill, pid_of
from worker.contract.event import Event, LessonViewed

PROBE = 1_000_000_000
"""The enrollment of the events that show when work goes on."""
LONGEST_OUTAGE_SECONDS = 3.0
WHOLE_WORKERS = 0.2
"""Share of the kills that take a worker with all its processes; the others take one pool process."""
CATCH_SECONDS = 1.0
"""How long a kill waits for somebody who has entries in hand."""
START_SECONDS = 5.0
KILL = "kill, others following"
KILL_ALONE = "kill, nothing else meanwhile"
RECOVERY_SECONDS = 120


class Faults:
    """Injects faults into a system with two workers, and notes what each recovery took."""

    def __init__(self, system: System, servers: OwnServers, chance: random.Random) -> None:
        self.injected: Counter[str] = Counter()
        self.in_hand = 0
        """Entries that were pending on killed processes at their death."""
        self.caught = 0
        """Kills that left any."""
        self.probes: list[Event] = [enrolled(PROBE, user_id=PROBE, course_id=PROBE)]
        self.recoveries: dict[str, list[float]] = {}
        """Seconds by kind of fault."""
        self._system = system
        self._clocks = Clocks(system.directory, chance)
        self.workers = [self._start_worker(number) for number in range(2)]
        self.beat = self._start_beat()
        self.logs = list(self.workers)
        self._servers = servers
        self._chance = chance
        self._born = [time.monotonic() for _ in self.workers]
        self._streams = system.keys.streams
        self._watches: list[threading.Thread] = []
        system.publish(self.probes)

    def inject(self, kind: str) -> None:
        """One fault of this kind: `kill`, `beat`, `redis`, `postgresql` or `clock`."""
        self.assert_nobody_ended()
        inject: dict[str, Callable[[], object]] = {
            "kill": self._kill,
            "beat": self._kill_beat,
            "redis": self._restart_redis,
            "postgresql": self._restart_postgresql,
            "clock": self._step_clock,
        }
        inject[kind]()

    def kill_alone(self) -> None:
        """Kill somebody who has entries in hand, and wait until they are recorded before anything else happens."""
        self.wait_for_recoveries()
        while not self._kill(KILL_ALONE):
            time.sleep(START_SECONDS)  # it left nothing; the next one must not be in its wake
        self.wait_for_recoveries()
        self.assert_nobody_ended()

    def wait_for_recoveries(self) -> None:
        """Return when everything that killed processes had in hand is recorded."""
        for watch in self._watches:
            watch.join(RECOVERY_SECONDS)

    def assert_nobody_ended(self) -> None:
        """No main process and no beat ended but those killed here."""
        for process in (*self.workers, self.beat):
            assert process.is_running(), f"ended by itself:\n{process.tail(40)}"

    def _kill(self, kind: str = KILL) -> bool:
        """Kill a process or a worker; whether it had entries in hand."""
        with suppress(AssertionError):
            wait_until(self._at_work, CATCH_SECONDS)
        number = self._chance.choice(self._at_work() or wait_until(self._grown_up, 2 * START_SECONDS))
        worker = self.workers[number]
        pool = {process.pid for process in worker.pool_processes()}
        holders = {pid_of(name) for name in self._system.pending()} & pool
        whole = self._chance.random() < WHOLE_WORKERS
        victims = pool if whole or not pool else {self._chance.choice(sorted(holders or pool))}
        names = {name for name in self._system.consumers() if pid_of(name) in victims}
        if whole:
            worker.kill()
            self.workers[number] = self._start_worker(number)
            self._born[number] = time.monotonic()
            self.logs.append(self.workers[number])
        for pid in victims if not whole else ():
            kill(pid)
        self.injected["whole worker killed" if whole else "pool process killed"] += 1
        if left := sum(count for name, count in self._system.pending().items() if name in names):
            self.caught += 1
            self.in_hand += left
            self._watch(names, kind)
        return left > 0

    def _at_work(self) -> list[int]:
        holders = {pid_of(name) for name in self._system.pending()}
        return [number for number in self._grown_up() if holders & _pids(self.workers[number])]

    def _grown_up(self) -> list[int]:
        """Workers whose pool has started: Celery ends a worker that loses a process before."""
        return [number for number in range(len(self.workers)) if time.monotonic() > self._born[number] + START_SECONDS]

    def _watch(self, names: set[str], kind: str) -> None:
        """Note when nothing is pending on these consumers any more."""
        started = time.monotonic()

        def pending() -> bool:
            try:
                return not names & self._system.pending().keys()
            except RedisError:
                return False

        def watch() -> None:
            with suppress(AssertionError):  # then what is noted is too long for any bound
                wait_until(pending, RECOVERY_SECONDS)
            self._note(kind, time.monotonic() - started)

        self._watches.append(threading.Thread(target=watch, daemon=True))
        self._watches[-1].start()

    def _kill_beat(self) -> None:
        self.beat.kill()
        self.beat = self._start_beat()
        self.injected["beat killed"] += 1

    def _start_worker(self, number: int) -> CeleryProcess:
        self._system.extra_environment = self._clocks.environment(f"worker-{number}")
        return self._system.start_worker(2)

    def _start_beat(self) -> CeleryProcess:
        self._system.extra_environment = self._clocks.environment("beat")
        return self._system.start_beat()

    def _step_clock(self) -> None:
        if self._clocks.step():
            self.injected["clock of a worker or of beat set"] += 1

    def _restart_redis(self) -> None:
        self._servers.kill_valkey()
        time.sleep(self._chance.uniform(0, LONGEST_OUTAGE_SECONDS))
        self._servers.start_valkey()
        self.injected["Redis killed and restarted"] += 1
        self._probe("Redis restart")

    def _restart_postgresql(self) -> None:
        self._servers.stop_postgresql(signal.SIGQUIT)
        time.sleep(self._chance.uniform(0, LONGEST_OUTAGE_SECONDS))
        self._servers.start_postgresql()
        self.injected["PostgreSQL crashed and restarted"] += 1
        self._probe("PostgreSQL restart")

    def _probe(self, kind: str) -> None:
        """Publish an event to every stream now; note when the first is recorded and when all are.

        They stand behind whatever backlog there is, and the stream of a process that was just killed has to wait until
        its lease is over.
        """
        started = time.monotonic()
        probes = [viewed(PROBE, 1, 1, seconds=len(self.probes) + number) for number in range(len(self._streams))]
        self.probes += probes
        for probe, stream in zip(probes, self._streams, strict=True):
            self._system.publish_bodies([body(probe)], stream)
        for count, what in ((1, ""), (len(probes), ", the last partition")):
            with suppress(AssertionError):  # as above; whether they are there in the end, the verdict says
                wait_until(partial(self._recorded, probes, count), RECOVERY_SECONDS)
            self._note(f"{kind}{what}", time.monotonic() - started)

    def _recorded(self, probes: list[LessonViewed], count: int) -> bool:
        sql = "SELECT count(*) >= :count FROM lesson_event WHERE user_course_id = :key AND event_id = ANY (:ids)"
        ids = [UUID(probe.event_id) for probe in probes]
        return rows(self._system.engine, sql, key=PROBE, ids=ids, count=count) == [(True,)]

    def _note(self, kind: str, seconds: float) -> None:
        self.recoveries.setdefault(kind, []).append(seconds)


def _pids(worker: CeleryProcess) -> set[int]:
    return {process.pid for process in worker.pool_processes()}
