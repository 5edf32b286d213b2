"""PostgreSQL: the tables, and every SQL statement in a named function.

Functions take a connection and never commit: the service that calls them owns the transaction.
"""
