"""Redis Streams: keys, publish, read, acknowledge, trim. Independent of PostgreSQL and Celery."""
