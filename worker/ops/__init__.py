"""For operators: status, metrics, readiness and configuration checks."""
