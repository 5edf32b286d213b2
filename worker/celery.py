"""The Celery application, and the worker's actions on start and stop."""

from typing import Any

import click
from celery import Celery, signals
from celery.bin.base import CeleryOption
from celery.utils.nodenames import node_format

from worker import liveness, running_up
from worker.celery_support import log_options, worker_process
from worker.celery_support.supported_pools import refuse_unsupported_pool
from worker.celery_support.wake_up import WakeUp
from worker.connections import get_connections
from worker.errors import ConfigurationError
from worker.logs import get_logger
from worker.ops import clocks, misrouted_tasks, redis_configuration
from worker.printable import printable
from worker.settings import get_settings
from worker.unknown_variables import unknown_variables

app = Celery("worker")
app.config_from_object("worker.celeryconfig")
app.steps["consumer"].add(WakeUp)
log_options.explain_lost_broker()

log = get_logger(__name__)


@signals.celeryd_init.connect
def _set_up_early_logging(sender: str, instance: Any, options: dict[str, Any], **_: Any) -> None:
    """Let the warnings that Celery gives before it sets up logging appear like all others."""
    file = options.get("logfile")
    log_options.configure(node_format(file, sender) if file else None, colors=instance.app.log.supports_color())


@signals.setup_logging.connect
def _set_up_logging(logfile: str | None, colorize: bool, **_: Any) -> None:
    log_options.configure(logfile, colors=colorize)
    if up := running_up.in_use():
        log.info("up_found", directory=str(up.started_in))
    for sentence in unknown_variables():
        log.warning("unknown_variable", detail=sentence)


@signals.beat_init.connect
def _refuse_to_start_beat(**_: Any) -> None:
    with log_options.refusal_logged():
        _require_connections()


@signals.worker_init.connect
def _refuse_to_start(sender: Any, **_: Any) -> None:
    with log_options.refusal_logged():
        refuse_unsupported_pool(sender.pool_cls)
        _require_runtime_directory()
        _require_connections()


def _require_connections() -> None:
    """Read the file once, before the pool is forked: all processes then have the same connections until they end."""
    try:
        get_connections()
    except ConfigurationError as error:
        raise SystemExit(f"Error: {error}") from None


def _require_runtime_directory() -> None:
    try:
        liveness.require_writable(get_settings().runtime_directory)
    except OSError as error:
        raise SystemExit(f"Error: The worker cannot keep its heartbeats there: {error}") from None


def _refuse_before_detaching(context: click.Context, _parameter: click.Parameter, _value: Any) -> None:
    """Do the same as a callback of an option of `celery worker` and `celery beat`, and require their files."""
    options, node = context.params, None
    if context.command.name == "worker":
        refuse_unsupported_pool(options["pool"])
        node = options["hostname"]
    if not options["detach"]:
        return
    _require_connections()
    if context.command.name == "worker":
        _require_runtime_directory()
    if not options["uid"] and not options["gid"]:  # else they would belong to this user
        log_options.require_files(options["logfile"], options["pidfile"], node)


# `celery multi` and `--detach` discard a process's output; this runs before they do.
for _command in ("worker", "beat"):
    app.user_options[_command].add(
        CeleryOption(["--refuse-other-pools"], hidden=True, expose_value=False, callback=_refuse_before_detaching)
    )


@signals.worker_ready.connect
def _start(**_: Any) -> None:
    settings = get_settings()
    ours = list(dict.fromkeys([settings.consume_queue or settings.queue, settings.queue]))
    for name in set(app.amqp.queues.consume_from).difference(ours):
        detail = f"Nothing of ours is sent to this queue. A worker reads the streams if -Q has {ours[0]}"
        log.warning("unknown_queue", queue=name, detail=f"{detail}.")
    liveness.worker_started(settings.runtime_directory)
    redis_configuration.warn(settings)
    clocks.warn(settings)
    misrouted_tasks.warn(settings)


@signals.worker_shutting_down.connect
def _stop_reading(**_: Any) -> None:
    worker_process.stop_reading()


@signals.worker_shutdown.connect
def _stop(**_: Any) -> None:
    worker_process.leave_group()
    liveness.worker_stopped(get_settings().runtime_directory)


@signals.worker_process_init.connect
def _after_fork(**_: Any) -> None:
    worker_process.forget_consumers()
    liveness.Heartbeat(get_settings().runtime_directory).end()  # of an earlier process with the same id


@signals.worker_process_shutdown.connect
def _leave_group(**_: Any) -> None:
    worker_process.leave_group()


@signals.task_revoked.connect
def _log_discarded(sender: Any, request: Any, terminated: bool, expired: bool, **_: Any) -> None:
    """Log it as a warning: Celery logs discarded messages at INFO."""
    reason = "expired" if expired else "terminated" if terminated else "revoked"
    log.warning("task_discarded", task=sender.name, id=printable(str(request.id)), reason=reason)
