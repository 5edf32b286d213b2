"""A simulated class: the events an LMS would publish, with duplicates and errors, and the resulting table contents.

Deterministic: the same seed gives the same bytes. For `progress-worker demo` and the tests.
"""
