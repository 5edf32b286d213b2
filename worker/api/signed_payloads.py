"""Check the signatures of Canvas's signed payloads: each is a JWT, by a key that Canvas replaces every month.

Its keys are a JSON Web Key Set, at a URL or in a file. They are every Canvas customer's: a signature shows that Canvas
sent a payload, not whose it is, so it never stands in for a token. Its age does not matter, since an event that is
sent again counts once.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from pydantic_core import from_json
from starlette.exceptions import HTTPException

from worker.api.problems import RETRY_SECONDS
from worker.contract.connection import Connection
from worker.errors import ConfigurationError
from worker.logs import get_logger

try:
    import jwt

    IS_INSTALLED = True
except ModuleNotFoundError:  # without the extra `canvas`
    IS_INSTALLED = False

log = get_logger(__name__)

_JWT = re.compile(rb"[\w-]+\.[\w-]+\.[\w-]+")
_LIFE_SECONDS = 86_400
"""How long keys of a URL are kept. One that is not among them is asked for at once, every 30 s at most."""
_FETCH_SECONDS = 10


def require_installed(connections: Iterable[Connection]) -> None:
    """Raise ConfigurationError if a connection's payloads are to be signed and what checks them is missing."""
    names = [each.name for each in connections if each.canvas_jwks]
    if names and not IS_INSTALLED:
        raise ConfigurationError(
            f"PROGRESS_CONNECTIONS: [{names[0]}] has canvas_jwks, which needs PyJWT: "
            "pip install 'course-progress-worker[canvas]'."
        )


def opened(body: bytes, connection: Connection) -> bytes:
    """Return the JSON in a request's body: of a JWT its payload. Blocks while keys are fetched.

    Raises HTTPException: 403 if the signature or the lack of one is not what the connection says, 503 without keys.
    """
    text = body.strip()
    if not connection.canvas_jwks:
        if _JWT.fullmatch(text):
            raise HTTPException(403, f"The payload is signed. Set canvas_jwks of the connection {connection.name}.")
        return body
    if not _JWT.fullmatch(text):
        raise HTTPException(403, f"Payloads of the connection {connection.name} must be signed: it has canvas_jwks.")
    try:
        key = _key(text, connection.canvas_jwks)
        return bytes(jwt.PyJWS().decode(text, key, algorithms=["RS256"]))
    except (jwt.PyJWKClientConnectionError, jwt.PyJWKSetError, OSError, ValueError) as error:
        log.warning("keys_unavailable", connection=connection.name, detail=type(error).__name__)
        wait = {"Retry-After": str(RETRY_SECONDS)}
        raise HTTPException(503, "The keys of signed payloads cannot be had now. Try again.", wait) from None
    except jwt.PyJWTError:
        raise HTTPException(403, "The payload's signature is not by a key in canvas_jwks.") from None


def _key(text: bytes, where: str) -> "jwt.PyJWK":
    """Return the key that the JWT names. A file is read each time, so that a new one counts at once."""
    name = str(jwt.get_unverified_header(text).get("kid"))
    if where.startswith(("http://", "https://")):
        return _keys_at(where).get_signing_key(name)
    document = from_json(Path(where).read_bytes())
    keys = jwt.PyJWKSet.from_dict(document if isinstance(document, dict) else {}).keys
    if key := next((each for each in keys if each.key_id == name), None):
        return key
    raise jwt.InvalidKeyError


@lru_cache(maxsize=16)
def _keys_at(url: str) -> "jwt.PyJWKClient":
    return jwt.PyJWKClient(url, lifespan=_LIFE_SECONDS, timeout=_FETCH_SECONDS)
