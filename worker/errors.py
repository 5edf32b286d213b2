"""Errors for users: what is wrong, with which id, and what to do next.

Any other exception is a defect and keeps its traceback. Imports nothing of the project.
"""


def first_line(error: Exception) -> str:
    """Return an error's reason in one line; for SQLAlchemy's errors, that of the driver."""
    reason = str(getattr(error, "orig", None) or error).strip()
    return reason.splitlines()[0] if reason else type(error).__name__


class ProgressError(Exception):
    """Base: the command line prints the message and exits 1, without a traceback."""


class ConfigurationError(ProgressError):
    """A setting is missing or wrong."""


class ServerUnavailableError(ProgressError):
    """PostgreSQL or Redis is unreachable or refuses the connection."""


class SchemaError(ProgressError):
    """The database has no tables, or tables of another version."""


class OtherSystemError(ProgressError):
    """The streams belong to another database."""


class CommitsLostError(ProgressError):
    """PostgreSQL has lost commits of this consumer."""


class InputError(ProgressError):
    """The user's input is invalid: a file, an id, an option."""


class NotFoundError(InputError):
    """The enrollment, course or row does not exist."""


class ConflictError(InputError):
    """The user's input contradicts earlier input."""


class LockedError(ProgressError):
    """Another session holds a lock on an enrollment or a course; try again later."""


def unknown_enrollment(user_course_id: int) -> NotFoundError:
    """Return the error for an enrollment that does not exist."""
    return NotFoundError(
        f"There is no enrollment {user_course_id}. Its events may be waiting for it: "
        "see `progress-worker dead-letters list --reason unknown_enrollment`."
    )
