"""Settings: defaults that fit, units and ranges that hold, and sentences where they do not."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from worker import running_up
from worker.errors import ConfigurationError
from worker.running_up import RunningUp, publish
from worker.settings import Settings, get_settings


def test_everything_but_the_two_urls_has_a_default_within_its_range() -> None:
    settings = Settings()
    assert settings.database_url is None
    assert settings.redis_url is None
    given = {name: value for name, value in settings.model_dump().items() if value is not None}
    assert Settings.model_validate(given) == settings


def test_the_urls_have_plain_names_and_the_rest_a_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql+psycopg://localhost/lms")
    monkeypatch.setenv("REDIS_URL", "redis://localhost:6379/0")
    monkeypatch.setenv("PROGRESS_BATCH_SIZE", "7")
    monkeypatch.setenv("BATCH_SIZE", "8")
    monkeypatch.setenv("PROGRESS_DATABASE_URL", "postgresql://elsewhere/lms")
    settings = Settings()
    assert settings.database_url == "postgresql+psycopg://localhost/lms"
    assert settings.redis_url == "redis://localhost:6379/0"
    assert settings.batch_size == 7


@pytest.fixture
def up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningUp]:
    """One that runs in the working directory."""
    monkeypatch.setattr(running_up, "private_directory", lambda: tmp_path / "base")
    monkeypatch.chdir(tmp_path)
    get_settings.cache_clear()
    with publish(RunningUp("postgresql://u:p@h:5432/up", "redis://default:p@h:1/0", tmp_path, tmp_path)) as running:
        yield running
    get_settings.cache_clear()


def test_with_neither_url_both_are_of_the_up_of_this_directory(
    up: RunningUp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DATABASE_URL", "REDIS_URL", "PROGRESS_BROKER_URL"):
        monkeypatch.setenv(name, "")  # as a Compose file leaves a missing one
    (tmp_path / "below").mkdir()
    monkeypatch.chdir("below")
    settings = get_settings()
    assert settings.database_url == up.database_url.replace("postgresql", "postgresql+psycopg")
    assert settings.redis_url == up.redis_url
    assert settings.broker_url is None
    assert running_up.in_use() == up


def test_the_broker_of_other_servers_is_neither_mixed_with_an_up_nor_dropped(
    up: RunningUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROGRESS_BROKER_URL", "redis://broker:1/0")
    with pytest.raises(ConfigurationError, match=rf"PROGRESS_BROKER_URL is set, but .* of {up.started_in}, or set all"):
        get_settings()


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL"])
def test_a_url_of_the_environment_wins_and_is_not_completed(
    up: RunningUp, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"DATABASE_URL": "postgresql+psycopg://lms/x", "REDIS_URL": "redis://lms:1/0"}
    monkeypatch.setenv(name, given[name])
    settings = get_settings()
    assert running_up.in_use() is None
    urls = {"DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url}
    assert urls == {**dict.fromkeys(given), name: given[name]}
    unused = f"The `progress-worker up` of {up.started_in} is not used because {name} is set: unset it, or export both."
    with pytest.raises(ConfigurationError, match=rf"is not set\. Set .*\. {unused}$"):
        settings.with_servers()


def test_elsewhere_nothing_is_found_or_made_and_its_directory_is_named_without_passwords(
    up: RunningUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    with pytest.raises(ConfigurationError) as caught:
        get_settings().with_servers()
    assert f", or work in {up.started_in}, where `progress-worker up` runs" in str(caught.value)
    assert ":p@" not in str(caught.value)


def test_a_missing_variable_makes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running_up, "private_directory", lambda: tmp_path / "base")
    get_settings.cache_clear()
    with pytest.raises(ConfigurationError):
        get_settings().with_servers()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_usual_postgresql_scheme_means_psycopg_3(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv("DATABASE_URL", f"{scheme}://u:p@h:5432/d?host=/x")
    assert Settings().database_url == "postgresql+psycopg://u:p@h:5432/d?host=/x"


@pytest.mark.parametrize("url", ["mysql://h/d", "postgresql+asyncpg://h/d", "h/d", "postgresql", "://h/d"])
def test_another_database_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(ConfigurationError, match="DATABASE_URL: must start with postgresql://"):
        get_settings()


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL", "PROGRESS_BROKER_URL"])
@pytest.mark.parametrize("blank", ["", " "])
def test_a_blank_url_counts_as_unset(monkeypatch: pytest.MonkeyPatch, name: str, blank: str) -> None:
    monkeypatch.setenv(name, blank)
    assert getattr(Settings(), name.removeprefix("PROGRESS_").lower()) is None


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("redis://h:1/0", "redis://h:1/0"),
        ("rediss://h:1/0", "rediss://h:1/0"),
        ("valkey://valkey:1/0", "redis://valkey:1/0"),
        ("valkeys://h:1/0", "rediss://h:1/0"),
    ],
)
def test_redis_and_valkey_urls_are_the_same_to_us(monkeypatch: pytest.MonkeyPatch, url: str, meant: str) -> None:
    monkeypatch.setenv("REDIS_URL", url)
    monkeypatch.setenv("PROGRESS_BROKER_URL", url)
    assert (Settings().redis_url, Settings().broker_url) == (meant, meant)


@pytest.mark.parametrize("name", ["REDIS_URL", "PROGRESS_BROKER_URL"])
@pytest.mark.parametrize("url", ["amqp://h", "localhost:6379", "://h"])
def test_another_broker_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch, name: str, url: str) -> None:
    monkeypatch.setenv(name, url)
    with pytest.raises(ConfigurationError, match=f"{name}: must start with redis://"):
        get_settings()


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("BATCH_SIZE", ["1", "10000"], ["0", "10001", "1.5", "many"]),
        ("STREAM_PARTITIONS", ["1", "64"], ["0", "65"]),
        ("QUARANTINE_DELIVERIES", ["1", "1000"], ["0", "1001"]),
        ("SLICE_SECONDS", ["0.1", "86400"], ["0", "-1", "86401", "nan"]),
        ("BLOCK_SECONDS", ["0.01", "2"], ["0", "2.1"]),
        ("LEASE_SECONDS", ["1"], ["0.9"]),
        ("STREAM_KEY", ["x"], [""]),
        ("LOG_FORMAT", ["auto", "json", "console"], ["xml"]),
        ("LOG_LEVEL", ["DEBUG", "ERROR"], ["LOUD"]),
    ],
)
def test_a_range_is_held_on_both_sides(
    monkeypatch: pytest.MonkeyPatch, name: str, inside: list[str], outside: list[str]
) -> None:
    for value in inside:
        monkeypatch.setenv(f"PROGRESS_{name}", value)
        assert str(getattr(Settings(), name.lower())).removesuffix(".0") == value
    for value in outside:
        monkeypatch.setenv(f"PROGRESS_{name}", value)
        with pytest.raises(ValidationError):
            Settings()


@pytest.mark.parametrize("name", ["pg_ours", "x" * 64, "a\nb", "\N{LATIN SMALL LETTER E WITH ACUTE}" * 32])
def test_a_name_that_postgresql_would_not_take_for_a_schema_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("PROGRESS_SCHEMA", name)
    complaint = "^PROGRESS_SCHEMA: must be a name of at most 63 bytes, all printable,"
    with pytest.raises(ConfigurationError, match=complaint):
        get_settings()


@pytest.mark.parametrize(
    ("given", "name"), [("", None), (" ", None), (" progress\n", "progress"), ("our own", "our own")]
)
def test_blanks_around_a_schema_do_not_name_another(
    monkeypatch: pytest.MonkeyPatch, given: str, name: str | None
) -> None:
    monkeypatch.setenv("PROGRESS_SCHEMA", given)
    assert Settings().database_schema == name


def test_every_wrong_variable_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROGRESS_BATCH_SIZE", "0")
    monkeypatch.setenv("PROGRESS_LEASE_SECONDS", "never")
    with pytest.raises(ConfigurationError) as caught:
        get_settings()
    assert "PROGRESS_BATCH_SIZE: " in str(caught.value)
    assert "PROGRESS_LEASE_SECONDS: " in str(caught.value)


def test_settings_are_read_once_and_do_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    first = get_settings()
    monkeypatch.setenv("PROGRESS_BATCH_SIZE", "7")
    assert get_settings() is first
    with pytest.raises(ValidationError, match="frozen"):
        first.batch_size = 7  # type: ignore[misc]


def test_every_setting_is_described() -> None:
    undescribed = {name for name, field in Settings.model_fields.items() if not field.description}
    assert undescribed <= {"log_level"}


def test_a_directory_is_a_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PROGRESS_RUNTIME_DIRECTORY", str(tmp_path))
    assert Settings().runtime_directory == tmp_path


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("redis://127.0.0.1:abc/0", "the port must be a number"),
        ("redis://127.0.0.1:6379/abc", "the database after the host must be a number"),
        ("redis://127.0.0.1:6379/0?protocol=3", "must not set protocol"),
        ("unix:///run/redis.sock", "must start with redis://"),
    ],
)
@pytest.mark.parametrize("variable", ["REDIS_URL", "PROGRESS_BROKER_URL"])
def test_a_redis_url_that_would_fail_or_mislead_later_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch, variable: str, url: str, complaint: str
) -> None:
    monkeypatch.setenv(variable, url)
    with pytest.raises(ConfigurationError, match=f"{variable}: {complaint}"):
        get_settings()


@pytest.mark.parametrize(
    ("given", "queue"),
    [
        ({}, "progress"),
        ({"PROGRESS_STREAM_KEY": "lesson-events"}, "progress"),
        ({"PROGRESS_STREAM_KEY": "tenant-a:lesson-events"}, "progress:tenant-a:lesson-events"),
        ({"PROGRESS_STREAM_KEY": "tenant-a", "PROGRESS_QUEUE": "progress"}, "progress"),
    ],
)
def test_each_stream_key_has_a_queue_of_its_own(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], queue: str
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert Settings().queue == queue


@pytest.mark.parametrize(
    "key",
    ["lesson-events:3", "lesson-events:wanted", "a:lease:b", "*", "lesson events", "a\n", "a\x06\x16b", "é", "a,b"],
)
def test_a_stream_key_that_is_anothers_or_breaks_names_is_refused(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("PROGRESS_STREAM_KEY", key)
    with pytest.raises(ConfigurationError, match=r"PROGRESS_STREAM_KEY: (may contain only|looks like)"):
        get_settings()


@pytest.mark.parametrize("variable", ["PROGRESS_QUEUE", "PROGRESS_CONSUME_QUEUE"])
@pytest.mark.parametrize("queue", ["lesson-events", "lesson-events:0", "lesson-events:wanted"])
def test_a_queue_named_like_a_stream_is_refused(monkeypatch: pytest.MonkeyPatch, variable: str, queue: str) -> None:
    monkeypatch.setenv(variable, queue)
    with pytest.raises(ConfigurationError, match=f"PROGRESS_QUEUE {queue} must not be PROGRESS_STREAM_KEY"):
        get_settings()
