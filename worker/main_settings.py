"""The settings that operators need first; `worker.settings` has those for tuning."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from worker.liveness import DEFAULT_DIRECTORY

Seconds = Annotated[float, Field(ge=0.01, le=86_400)]
DEFAULT_STREAM_KEY = "lesson-events"


class MainSettings(BaseSettings):
    """The settings that operators need first."""

    model_config = SettingsConfigDict(env_prefix="PROGRESS_", frozen=True, extra="ignore", populate_by_name=True)

    database_url: str | None = Field(
        None,
        validation_alias=AliasChoices("DATABASE_URL"),
        repr=False,
        description="PostgreSQL 14 or later: postgresql://user:password@host:port/name.",
    )
    database_schema: str | None = Field(
        None,
        validation_alias=AliasChoices("PROGRESS_SCHEMA"),
        description="Schema for our tables alone, beside an LMS's; default: the first on the role's search_path.",
    )
    redis_url: str | None = Field(
        None,
        validation_alias=AliasChoices("REDIS_URL"),
        repr=False,
        description="Redis 7 or Valkey 8, or later, for the event streams: redis://host:port/0.",
    )
    broker_url: str | None = Field(None, repr=False, description="Celery's broker, if not REDIS_URL.")
    queue: str = Field(
        "progress",
        min_length=1,
        description="Celery's queue; with another stream key, the default is `progress:` plus that key.",
    )
    stream_key: str = Field(
        DEFAULT_STREAM_KEY, min_length=1, description="Key of the plain stream; partitions append :0, :1, …"
    )
    stream_partitions: int = Field(8, ge=1, le=64, description="Number of partitions in addition to the plain stream.")
    replay_window_seconds: Annotated[float, Field(ge=0, le=604_800)] = Field(
        300, description="How long acknowledged entries stay in Redis for replay; 0 keeps none."
    )
    retention_days: Annotated[float, Field(ge=1, le=36_500)] | None = Field(
        None, description="Age at which recorded events are deleted from the ledger, in days; default: never."
    )
    idle_cutoff_seconds: Seconds = Field(
        1_800,
        description="A gap this long between events starts a new visit and session; a longer one is not time spent.",
    )
    api_tokens: SecretStr | None = Field(
        None, description='API tokens: a JSON list of {"name", "token", "scopes", "courses"?, "connection"?}.'
    )
    api_tokens_directory: Path | None = Field(
        None, description="Directory of API tokens: one JSON object per file, named after the file."
    )
    api_cors_origins: str | None = Field(
        None, description="Origins whose pages may call the API, separated by commas; default: none."
    )
    connections: Path | None = Field(
        None, description="TOML file of connections: a table for each learning system, by its name."
    )
    not_translated_days: Annotated[float, Field(ge=0.01, le=3_650)] = Field(
        90, description="Age at which records that could not be translated are deleted, in days."
    )
    runtime_directory: Path = Field(
        DEFAULT_DIRECTORY, description="Directory for the heartbeat files of this host's worker and consumers."
    )
    log_format: Literal["auto", "json", "console"] = Field("auto", description="auto: JSON unless on a terminal.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Lowest level to log.")
