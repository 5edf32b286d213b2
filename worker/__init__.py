"""Course progress from lesson events: Redis Streams in, exact PostgreSQL rows out.

Read `worker/progress/ingest.py` first; the README has the picture.
"""
