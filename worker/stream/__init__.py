"""Redis Streams: publish, read, reclaim, acknowledge, lease and trim. Correctness never rests on this package.

The key map is in `worker/stream/keys.py`. Imports only `worker.domain`, settings and errors.
"""
