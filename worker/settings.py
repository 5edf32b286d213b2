"""Every setting of the worker: name, default, unit and range, read from the environment.

`DATABASE_URL` and `REDIS_URL` are plain names; everything else is `PROGRESS_<NAME>`. With neither of the two, those of
a `progress-worker up` that runs in the working directory or above count.
"""

import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from worker import redis_url, running_up
from worker.errors import ConfigurationError
from worker.liveness import DEFAULT_SILENT_SECONDS
from worker.main_settings import DEFAULT_STREAM_KEY, MainSettings, Seconds

_VARIABLES = {"database_url": "DATABASE_URL", "redis_url": "REDIS_URL", "database_schema": "PROGRESS_SCHEMA"}
"""Environment variables that are not PROGRESS_ and the field's name."""
Ratio = Annotated[float, Field(gt=0, le=1)]

_NAME = re.compile(r"[A-Za-z0-9._:/{}-]+")
_DERIVED = re.compile(r":(\d+|wanted|refused|account|commits|system)$|:(lease|quarantine|queued):")
"""Endings and parts of names that are derived from a stream key."""


class Settings(MainSettings):
    """All settings, validated once, then immutable. Those defined here are for tuning."""

    consume_queue: str | None = Field(None, description="Celery's queue for draining, if only some workers drain.")
    edx_bus_url: str | None = Field(
        None, repr=False, description="Redis of Open edX's event bus, for `progress-worker bridge edx-bus`."
    )
    batch_size: int = Field(4_000, ge=1, le=10_000, description="Maximum number of events in one transaction.")
    slice_seconds: Seconds = Field(
        10, description="Maximum time for one task to drain, or to refresh summaries or activity."
    )
    block_seconds: Annotated[float, Field(gt=0, le=2)] = Field(
        0.25, description="How long an idle consumer waits in one read."
    )
    lease_seconds: Annotated[float, Field(ge=1, le=86_400)] = Field(
        5, description="Lifetime of a partition's lease without renewal."
    )
    stalled_seconds: Seconds = Field(
        10, description="Time without a delivery after which an unread stream is read without its lease."
    )
    reclaim_idle_seconds: Seconds = Field(
        30, description="Pending time after which another consumer takes an entry over."
    )
    reclaim_interval_seconds: Seconds = Field(2, description="How often a consumer looks for entries to take over.")
    consumer_idle_seconds: Seconds = Field(60, description="Idle time after which a consumer is removed.")
    quarantine_deliveries: int = Field(
        5, ge=1, le=1_000, description="Deliveries after which an entry is quarantined and tried alone."
    )
    wake_up_seconds: Seconds = Field(1, description="How often a worker wakes itself up to drain.")
    maintain_seconds: Seconds = Field(5, description="How often beat starts progress.maintain.")
    summary_seconds: Seconds = Field(10, description="How often beat starts progress.refresh_summaries.")
    summary_chunk: int = Field(
        500, ge=1, le=10_000, description="Maximum number of summaries, or activities, refreshed in one transaction."
    )
    statistics_seconds: Seconds = Field(
        300,
        description="Pause between two computations of a course's statistics; proportionally shorter while the courses "
        "that changed have fewer than 10,000 enrollments in all.",
    )
    statistics_timeout_seconds: Seconds = Field(100, description="Time limit for computing one course's statistics.")
    activity_seconds: Seconds = Field(60, description="How often beat starts progress.refresh_activity.")

    grace_weekends: bool = Field(False, description="Saturdays and Sundays without activity do not break a streak.")
    dormant_days: int = Field(
        14,
        ge=1,
        le=3_650,
        description="Days without activity, today included, after which a learner who has not completed is dormant.",
    )
    stuck_visits: int = Field(
        3, ge=1, le=1_000, description="A learner is stuck on a lesson after this many visits without completing it."
    )
    stuck_factor: Annotated[float, Field(ge=1, le=1_000)] = Field(
        2, description="A learner is also stuck after spending this multiple of the lesson's median time."
    )
    blocker_ratio: Ratio = Field(
        0.2, description="A lesson is a blocker if it stopped at least this ratio of those who started it; 0 to 1."
    )
    min_learners: int = Field(
        10, ge=1, le=1_000_000, description="Minimum learners before a lesson gets a blocker flag or difficulty score."
    )
    hurried_ratio: Ratio = Field(
        0.25,
        description="A lesson completed faster than this ratio of its median time deserves a second look; 0 to 1.",
    )
    revisits: int = Field(
        3, ge=1, le=1_000, description="A lesson visited this many times after its completion deserves a second look."
    )

    statement_timeout_seconds: Seconds = Field(20, description="PostgreSQL's statement_timeout.")
    lock_timeout_seconds: Seconds = Field(
        0.2,
        description="PostgreSQL's lock_timeout; keep it far below deadlock_timeout so that the LMS never loses.",
    )
    connect_timeout_seconds: Seconds = Field(5, description="Timeout for connecting to PostgreSQL or Redis.")
    socket_timeout_seconds: Seconds = Field(10, description="Silence after which a connection counts as broken.")
    backoff_seconds: Seconds = Field(2, description="Maximum wait between attempts while a server is unavailable.")
    clock_tolerance_seconds: Seconds = Field(
        3, description="Maximum difference between the clocks of host, PostgreSQL and Redis to count as ready."
    )

    api_connections: int = Field(
        10, ge=1, le=1_000, description="PostgreSQL connections of one API process, plus two for analyses."
    )
    api_lock_timeout_seconds: Seconds = Field(2, description="PostgreSQL's lock_timeout for the API.")
    api_body_bytes: int = Field(16_777_216, ge=1_024, le=67_108_864, description="Maximum size of a request body.")
    api_callers: int = Field(
        4_000, ge=1, le=100_000, description="Maximum number of clients connected to one `progress-worker serve`."
    )
    api_header_seconds: Seconds = Field(10, description="Time limit for receiving a request's headers.")
    api_body_seconds: Seconds = Field(30, description="Time limit for receiving a request's body.")
    api_bad_requests_per_minute: int = Field(
        120, ge=1, le=1_000_000, description="Bad requests after which a client or token has to wait."
    )

    embedded_directory: Path | None = Field(None, description="Data directory of the embedded servers of `up`.")
    silent_seconds: Seconds = Field(
        DEFAULT_SILENT_SECONDS, description="Silence of a draining consumer after which `health live` fails."
    )

    @model_validator(mode="before")
    @classmethod
    def _queue_of_its_own(cls, given: dict[str, object]) -> dict[str, object]:
        """Keep two systems on one broker from taking each other's tasks."""
        stream_key = given.get("stream_key", DEFAULT_STREAM_KEY)
        return given if stream_key == DEFAULT_STREAM_KEY else {"queue": f"progress:{stream_key}", **given}

    @field_validator("stream_key")
    @classmethod
    def _names_nothing_else(cls, key: str) -> str:
        if not _NAME.fullmatch(key):
            raise ValueError("may contain only letters, digits and . _ - : / { }: queues and channels use it too")
        if _DERIVED.search(key):
            raise ValueError("looks like a key of another system, such as its partition; choose another ending")
        return key

    @model_validator(mode="after")
    def _queues_are_no_streams(self) -> Self:
        for queue in filter(None, (self.queue, self.consume_queue)):
            if re.fullmatch(rf"{re.escape(self.stream_key)}(:.*)?", queue):
                raise ValueError(f"PROGRESS_QUEUE {queue} must not be PROGRESS_STREAM_KEY or begin with it and a colon")
        return self

    @model_validator(mode="after")
    def _lease_outlives_a_read(self) -> Self:
        if self.lease_seconds <= 2 * self.block_seconds:
            raise ValueError("PROGRESS_LEASE_SECONDS must be more than twice PROGRESS_BLOCK_SECONDS")
        return self

    def with_servers(self, *variables: Literal["DATABASE_URL", "REDIS_URL"]) -> Self:
        """Return the settings; raise ConfigurationError if the URL of a named server, or of either one, is missing."""
        missing = [name for name in variables or running_up.URL_FORMS if getattr(self, name.lower()) is None]
        if missing:
            given = "DATABASE_URL" if self.database_url else "REDIS_URL" if self.redis_url else None
            raise ConfigurationError(running_up.sentence_without(missing, given))
        return self

    def impatient(self) -> Self:
        """Return the settings with server timeouts of two seconds."""
        seconds = {f"{name}_timeout_seconds": 2 for name in ("connect", "socket", "statement")}
        return self.model_copy(update=seconds)

    @field_validator(
        *(
            "database_url",
            "redis_url",
            "broker_url",
            "edx_bus_url",
            "database_schema",
            "api_tokens",
            "api_tokens_directory",
            "connections",
        ),
        mode="before",
    )
    @classmethod
    def _none_if_empty(cls, value: object) -> object:
        """Compose files set missing values to empty strings, and an empty path would be the current directory."""
        return (value.strip() if isinstance(value, str) else value) or None

    @field_validator("database_schema")
    @classmethod
    def _names_a_schema(cls, name: str | None) -> str | None:
        """PostgreSQL would cut a longer name, and reserves the others."""
        if name is not None and (not name.isprintable() or len(name.encode()) > 63 or name.startswith("pg_")):
            raise ValueError("must be a name of at most 63 bytes, all printable, that does not begin with pg_")
        return name

    @field_validator("database_url")
    @classmethod
    def _with_driver(cls, url: str | None) -> str | None:
        """Make `postgres://` and `postgresql://` mean psycopg 3."""
        if url is None:
            return None
        scheme, separator, rest = url.partition("://")
        if scheme in {"postgres", "postgresql", "postgresql+psycopg"} and separator:
            redis_url.split(url)
            return f"postgresql+psycopg://{rest}"
        raise ValueError("must start with postgresql://")

    @field_validator("redis_url", "broker_url", "edx_bus_url")
    @classmethod
    def _understood_alike(cls, url: str | None) -> str | None:
        return None if url is None else redis_url.canonical(url)


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Return the process's settings. Raise ConfigurationError that names every wrong variable.

    If the environment has neither URL, both are those of the running `up` of the working directory or of the nearest
    one above it, and so is the broker; another broker is refused. Nothing is started or created.
    """
    settings, up = environment_settings(), running_up.in_use()
    if up is None:
        return settings
    if settings.broker_url:
        remedy = f"Unset it to use the `progress-worker up` of {up.started_in}, or set all three."
        raise ConfigurationError(f"PROGRESS_BROKER_URL is set, but neither DATABASE_URL nor REDIS_URL. {remedy}")
    return Settings.model_validate({"DATABASE_URL": up.database_url, "REDIS_URL": up.redis_url})


def environment_settings() -> Settings:
    """Return what the environment alone says. Raise ConfigurationError that names every wrong variable."""
    try:
        return Settings()
    except ValidationError as error:
        raise ConfigurationError(
            "; ".join(_sentence(problem["loc"], problem["msg"]) for problem in error.errors())
        ) from None


def variable_name(field: str) -> str:
    """Return the environment variable of a setting."""
    return _VARIABLES.get(field, f"PROGRESS_{field.upper()}")


def _sentence(location: tuple[int | str, ...], message: str) -> str:
    sentence = message.removeprefix("Value error, ")
    if not location:
        return sentence
    name = str(location[0])
    return f"{name if name in _VARIABLES.values() else variable_name(name.lower())}: {sentence}"
