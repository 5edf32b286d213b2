"""Celery's configuration: broker, serializers, routes, limits and the beat schedule.

No event data goes through Celery (see `worker/tasks.py`), so a lost message costs a moment, never an event.
"""

from kombu.transport import TRANSPORT_ALIASES

from worker.celery_support.scheduled_task import every
from worker.errors import ConfigurationError
from worker.redis_url import for_kombu
from worker.settings import get_settings

try:
    _settings = get_settings().with_servers()
except ConfigurationError as error:
    # Celery would print a traceback of its own imports around any other exception.
    raise SystemExit(f"Error: {error}") from None

# ---- Where messages travel -------------------------------------------------------------------------------------------
broker_url, broker_use_ssl = for_kombu(_settings.broker_url or str(_settings.redis_url))
TRANSPORT_ALIASES |= dict.fromkeys(("redis", "rediss"), "worker.celery_support.message_filter:Transport")
broker_connection_retry_on_startup = True
broker_connection_max_retries = None
broker_channel_error_retry = True  # a full or loading broker refuses; without this the worker would end
worker_consumer = "worker.celery_support.broker_consumer:Consumer"
broker_transport_options = {
    "socket_connect_timeout": _settings.connect_timeout_seconds,
    "socket_timeout": _settings.socket_timeout_seconds,
    "socket_keepalive": True,
    "retry_on_timeout": False,
    "health_check_interval": 5,
    # Whoever publishes does not wait for a broker that is away: a worker that did could not even be stopped.
    "max_retries": 1,
    "interval_start": 0,
}

# ---- What messages may hold: JSON, nothing that could run code -------------------------------------------------------
accept_content = ["json"]
task_serializer = "json"
result_serializer = "json"
task_ignore_result = True

# ---- Queues ----------------------------------------------------------------------------------------------------------
task_default_queue = _settings.queue
# Broadcasts and events of our own: a `shutdown` that another application sends to all its workers is none of ours.
control_exchange = _settings.stream_key
event_exchange = event_queue_prefix = f"{_settings.stream_key}.events"
task_create_missing_queues = True
task_routes = {"progress.consume_events": {"queue": _settings.consume_queue or _settings.queue}}

# ---- How tasks run ---------------------------------------------------------------------------------------------------
imports = ("worker.tasks",)
worker_prefetch_multiplier = 1
# A process that hangs beyond every timeout of its connections is replaced; what it had read is taken over by others.
task_time_limit = 12 * _settings.slice_seconds + _settings.statement_timeout_seconds
# It may begin the longest computation just before its own time is over.
task_annotations = {
    f"progress.refresh_{rollup}": {"time_limit": task_time_limit + 3 * _settings.statistics_timeout_seconds}
    for rollup in ("course_statistics", "activity")
}

# ---- The schedule ----------------------------------------------------------------------------------------------------
timezone = "UTC"
enable_utc = True
# In memory: every entry is a plain interval, so there is nothing to remember and no file to leave behind.
beat_scheduler = "celery.beat:Scheduler"
beat_max_loop_interval = 1
_scheduled = {
    "maintain": _settings.maintain_seconds,
    "refresh_summaries": _settings.summary_seconds,
    "refresh_course_statistics": _settings.statistics_seconds,
    "refresh_activity": _settings.activity_seconds,
}
if _settings.retention_days is not None:
    _scheduled["apply_retention"] = 3600
beat_schedule = {name: {"task": f"progress.{name}", "schedule": every(seconds)} for name, seconds in _scheduled.items()}
