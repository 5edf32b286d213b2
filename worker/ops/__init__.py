"""What operators look at: status, metrics, readiness and configuration checks."""
