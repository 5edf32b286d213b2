"""The words for refused connections, by messages; tests/fault/test_refused_connections.py has real servers."""

import pytest

from worker.connection_errors import postgresql_problem, postgresql_refusal, redis_problem

URL = "postgresql+psycopg://lms:secret@h/x"
TLS_HINT = "Is it running, does it speak TLS, and is PROGRESS_BROKER_URL right?"
HBA = 'FATAL:  no pg_hba.conf entry for host "10.0.0.9", user "lms", database "x", '


@pytest.mark.parametrize(
    ("message", "predicate"),
    [
        (HBA + "no encryption", 'rejects connections of role "lms" from this host without TLS'),
        (HBA + "SSL encryption", f"rejects connections from this host: {HBA.removeprefix('FATAL:  ')}SSL encryption"),
        ('FATAL:  role "lms" is not permitted to log in', 'refuses the connection: role "lms" is not permitted'),
        ("SSL error: certificate verify failed", "has a certificate that is not trusted"),
        ("FATAL:  the database system is starting up", None),
        ('FATAL:  sorry, too many clients already for role "lms"', None),
        ("Connection refused", None),
    ],
)
def test_postgresql_refuses_until_an_operator_acts_or_for_now(message: str, predicate: str | None) -> None:
    found = postgresql_refusal(f"connection failed: {message}", URL)
    assert found is None if predicate is None else (found or "").startswith(predicate)


@pytest.mark.parametrize(
    ("url", "message", "sentence"),
    [
        (
            "postgresql://h:5433/x",
            "fe_sendauth: no password supplied",
            "PostgreSQL at h:5433/x requires a password, and DATABASE_URL has no user or password.",
        ),
        (
            "postgresql://lms@h/x",
            "fe_sendauth: no password supplied",
            'PostgreSQL at h/x requires a password for role "lms", and DATABASE_URL has none.',
        ),
        (URL, "FATAL:  sorry", "PostgreSQL at h/x refuses the connection: sorry."),
        (URL, "failed to resolve host 'h'", "PostgreSQL does not answer at h/x: the name of the host is unknown"),
    ],
)
def test_postgresql_is_named_with_its_port_and_without_its_password(url: str, message: str, sentence: str) -> None:
    assert postgresql_problem(message, url) == sentence


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (
            "AUTH <password> called without any password configured for the default user. Are you sure?",
            "Redis at h:1/0 has no password, and PROGRESS_BROKER_URL gives one.",
        ),
        (
            "[SSL: WRONG_VERSION_NUMBER] wrong version number",
            "Redis at h:1/0 does not speak TLS: use redis:// in PROGRESS_BROKER_URL.",
        ),
        (
            "Error -2 connecting to h:1. Name or service not known.",
            f"Redis does not answer at h:1/0 (the name of the host is unknown). {TLS_HINT}",
        ),
        (
            "Timeout connecting to server",
            f"Redis does not answer at h:1/0 (Timeout connecting to server). {TLS_HINT}",
        ),
    ],
)
def test_redis_is_named_with_its_variable_and_without_its_password(message: str, sentence: str) -> None:
    assert redis_problem(message, "rediss://lms:secret@h:1/0", "PROGRESS_BROKER_URL") == sentence
