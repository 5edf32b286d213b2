"""The Celery application, and what the worker does as it starts and stops."""

from typing import Any

from celery import Celery, bootsteps, signals
from kombu.exceptions import OperationalError
from redis import RedisError

from worker import health, process
from worker.errors import first_line
from worker.services import clocks
from worker.settings import get_settings
from worker.stream import advice
from worker.telemetry import configure_logging, get_logger

app = Celery("worker")
app.config_from_object("celeryconfig")

log = get_logger(__name__)

RING_LIFE_SECONDS = 60
"""A ring that waited this long for a free slot is pointless: later ones are behind it."""


def ring() -> None:
    """Ask for another drain. When the broker refuses, beat's next ring does as well."""
    try:
        # Again once, at once: the connection kept from the last ring may have been cut since.
        app.send_task(
            "progress.consume_events",
            expires=RING_LIFE_SECONDS,
            retry=True,
            retry_policy={"max_retries": 1, "interval_start": 0},
        )
    except (OperationalError, RedisError, OSError) as error:
        log.warning("ring_lost", detail=first_line(error))


@signals.setup_logging.connect
def _set_up_logging(**_: Any) -> None:
    settings = get_settings()
    configure_logging(settings.log_format, settings.log_level)


class RingWhenConnected(bootsteps.StartStopStep):
    """Rings as the worker starts, and whenever its broker is back: it goes to work also while no beat runs."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, _parent: Any) -> None:
        """Called by Celery each time it has connected."""
        ring()


app.steps["consumer"].add(RingWhenConnected)


@signals.worker_ready.connect
def _start(**_: Any) -> None:
    settings = get_settings()
    health.worker_started(settings.runtime_directory)
    advice.warn(settings)
    clocks.warn(settings)


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
