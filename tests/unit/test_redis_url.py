"""One URL, two readers: each option means the same to redis-py and to kombu, in either's spelling, or is refused."""

import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme
from kombu import Connection
from redis.connection import SSLConnection, parse_url

from worker.client import EventPublisher
from worker.errors import ConfigurationError
from worker.redis_url import canonical, for_kombu
from worker.settings import get_settings


def read_by_both(url: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parameters of the connections that redis-py and kombu make."""
    meant = canonical(url)
    assert canonical(meant) == meant
    ours: Any = parse_url(meant)  # type: ignore[no-untyped-call]
    plain, use_ssl = for_kombu(meant)
    broker: Any = Connection(
        plain, ssl=use_ssl or False
    )  # as Celery makes it; kombu hands its `ssl` to redis-py as it is
    return ours, {"db": broker.virtual_host, "password": broker.password, **(broker.ssl or {})}


def verified(parameters: dict[str, Any]) -> tuple[object, ...]:
    options = {name: value for name, value in parameters.items() if name.startswith("ssl_")}
    made = SSLConnection(**options)
    return made.cert_reqs, made.check_hostname, made.ca_certs, made.certfile, made.keyfile, made.ssl_ciphers


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    """A certificate and its key in one file."""
    path = tmp_path / "every thing.pem"
    trustme.CA().issue_cert("client.test").private_key_and_cert_chain_pem.write_to_path(path)
    return path


@pytest.mark.parametrize(
    ("options", "meant"),
    [
        ("", ("required", True)),
        ("?ssl_cert_reqs=required", ("required", True)),
        ("?ssl_cert_reqs=CERT_REQUIRED", ("required", True)),
        ("?ssl_cert_reqs=ssl.CERT_REQUIRED", ("required", True)),
        ("?ssl_cert_reqs=optional", ("optional", True)),
        ("?ssl_cert_reqs=CERT_OPTIONAL", ("optional", True)),
        ("?ssl_cert_reqs=none", ("none", False)),
        ("?ssl_cert_reqs=None", ("none", False)),
        ("?ssl_cert_reqs=CERT_NONE", ("none", False)),
        ("?ssl_check_hostname=false", ("required", False)),
        ("?ssl_check_hostname=False&ssl_cert_reqs=CERT_REQUIRED", ("required", False)),
        ("?ssl_check_hostname=no", ("required", False)),
        ("?ssl_check_hostname=0", ("required", False)),
        ("?ssl_check_hostname=True", ("required", True)),
        ("?ssl_check_hostname=1", ("required", True)),
    ],
)
def test_what_is_verified_is_the_same_to_both(options: str, meant: tuple[str, bool]) -> None:
    ours, theirs = map(verified, read_by_both(f"rediss://u:p@h:1/0{options}"))
    assert ours == theirs
    assert ours[:2] == (ssl.VerifyMode[f"CERT_{meant[0].upper()}"], meant[1])


def test_the_files_are_the_same_to_both(pem: Path) -> None:
    path = str(pem).replace(" ", "%20")
    options = f"?ssl_ca_certs={path}&ssl_certfile={path}&ssl_keyfile={path}&ssl_ciphers=HIGH"
    ours, theirs = map(verified, read_by_both(f"rediss://h:1/0{options}"))
    assert ours == theirs
    assert ours[2:] == (str(pem), str(pem), str(pem), "HIGH")


@pytest.mark.parametrize("url", ["redis://u:p%40@h:1/3", "redis://u:p%40@h:1?db=3", "redis://u:p%40@h:1/3?db=3"])
def test_the_database_is_the_same_to_both_and_nothing_makes_tls_of_a_plain_url(url: str) -> None:
    ours, theirs = read_by_both(url)
    assert (ours["db"], ours["password"]) == (3, "p@")
    assert (int(theirs["db"]), theirs["password"]) == (3, "p@")
    assert not any(name.startswith("ssl") for name in (*ours, *theirs))
    assert for_kombu(url)[1] is None


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("rediss://h:1/0?ssl_cert_reqs=maybe", "has ssl_cert_reqs=maybe, which is not a known value"),
        ("rediss://h:1/0?ssl_cert_reqs=", "has ssl_cert_reqs=, which is not a known value"),
        ("rediss://h:1/0?ssl_check_hostname=perhaps", "has ssl_check_hostname=perhaps, which is not a known value"),
        ("rediss://h:1/0?cert_reqs=none", "has an unknown option: cert_reqs"),
        ("rediss://h:1/0?SSL_CERT_REQS=none", "has an unknown option: SSL_CERT_REQS"),
        ("rediss://h:1/0?ssl=true", "has an unknown option: ssl"),
        ("redis://h:1/0?socket_timeout=1", "has an unknown option: socket_timeout"),
        ("rediss://h:1/0?ssl_cert_reqs=none&ssl_cert_reqs=required", "has ssl_cert_reqs twice"),
        ("redis://h:1/0?ssl_cert_reqs=required", "has ssl_cert_reqs without TLS: use rediss://"),
        ("rediss://h:1/0?ssl_ca_certs=/no/such.pem", "has ssl_ca_certs=/no/such.pem, which does not exist"),
        ("rediss://h:1/0?ssl_ca_certs=/dev/null", "has TLS options that cannot be used: "),
        ("rediss://h:1/0?ssl_keyfile=/dev/null", "has ssl_keyfile without ssl_certfile"),
        ("rediss://h:1/0?ssl_ciphers=NONSUCH", "has TLS options that cannot be used: "),
        ("redis://h:1/0?db=1", "names two databases, 0 and 1"),
        ("redis://h:1?db=one", "the database after the host must be a number"),
    ],
)
@pytest.mark.parametrize("variable", ["REDIS_URL", "PROGRESS_BROKER_URL"])
def test_what_is_not_understood_is_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch, variable: str, url: str, complaint: str
) -> None:
    monkeypatch.setenv(variable, url)
    with pytest.raises(ConfigurationError) as caught:
        get_settings()
    assert str(caught.value).startswith(f"{variable}: {complaint}")
    with pytest.raises(ConfigurationError):
        EventPublisher(url)


def test_a_key_with_a_password_that_is_missing_is_refused_and_not_asked_for(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
        load_pem_private_key,
    )

    issued = trustme.CA().issue_cert("client.test")
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    issued.cert_chain_pems[0].write_to_path(certificate)
    private = load_pem_private_key(issued.private_key_pem.bytes(), None)
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))
    url = f"rediss://h:1/0?ssl_certfile={certificate}&ssl_keyfile={key}"
    with pytest.raises(ValueError, match="TLS options that cannot be used"):
        canonical(url)
    assert canonical(f"{url}&ssl_password=secret").endswith("&ssl_password=secret")
