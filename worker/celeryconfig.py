"""Celery's configuration: broker, serializers, routes, limits and the beat schedule.

No event data passes through Celery (see `worker/tasks.py`), so a lost message costs a moment, never an event.
"""

# Celery takes every other name of this module for a setting, and `celery report` would show it.
from kombu.transport import TRANSPORT_ALIASES as _TRANSPORT_ALIASES

from worker.celery_support.scheduled_task import every as _every
from worker.errors import ConfigurationError as _ConfigurationError
from worker.redis_url import for_kombu as _for_kombu
from worker.settings import get_settings as _get_settings

try:
    _settings = _get_settings().with_servers()
except _ConfigurationError as error:
    # For any other exception Celery would print a traceback of its own imports.
    raise SystemExit(f"Error: {error}") from None

# ---- Broker ----------------------------------------------------------------------------------------------------------
broker_url, broker_use_ssl = _for_kombu(_settings.broker_url or str(_settings.redis_url))
_TRANSPORT_ALIASES |= dict.fromkeys(("redis", "rediss"), "worker.celery_support.message_filter:Transport")
broker_connection_retry_on_startup = True
broker_connection_max_retries = None
broker_channel_error_retry = True  # without this a full or loading broker would end the worker
worker_consumer = "worker.celery_support.broker_consumer:Consumer"
broker_transport_options = {
    "socket_connect_timeout": _settings.connect_timeout_seconds,
    "socket_timeout": _settings.socket_timeout_seconds,
    "socket_keepalive": True,
    "retry_on_timeout": False,
    "health_check_interval": 5,
    # Do not wait for an unavailable broker when publishing: a waiting worker could not even be stopped.
    "max_retries": 1,
    "interval_start": 0,
}

# ---- Serialization: only JSON, which cannot run code -----------------------------------------------------------------
accept_content = ["json"]
task_serializer = "json"
result_serializer = "json"
task_ignore_result = True

# ---- Queues ----------------------------------------------------------------------------------------------------------
task_default_queue = _settings.queue
# Our own broadcasts and events, so that another application's `shutdown` does not reach our workers.
control_exchange = _settings.stream_key
event_exchange = event_queue_prefix = f"{_settings.stream_key}.events"
task_create_missing_queues = True
task_routes = {"progress.consume_events": {"queue": _settings.consume_queue or _settings.queue}}

# ---- Tasks -----------------------------------------------------------------------------------------------------------
imports = ("worker.tasks",)
worker_prefetch_multiplier = 1
# A process that hangs beyond all connection timeouts is replaced; other consumers take over what it had read.
task_time_limit = 12 * _settings.slice_seconds + _settings.statement_timeout_seconds
# A refresh may begin its longest computation just before its time is up.
task_annotations = {
    f"progress.refresh_{rollup}": {"time_limit": task_time_limit + 3 * _settings.statistics_timeout_seconds}
    for rollup in ("course_statistics", "activity")
}

# ---- Schedule --------------------------------------------------------------------------------------------------------
timezone = "UTC"
enable_utc = True
# In memory: every entry is a plain interval, so there is no state to keep in a file.
beat_scheduler = "worker.celery_support.beat_scheduler:Scheduler"
beat_max_loop_interval = 1
_scheduled = {
    "maintain": _settings.maintain_seconds,
    "refresh_summaries": _settings.summary_seconds,
    # Often, so that small courses stay current; a pause for each course spares large ones.
    "refresh_course_statistics": min(_settings.summary_seconds, _settings.statistics_seconds),
    "refresh_activity": _settings.activity_seconds,
}
if _settings.retention_days is not None:
    _scheduled["apply_retention"] = 3600
beat_schedule = {
    name: {"task": f"progress.{name}", "schedule": _every(seconds)} for name, seconds in _scheduled.items()
}
