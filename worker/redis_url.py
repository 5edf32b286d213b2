"""Give a Redis URL one meaning for redis-py, which reads the streams, and kombu, which carries Celery's tasks.

On their own they differ. Kombu verifies a certificate only if an option asks for it, takes TLS options as a request for
TLS even in `redis://`, and each has spellings that the other refuses. So options are parsed here and only here.
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
    """Return the URL with every option in redis-py's spelling. Idempotent.

    Raises ValueError, with the predicate of a sentence, for another kind of URL, an unknown option or unusable files.
    """
    scheme, separator, rest = url.partition("://")
    scheme = {"valkey": "redis", "valkeys": "rediss"}.get(scheme, scheme)
    if scheme not in {"redis", "rediss"} or not separator:
        raise ValueError("must start with redis:// or rediss://")
    parts = split(f"{scheme}://{rest}")
    options = _options(parts.query)
    database = _database(parts.path.strip("/"), options.pop("db", ""))
    if options and scheme != "rediss":
        raise ValueError(f"has {min(options)} without TLS: use rediss://, or remove the option")
    if scheme == "rediss":
        _try(options)
    path = f"/{database}" if database else parts.path
    return parts._replace(path=path, query=urlencode(options, quote_via=quote, safe="/")).geturl()


def split(url: str) -> SplitResult:
    """Return the parts of the URL. Raises ValueError."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        message = "the port must be a number up to 65535; in a password write @ : / [ as %40 %3A %2F %5B"
        raise ValueError(message) from None
    return parts


def for_kombu(url: str) -> tuple[str, dict[str, Any] | None]:
    """Return a canonical URL without its options, and the options as `broker_use_ssl`, None without TLS."""
    parts = urlsplit(url)
    options: dict[str, Any] = {"ssl_cert_reqs": "required", **dict(parse_qsl(parts.query))}
    if "ssl_check_hostname" in options:
        options["ssl_check_hostname"] = _TRUTH[options["ssl_check_hostname"]]
    return parts._replace(query="").geturl(), options if parts.scheme == "rediss" else None


def _options(query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name in {"protocol", "decode_responses"}:
            raise ValueError("must not set protocol or decode_responses: the form of every reply depends on them")
        if name not in _OPTIONS:
            raise ValueError(
                f"has an unknown option: {name}. Known are {', '.join(_OPTIONS)}; timeouts are separate settings"
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
        raise ValueError(f"has {name}={value}, which is not a known value")
    return str(meant).lower() if isinstance(meant, bool) else meant


def _try(options: dict[str, str]) -> None:
    """Try now what redis-py would do with the options on each connection."""
    for name in _FILES:
        if name in options and not Path(options[name]).exists():
            raise ValueError(f"has {name}={options[name]}, which does not exist")
    certificate, key = options.get("ssl_certfile"), options.get("ssl_keyfile")
    if key and not certificate:
        raise ValueError("has ssl_keyfile without ssl_certfile")
    try:
        context = ssl.create_default_context()
        if "ssl_ca_certs" in options or "ssl_ca_path" in options:
            context.load_verify_locations(options.get("ssl_ca_certs"), options.get("ssl_ca_path"))
        if certificate:  # never prompts on the terminal
            context.load_cert_chain(certificate, key, lambda: options.get("ssl_password", ""))
        if "ssl_ciphers" in options:
            context.set_ciphers(options["ssl_ciphers"])
    except (OSError, ValueError) as error:
        raise ValueError(f"has TLS options that cannot be used: {getattr(error, 'strerror', None) or error}") from None
