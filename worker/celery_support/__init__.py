"""What we add to Celery's own worker: its broker consumer, message filter, wake-ups and scheduled tasks."""
