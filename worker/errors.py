"""The errors a person gets to read: what is wrong, with which id, and what to do next.

Everything else that goes wrong is a defect and keeps its traceback. Imports nothing of the project.
"""


def first_line(error: Exception) -> str:
    """An error's reason in one line: that of the driver below SQLAlchemy, where there is one."""
    reason = str(getattr(error, "orig", None) or error).strip()
    return reason.splitlines()[0] if reason else type(error).__name__


class ProgressError(Exception):
    """Base: the command line prints the message and exits 1, without a traceback."""


class ConfigurationError(ProgressError):
    """A setting is missing or wrong."""


class ServerUnavailableError(ProgressError):
    """PostgreSQL or Redis cannot be reached or refuses us."""


class SchemaError(ProgressError):
    """The database has no tables yet, or those of another version."""


class OtherSystemError(ProgressError):
    """The streams belong to another database than this one."""


class CommitsLostError(ProgressError):
    """PostgreSQL has forgotten what this consumer committed."""


class InputError(ProgressError):
    """What the user gave cannot be used: a file, an id, an option."""


class NotFoundError(InputError):
    """There is no such enrollment, course or row."""


class ConflictError(InputError):
    """What the user gave contradicts what was given before."""


class LockedError(ProgressError):
    """Another session keeps an enrollment or a course locked; the same may go through later."""


def unknown_enrollment(user_course_id: int) -> NotFoundError:
    """The error for an enrollment that does not exist."""
    return NotFoundError(
        f"There is no enrollment {user_course_id}. Its events may be waiting for it: "
        "see `progress-worker dead-letters list --reason unknown_enrollment`."
    )
