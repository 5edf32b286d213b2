"""What a refused connection means for an operator: one place for the words of commands, readiness and log lines.

Takes the drivers' messages, because libpq and Redis give no code while connecting. Pure.
"""

import re
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

_POSTGRESQL = {
    r'password authentication failed for user "(?P<role>.*?)"': (
        'refuses the password of role "{role}", or has no such role'
    ),
    r"no password supplied": "requires a password{role_without_password}",
    r'role "(?P<role>.*?)" does not exist': 'has no role "{role}"',
    r'database "(?P<name>.*?)" does not exist': 'has no database "{name}"',
    r'no pg_hba\.conf entry for .*user "(?P<role>.*?)".*(no encryption|SSL off)': (
        'rejects connections of role "{role}" from this host without TLS: add ?sslmode=require, or see its pg_hba.conf'
    ),
    r"(?P<reason>no pg_hba\.conf entry .*)": "rejects connections from this host: {reason}",
    r'(?P<reason>role ".*" is not permitted to log in|permission denied for database ".*")': (
        "refuses the connection: {reason}"
    ),
    r"server does not support SSL": "does not speak TLS, which the sslmode of DATABASE_URL requires",
    r"(?P<reason>certificate verify failed|root certificate file .* does not exist|server certificate .*)": (
        "has a certificate that is not trusted ({reason}). If it is the right one, "
        "name the file of its authority in the URL: ?sslrootcert=FILE"
    ),
}
"""By a part of libpq's message: what the server does, as the predicate of a sentence."""

_REDIS = {
    r"invalid username-password pair": 'refuses the password of user "{role}", or has no such user',
    r"Authentication required": "requires a password, and {variable} has none",
    r"no password is set|without any password configured": "has no password, and {variable} gives one",
    r"(?P<reason>.*has no permissions .*)": "does not permit that: {reason}. Extend the user's ACL",
    r"DB index is out of range": "has no database {path}",
    r"(?P<reason>.*CERTIFICATE_VERIFY_FAILED.*)": (
        "has a certificate that is not trusted ({reason}). If it is the right one, "
        "name the file of its authority in the URL: ?ssl_ca_certs=FILE"
    ),
    r"WRONG_VERSION_NUMBER|(?i:record.layer.failure)": "does not speak TLS: use redis:// in {variable}",
}
"""The same by a part of Redis' or redis-py's message."""


_UNKNOWN_HOST = "the name of the host is unknown"
_RESOLVERS_WORDS = ("failed to resolve host", "Name or service not known", "nodename nor servname")
"""Of psycopg, glibc and macOS."""


def postgresql_refusal(message: str, url: str) -> str | None:
    """Return what the server does, as the predicate of a sentence, if an operator must act; None if it may pass."""
    role = unquote(urlsplit(url).username or "")
    needed = f' for role "{role}", and DATABASE_URL has none' if role else ", and DATABASE_URL has no user or password"
    return _predicate(_POSTGRESQL, message, role=role, role_without_password=needed)


def postgresql_problem(message: str, url: str) -> str:
    """Return a sentence about a PostgreSQL that refused the connection or did not answer."""
    at, what = f"at {postgresql_place(url)}", message.strip().partition("\n")[0]
    if refusal := postgresql_refusal(message, url):
        return f"PostgreSQL {at} {refusal}."
    _, has_answer, reason = what.partition("FATAL:")
    if has_answer:
        return f"PostgreSQL {at} refuses the connection: {reason.strip()}."
    return f"PostgreSQL does not answer {at}: {_UNKNOWN_HOST if _is_unknown_host(what) else what}"


def postgresql_place(url: str) -> str:
    """Return host, port and database, without the password."""
    parts = urlsplit(url)
    return f"{parts.netloc.rpartition('@')[2] or 'local socket'}{parts.path or '/'}"


def redis_refusal(message: str, url: str, variable: str) -> str | None:
    """Return the same for Redis; `variable` has its URL."""
    parts = urlsplit(url)
    return _predicate(
        _REDIS,
        message,
        role=unquote(parts.username or "default"),
        path=parts.path.strip("/"),
        variable=variable,
    )


def redis_problem(message: str, url: str, variable: str) -> str:
    """Return a sentence about a Redis that refused or did not answer."""
    parts = urlsplit(url)
    where = parts.netloc.rpartition("@")[2] + parts.path
    if refusal := redis_refusal(message, url, variable):
        return f"Redis at {where} {refusal}."
    hint = f"Is it running, and is {variable} right?"
    if parts.scheme == "rediss":
        hint = f"Is it running, does it speak TLS, and is {variable} right?"
    elif "Connection closed by server" in message:
        hint = f"If it expects TLS, use rediss:// in {variable}."
    return f"Redis does not answer at {where} ({_UNKNOWN_HOST if _is_unknown_host(message) else message}). {hint}"


def _is_unknown_host(message: str) -> bool:
    return any(part in message for part in _RESOLVERS_WORDS)


def _predicate(predicates: Mapping[str, str], message: str, **known: str) -> str | None:
    for pattern, predicate in predicates.items():
        if found := re.search(pattern, message):
            return predicate.format(**known | found.groupdict())
    return None
