"""A Redis URL that means the same to redis-py, which reads the streams, and to kombu, through which Celery's tasks go.

By themselves they differ. Kombu verifies no certificate unless an option asks for it, takes TLS options for a wish for
TLS also in `redis://`, and each has spellings that are an error to the other. So options are read here and only here.
"""

import ssl
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit

_CERT_REQS = {
    f"{prefix}{word}": word for word in ("required", "optional", "none") for prefix in ("", "cert_", "ssl.cert_")
}
_TRUTH = dict.fromkeys(("true", "t", "yes", "y", "on", "1"), True) | dict.fromkeys(
    ("false", "f", "no", "n", "off", "0"), False
)
_FILES = ("ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile")
_OPTIONS = ("db", "ssl_cert_reqs", "ssl_check_hostname", *_FILES, "ssl_password", "ssl_ciphers")


def canonical(url: str) -> str:
    """The URL with every option as redis-py spells it; its own result stays as it is.

    Raises ValueError, a sentence's second half, for what is no such URL, an option that means nothing to us, or one
    whose files cannot be used.
    """
    scheme, separator, rest = url.partition("://")
    scheme = {"valkey": "redis", "valkeys": "rediss"}.get(scheme, scheme)
    if scheme not in {"redis", "rediss"} or not separator:
        raise ValueError("must start with redis:// or rediss://")
    parts = split(f"{scheme}://{rest}")
    options = _options(parts.query)
    database = _database(parts.path.strip("/"), options.pop("db", ""))
    if options and scheme != "rediss":
        raise ValueError(f"has {min(options)} without TLS: write rediss://, or leave it out")
    if scheme == "rediss":
        _try(options)
    path = f"/{database}" if database else parts.path
    return parts._replace(path=path, query=urlencode(options, quote_via=quote, safe="/")).geturl()


def split(url: str) -> SplitResult:
    """Its parts. Raises ValueError."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        message = "the port must be a number up to 65535; in a password write @ : / [ as %40 %3A %2F %5B"
        raise ValueError(message) from None
    return parts


def for_kombu(url: str) -> tuple[str, dict[str, Any] | None]:
    """Of a canonical URL: the URL without options, and them as `broker_use_ssl`; None without TLS."""
    parts = urlsplit(url)
    options: dict[str, Any] = {"ssl_cert_reqs": "required", **dict(parse_qsl(parts.query))}
    if "ssl_check_hostname" in options:
        options["ssl_check_hostname"] = _TRUTH[options["ssl_check_hostname"]]
    return parts._replace(query="").geturl(), options if parts.scheme == "rediss" else None


def _options(query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name in {"protocol", "decode_responses"}:
            raise ValueError("must not choose protocol or decode_responses: every answer's shape depends on them")
        if name not in _OPTIONS:
            raise ValueError(
                f"has an option that is not understood: {name}. There are {', '.join(_OPTIONS)}; "
                "timeouts are settings of their own"
            )
        if name in found:
            raise ValueError(f"has {name} twice")
        found[name] = _value(name, value)
    return found


def _database(in_path: str, in_query: str) -> str:
    for each in filter(None, (in_path, in_query)):
        if not each.isdecimal():
            raise ValueError("the database after the host must be a number, as in redis://host:port/0")
    if in_path and in_query and int(in_path) != int(in_query):
        raise ValueError(f"names two databases, {in_path} and {in_query}")
    return in_path or in_query


def _value(name: str, value: str) -> str:
    meant: str | bool | None = value
    if name == "ssl_cert_reqs":
        meant = _CERT_REQS.get(value.lower())
    elif name == "ssl_check_hostname":
        meant = _TRUTH.get(value.lower())
    if meant is None or meant == "":
        raise ValueError(f"has {name}={value}, which is not understood")
    return str(meant).lower() if isinstance(meant, bool) else meant


def _try(options: dict[str, str]) -> None:
    """What redis-py will do with them, now and not at each attempt to connect."""
    for name in _FILES:
        if name in options and not Path(options[name]).exists():
            raise ValueError(f"has {name}={options[name]}, and there is no such file")
    certificate, key = options.get("ssl_certfile"), options.get("ssl_keyfile")
    if key and not certificate:
        raise ValueError("has ssl_keyfile without ssl_certfile")
    try:
        context = ssl.create_default_context()
        if "ssl_ca_certs" in options or "ssl_ca_path" in options:
            context.load_verify_locations(options.get("ssl_ca_certs"), options.get("ssl_ca_path"))
        if certificate:  # never asks at the terminal
            context.load_cert_chain(certificate, key, lambda: options.get("ssl_password", ""))
        if "ssl_ciphers" in options:
            context.set_ciphers(options["ssl_ciphers"])
    except (OSError, ValueError) as error:
        raise ValueError(f"has TLS options that cannot be used: {getattr(error, 'strerror', None) or error}") from None
