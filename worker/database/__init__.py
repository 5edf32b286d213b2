"""PostgreSQL: connections, errors, locks, schema and models."""
