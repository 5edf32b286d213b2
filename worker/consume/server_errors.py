"""Classify and describe errors of PostgreSQL and Redis for the log."""

from redis import RedisError

from worker.database import failures
from worker.database.failures import Failure, classify, is_database_error
from worker.errors import ProgressError, first_line
from worker.settings import Settings
from worker.streams import connection


def is_known(error: Exception) -> bool:
    """Return whether the error is a server's or the configuration's, and no bug."""
    return is_database_error(error) or isinstance(error, RedisError | ProgressError)


def describe(error: Exception, settings: Settings) -> str:
    """Return an error's reason in one line."""
    if isinstance(error, RedisError):
        return connection.describe(error, settings)
    return failures.describe(error, settings) if is_database_error(error) else first_line(error)


def needs_an_operator(error: Exception, settings: Settings) -> bool:
    """Return whether only a person can mend it: the schema, rights, credentials, or the wrong system."""
    if isinstance(error, RedisError):
        return connection.is_refused(error, settings)
    return isinstance(error, ProgressError) or classify(error) is Failure.SCHEMA or failures.is_refused(error, settings)
