"""What became of everything that was published: lost, doubled, different."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.support.cohorts import Cohort
from tests.support.model import EVERY_ID, assert_rows_equal_model, expected_state
from tests.support.rollups import audited
from tests.support.system import System
from tests.support.tables import rows
from worker.cli.progress import open_progress
from worker.domain.event import Event

DRAIN_SECONDS = 600
_COUNTS = """
    SELECT (SELECT count(*) FROM lesson_event), (SELECT count(*) FROM user_course),
           (SELECT count(*) FROM course), (SELECT count(*) FROM user_course_summary)
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


def judge(system: System, cohorts: Sequence[Cohort], others: Sequence[Event], planted: set[bytes]) -> Verdict:
    """Wait until all is recorded and rolled up, then compare every row with the model, cohort by cohort.

    `others` are events outside the cohorts, of enrolments above theirs; `planted` are the invalid ones.
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
                verdict.problems.append(f"cohort {cohort.number} differs: {str(error)[:500]}")
            progress.update(number, f"{number:,} cohorts of {len(cohorts):,}")
    if others:
        state = expected_state(others)
        ids = (min(state.enrollments), EVERY_ID[1])
        verdict.events += len(others)
        ledger += len(state.ledger)
        assert_rows_equal_model(system.engine, others, state, enrolments=ids, courses=ids)
    ((stored, *_),) = rows(system.engine, _COUNTS)
    verdict.doubled = stored - (ledger - verdict.lost)
    verdict.problems += _problems(system, planted)
    return verdict


def _problems(system: System, planted: set[bytes]) -> list[str]:
    """Everything else that must hold."""
    letters = {bytes(body) for (body,) in rows(system.engine, "SELECT DISTINCT body FROM dead_letter")}
    reasons = set(rows(system.engine, "SELECT DISTINCT reason FROM dead_letter"))
    differences = audited(system.engine)
    checks = {
        "the dead letters are not the planted ones": letters == planted,
        f"dead letters for other reasons: {reasons}": reasons <= {("invalid_event",)},
        f"the streams are not drained: {system.backlogs()}": system.is_drained(),
        f"deadlocks: {system.deadlocks()}": system.deadlocks() == 0,
        f"the audit lists {len(differences)} differences": not differences,
    }
    return [problem for problem, holds in checks.items() if not holds]
