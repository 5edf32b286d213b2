"""Redis Streams: keys, publish, read, acknowledge, trim. It knows nothing of PostgreSQL or Celery."""
