"""Celery's configuration as a top-level module; `celery -A worker` reads `worker/celeryconfig.py` itself."""

from worker.celeryconfig import *  # noqa: F403 - Celery reads every name of such a module
