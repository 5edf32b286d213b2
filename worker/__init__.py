"""Course progress from lesson events: Redis Streams in, exact PostgreSQL rows out.

Read `worker/services/ingest.py` first; the README has the picture.
"""
