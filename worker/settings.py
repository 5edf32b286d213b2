"""Every setting of the worker: name, default, unit and range, read from the environment.

`DATABASE_URL` and `REDIS_URL` are plain names; everything else is `PROGRESS_<NAME>`. Imports nothing of the project
but its errors and what reads a Redis URL.
"""

import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from worker import redis_url
from worker.errors import ConfigurationError
from worker.liveness import DEFAULT_DIRECTORY, DEFAULT_SILENT_SECONDS

_URL_FORMS: dict[Literal["DATABASE_URL", "REDIS_URL"], str] = {
    "DATABASE_URL": "postgresql://user:password@host:port/name",
    "REDIS_URL": "redis://host:port/0",
}
Seconds = Annotated[float, Field(ge=0.01, le=86_400)]
Share = Annotated[float, Field(gt=0, le=1)]

STREAM_KEY = "lesson-events"
_NAME = re.compile(r"[A-Za-z0-9._:/{}-]+")
_DERIVED = re.compile(r":(\d+|wanted|refused|account|commits|system)$|:(lease|quarantine|queued):")
"""How names end, or what they contain, that another stream key gives rise to."""


def _plain(name: str) -> AliasChoices:
    """The setting's environment variable carries no prefix."""
    return AliasChoices(name)


class Settings(BaseSettings):
    """The settings, validated once; immutable afterwards."""

    model_config = SettingsConfigDict(env_prefix="PROGRESS_", frozen=True, extra="ignore", populate_by_name=True)

    database_url: str | None = Field(
        None,
        validation_alias=_plain("DATABASE_URL"),
        repr=False,
        description="PostgreSQL 14 or later: postgresql://user:password@host:port/name.",
    )
    redis_url: str | None = Field(
        None,
        validation_alias=_plain("REDIS_URL"),
        repr=False,
        description="Redis 7 or Valkey 8 or later, holding the event streams: redis://host:port/0.",
    )
    broker_url: str | None = Field(
        None, repr=False, description="Celery's broker, when it is another server than REDIS_URL."
    )

    queue: str = Field(
        "progress", min_length=1, description="Celery's queue; with another stream key `progress:` and that key."
    )
    consume_queue: str | None = Field(
        None, description="Celery's queue for draining, where some workers are to drain and others not."
    )

    stream_key: str = Field(STREAM_KEY, min_length=1, description="Plain stream; partitions add :0, :1, …")
    replay_window_seconds: Annotated[float, Field(ge=0, le=604_800)] = Field(
        300, description="Acknowledged entries stay in Redis so long, to be applied again; 0: not at all."
    )
    stream_partitions: int = Field(8, ge=1, le=64, description="Partitioned streams beside the plain one.")
    batch_size: int = Field(4_000, ge=1, le=10_000, description="Most events in one transaction.")
    slice_seconds: Seconds = Field(
        10, description="How long a task drains, or refreshes summaries or activity, at most."
    )
    block_seconds: Annotated[float, Field(gt=0, le=2)] = Field(
        0.25, description="How long an idle consumer waits in one read."
    )
    lease_seconds: Annotated[float, Field(ge=1, le=86_400)] = Field(
        5, description="Life of a partition's lease without renewal."
    )
    stalled_seconds: Seconds = Field(10, description="Unread this long without a delivery: read without the lease.")
    reclaim_idle_seconds: Seconds = Field(30, description="Pending this long: another consumer takes the entry over.")
    reclaim_interval_seconds: Seconds = Field(2, description="How often a consumer looks for such entries.")
    consumer_idle_seconds: Seconds = Field(60, description="A consumer silent this long is removed.")
    quarantine_deliveries: int = Field(5, ge=1, le=1_000, description="Deliveries after which an entry is tried alone.")
    wake_up_seconds: Seconds = Field(1, description="How often a worker asks itself for a drain.")
    maintain_seconds: Seconds = Field(5, description="How often beat starts progress.maintain.")
    summary_seconds: Seconds = Field(10, description="How often beat starts progress.refresh_summaries.")
    summary_chunk: int = Field(
        500, ge=1, le=10_000, description="Most summaries, or activities, refreshed in one transaction."
    )
    statistics_seconds: Seconds = Field(300, description="How often beat starts progress.refresh_course_statistics.")
    statistics_timeout_seconds: Seconds = Field(100, description="Longest computation of one course's statistics.")
    activity_seconds: Seconds = Field(60, description="How often beat starts progress.refresh_activity.")
    idle_cutoff_seconds: Seconds = Field(
        1_800, description="A gap this long between two events ends a visit and a session; longer is no time spent."
    )
    grace_weekends: bool = Field(False, description="Saturdays and Sundays without activity break no streak.")
    dormant_days: int = Field(
        14,
        ge=1,
        le=3_650,
        description="Active on none of so many days, today included, and the course not completed: a dormant learner.",
    )
    stuck_visits: int = Field(
        3, ge=1, le=1_000, description="Visits to a lesson without completing it after which a learner is stuck on it."
    )
    stuck_factor: Annotated[float, Field(ge=1, le=1_000)] = Field(
        2, description="So many times a lesson's median time without completing it: a learner is stuck on it too."
    )
    blocker_ratio: Share = Field(
        0.2, description="A lesson that stopped this share of those who started it is a blocker; 0 to 1."
    )
    min_learners: int = Field(
        10, ge=1, le=1_000_000, description="On fewer learners a lesson is no blocker and has no difficulty."
    )
    hurried_ratio: Share = Field(
        0.25, description="Completed in less than this share of the median time: worth a second look; 0 to 1."
    )
    revisits: int = Field(3, ge=1, le=1_000, description="So many visits after the completion: worth a second look.")
    retention_days: Annotated[float, Field(ge=1, le=36_500)] | None = Field(
        None, description="Events recorded longer ago are deleted from the ledger; default: never."
    )

    statement_timeout_seconds: Seconds = Field(20, description="PostgreSQL's statement_timeout.")
    lock_timeout_seconds: Seconds = Field(
        0.2,
        description="PostgreSQL's lock_timeout; keep it far below deadlock_timeout: the LMS must never lose.",
    )
    connect_timeout_seconds: Seconds = Field(5, description="Wait for a connection to PostgreSQL or Redis.")
    socket_timeout_seconds: Seconds = Field(10, description="Silence after which a connection counts as cut.")
    backoff_seconds: Seconds = Field(2, description="Longest wait between attempts while a server is away.")
    clock_tolerance_seconds: Seconds = Field(
        3, description="Largest difference between the clocks of host, PostgreSQL and Redis that is still ready."
    )

    api_tokens: SecretStr | None = Field(
        None, description='The API\'s tokens: a JSON list of {"name", "token", "scopes", "courses"?}.'
    )
    api_tokens_directory: Path | None = Field(
        None, description="Folder of such tokens, one JSON object a file, named by the file."
    )
    api_cors_origins: str | None = Field(
        None, description="Origins whose pages may call the API, separated by commas; default: none."
    )
    api_connections: int = Field(
        10, ge=1, le=1_000, description="Connections of one API process to PostgreSQL, two for analyses aside."
    )
    api_lock_timeout_seconds: Seconds = Field(2, description="PostgreSQL's lock_timeout for the API.")
    api_body_bytes: int = Field(16_777_216, ge=1_024, le=67_108_864, description="Largest request body, in bytes.")
    api_callers: int = Field(
        4_000, ge=1, le=100_000, description="Most callers connected to one `progress-worker serve` at a time."
    )
    api_header_seconds: Seconds = Field(10, description="How long a caller may take to send a request's headers.")
    api_body_seconds: Seconds = Field(30, description="How long a request's body may take.")
    api_bad_requests_per_minute: int = Field(
        120, ge=1, le=1_000_000, description="Bad requests of one client or token before it has to wait."
    )

    runtime_directory: Path = Field(
        DEFAULT_DIRECTORY, description="Heartbeat files of this host's worker and consumers."
    )
    embedded_directory: Path | None = Field(None, description="Data of the embedded servers of `up`.")
    silent_seconds: Seconds = Field(
        DEFAULT_SILENT_SECONDS, description="A draining consumer silent this long fails `health live`."
    )
    log_format: Literal["auto", "json", "console"] = Field("auto", description="auto: JSON when not a terminal.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least level that is logged.")

    @model_validator(mode="before")
    @classmethod
    def _queue_of_its_own(cls, given: dict[str, object]) -> dict[str, object]:
        """Two systems on one broker never take each other's tasks."""
        stream_key = given.get("stream_key", STREAM_KEY)
        return given if stream_key == STREAM_KEY else {"queue": f"progress:{stream_key}", **given}

    @field_validator("stream_key")
    @classmethod
    def _names_nothing_else(cls, key: str) -> str:
        if not _NAME.fullmatch(key):
            raise ValueError("may hold letters, digits and . _ - : / { } only: queues and channels are named after it")
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
        """These settings. Raises ConfigurationError when they do not say where the servers named, or both, are."""
        missing = [name for name in variables or _URL_FORMS if getattr(self, name.lower()) is None]
        if missing:
            forms = " and ".join(f"{name} to {_URL_FORMS[name]}" for name in missing)
            raise ConfigurationError(f"{' and '.join(missing)} not set. Set {forms}, or start `progress-worker up`.")
        return self

    def impatient(self) -> Self:
        """These settings for who gives up on a server after two seconds."""
        seconds = {f"{name}_timeout_seconds": 2 for name in ("connect", "socket", "statement")}
        return self.model_copy(update=seconds)

    @field_validator("api_tokens", "api_tokens_directory", mode="before")
    @classmethod
    def _none_if_empty(cls, value: object) -> object:
        """Compose files set what is not given to nothing, and an empty path would be the current folder."""
        return value or None

    @field_validator("database_url")
    @classmethod
    def _with_driver(cls, url: str | None) -> str | None:
        """`postgres://` and `postgresql://` mean psycopg 3 here."""
        if url is None:
            return None
        scheme, separator, rest = url.partition("://")
        if scheme in {"postgres", "postgresql", "postgresql+psycopg"} and separator:
            redis_url.split(url)
            return f"postgresql+psycopg://{rest}"
        raise ValueError("must start with postgresql://")

    @field_validator("redis_url", "broker_url")
    @classmethod
    def _understood_alike(cls, url: str | None) -> str | None:
        return None if url is None else redis_url.canonical(url)


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The process's settings. Raises ConfigurationError with one line per wrong variable."""
    try:
        return Settings()
    except ValidationError as error:
        raise ConfigurationError(
            "; ".join(_sentence(problem["loc"], problem["msg"]) for problem in error.errors())
        ) from None


def variable_name(field: str) -> str:
    """The environment variable of a setting."""
    return field.upper() if field in {"database_url", "redis_url"} else f"PROGRESS_{field.upper()}"


def _sentence(location: tuple[int | str, ...], message: str) -> str:
    sentence = message.removeprefix("Value error, ")
    return f"{variable_name(str(location[0]).lower())}: {sentence}" if location else sentence
