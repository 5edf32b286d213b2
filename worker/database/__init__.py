"""The connection to PostgreSQL, what its errors mean, the schema and its models."""
