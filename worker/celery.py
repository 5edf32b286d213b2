"""The Celery application, and what the worker does as it starts and stops."""

from typing import Any

from celery import Celery, signals

from worker import health, process
from worker.doorbell import Doorbell
from worker.printable import printable
from worker.settings import get_settings
from worker.stream import advice
from worker.telemetry import configure_logging, get_logger

app = Celery("worker")
app.config_from_object("celeryconfig")
app.steps["consumer"].add(Doorbell)

log = get_logger(__name__)


@signals.setup_logging.connect
def _set_up_logging(**_: Any) -> None:
    settings = get_settings()
    configure_logging(settings.log_format, settings.log_level)


@signals.worker_ready.connect
def _start(**_: Any) -> None:
    settings = get_settings()
    health.worker_started(settings.runtime_directory)
    advice.warn(settings)


@signals.worker_shutting_down.connect
def _stop_reading(**_: Any) -> None:
    process.stop_reading()


@signals.worker_shutdown.connect
def _stopped(**_: Any) -> None:
    process.leave_group()
    health.worker_stopped(get_settings().runtime_directory)


@signals.worker_process_init.connect
def _after_fork(**_: Any) -> None:
    process.forget_consumers()
    health.Heartbeat(get_settings().runtime_directory).end()  # of an earlier process with the same id


@signals.worker_process_shutdown.connect
def _leave_the_group(**_: Any) -> None:
    process.leave_group()


@signals.task_revoked.connect
def _discarded(sender: Any, request: Any, terminated: bool, expired: bool, **_: Any) -> None:
    """Celery says nothing above INFO of a message that it throws away."""
    reason = "expired" if expired else "terminated" if terminated else "revoked"
    log.warning("task_discarded", task=sender.name, id=printable(str(request.id)), reason=reason)
