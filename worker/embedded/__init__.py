"""A real PostgreSQL and a real Valkey from wheels, for `demo`, `up` and the tests.

`start.py` runs both during a `with` block and keeps their data in one directory.
"""
