"""Read a request's Authorization header: a bearer token, or HTTP Basic with the token as the password (RFC 7617)."""

from base64 import b64decode
from typing import NamedTuple

CHALLENGES = 'Bearer realm="progress", Basic realm="progress", charset="UTF-8"'
"""The header WWW-Authenticate of an answer 401 (RFC 9110, 11.6.1)."""


class Credentials(NamedTuple):
    """The token presented, and Basic's user name."""

    token: str
    user: str | None = None


def read_credentials(authorization: str) -> Credentials | None:
    """Return what the header holds; None for other schemes and for what cannot be read."""
    scheme, _, text = authorization.partition(" ")
    text = text.strip()
    if scheme.lower() == "bearer":
        return Credentials(text)
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = b64decode(text, validate=True).decode().partition(":")
    except ValueError:
        return None
    return Credentials(password, user) if colon else None
