"""A simulated class: what an LMS would publish about it, mishaps included, and what the tables must hold afterwards.

Pure and deterministic: the same seed gives the same bytes. For `progress-worker demo` and the tests.
"""

from worker.simulation.classroom import simulate
from worker.simulation.published import Published

__all__ = ["Published", "simulate"]
