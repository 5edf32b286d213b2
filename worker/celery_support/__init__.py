"""Our additions to Celery: broker consumer, message filter, wake-ups and scheduled tasks."""
