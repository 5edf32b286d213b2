"""What became of everything that was published: lost, doubled, different."""

import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.soak.publisher import Publisher
from tests.support.cohorts import LEARNERS, Cohort
from tests.support.model import EVERY_ID, assert_rows_equal_model, expected_state
from tests.support.own_servers import OwnServers
from tests.support.rollups import audited
from tests.support.system import System
from tests.support.tables import rows
from worker.cli.progress_bar import open_progress
from worker.contract.event import Event

DRAIN_SECONDS = 600
_COUNTS = """
    SELECT (SELECT count(*) FROM user_course), (SELECT count(*) FROM course),
           (SELECT count(*) FROM user_course_summary), (SELECT count(*) FROM lesson_event)
"""


@dataclass
class Verdict:
    """`problems` is empty when everything is exact."""

    events: int = 0
    """Distinct events that were published."""
    lost: int = 0
    """Acknowledged by Redis and not recorded."""
    doubled: int = 0
    """Ledger rows beyond one for each distinct event."""
    problems: list[str] = field(default_factory=list)


def judge(
    system: System,
    servers: OwnServers,
    cohorts: Sequence[Cohort],
    *,
    others: Sequence[Event] = (),
    publisher: Publisher | None = None,
) -> Verdict:
    """Wait until all is recorded and rolled up, then compare every row with the model, cohort by cohort.

    `others` are events outside the cohorts, of one enrollment above theirs; `publisher` knows the invalid ones.
    """
    system.wait_until_drained(DRAIN_SECONDS)
    system.wait_for_current_rollups(DRAIN_SECONDS)
    verdict = Verdict()
    ledger = 0
    with open_progress("compared", total=len(cohorts), unit="cohorts") as progress:
        for number, cohort in enumerate(cohorts, 1):
            verdict.events += len(cohort.lines)
            ledger += cohort.lesson_events
            try:
                cohort.assert_exact(system.engine)
            except AssertionError as error:
                verdict.lost += cohort.lost(system.engine)
                verdict.problems.append(f"cohort {cohort.number} differs: {_where(error)}")
            progress.update(number, f"{number:,} cohorts of {len(cohorts):,}")
    enrollments, courses = len(cohorts) * LEARNERS, len(cohorts)
    if others:
        state = expected_state(others)
        ids = (min(state.enrollments), EVERY_ID[1])
        verdict.events += len(others)
        ledger += len(state.ledger)
        enrollments += 1
        try:
            assert_rows_equal_model(system.engine, others, state, enrollments=ids, courses=ids)
        except AssertionError as error:
            verdict.problems.append(f"the probes differ: {_where(error)}")
    ((*counted, stored),) = rows(system.engine, _COUNTS)
    if counted != [enrollments, courses, enrollments]:
        verdict.problems.append(
            f"enrollments, courses, summaries: {counted}, not {[enrollments, courses, enrollments]}"
        )
    verdict.doubled = stored - (ledger - verdict.lost)
    verdict.problems += [f"{verdict.lost} events lost"] * (verdict.lost != 0)
    verdict.problems += [f"{verdict.doubled} events doubled"] * (verdict.doubled != 0)
    verdict.problems += _problems(system, servers, publisher)
    return verdict


def _problems(system: System, servers: OwnServers, publisher: Publisher | None) -> list[str]:
    """Everything else that must hold."""
    planted: set[bytes] = publisher.planted if publisher else set()
    least = publisher.planted_entries if publisher else 0
    most = least + publisher.planted_maybe if publisher else 0
    letters = [(reason, bytes(body)) for reason, body in rows(system.engine, "SELECT reason, body FROM dead_letter")]
    differences = audited(system.engine)
    checks = {
        "the dead letters are not the planted ones": set(letters) == {("invalid_event", body) for body in planted},
        f"{len(letters):,} dead letters, not {least:,} to {most:,}": least <= len(letters) <= most,
        f"the streams are not drained: {system.backlogs()}": system.is_drained(),
        f"deadlocks: {servers.deadlocks()}": servers.deadlocks() == 0,
        f"the audit lists {len(differences)} differences": not differences,
    }
    return [problem for problem, holds in checks.items() if not holds]


def _where(error: AssertionError) -> str:
    """The comparison that failed; its values would fill pages."""
    return traceback.extract_tb(error.__traceback__)[-1].line or "?"
