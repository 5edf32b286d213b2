"""Admit or refuse a request before any parsing: token, scope, origin and the limit of bad requests."""

import time
from collections.abc import Sequence
from ipaddress import ip_address

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from worker.api import docs_page, door_tokens, tokens, xapi_version
from worker.api.body_limit import BodyLimit
from worker.api.credentials import CHALLENGES, read_credentials
from worker.api.path_prefix import strip_prefix
from worker.api.request_log import RequestLog
from worker.api.tokens import LOCAL_TOKEN, Token, Tokens

PUBLIC = docs_page.PATHS | {"/healthz", "/readyz", "/openapi.json"}
"""Paths that show no learner data and need no token."""

BATCHES = door_tokens.PATHS | {"/events", "/xapi/statements"}
MAX_BYTES = 16 * 1024
"""Maximum size of any other body: validating megabytes of members would block the event loop."""
EITHER_SCOPE = frozenset({"/xapi/about"})
"""Paths that show no data: clients ask them to test a token."""

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_BAD = frozenset({400, 401, 403, 413, 415, 422})
"""Statuses that count as bad requests. 404 does not: clients ask to find out."""
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


class AccessMiddleware:
    """ASGI middleware. Sets `scope["state"]["token"]`, which is None only on public paths."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        known: Tokens,
        origins: Sequence[str],
        body_bytes: int,
        body_seconds: float,
        bad_requests_per_minute: int,
    ) -> None:
        self._app = app
        self._tokens = known
        self._origins = frozenset(origins)
        self._body_bytes = body_bytes
        self._body_seconds = body_seconds
        self._limit = RateLimitItemPerMinute(bad_requests_per_minute)
        self._bad_requests = FixedWindowRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on or refuse it, and log it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = strip_prefix(scope)
        request_log = RequestLog(scope, receive, xapi_version.added(scope, path, send))
        in_path = door_tokens.token_in_path(path)
        max_bytes = self._body_bytes if path in BATCHES or in_path else min(self._body_bytes, MAX_BYTES)
        body = BodyLimit(receive, max_bytes, self._body_seconds)
        token = self._authenticate(scope, in_path)
        client = f"address {_address(scope)}"
        try:
            if token is None and self._tokens and path in door_tokens.IN_BODY and self._is_patient_with(client):
                token = self._tokens.find(door_tokens.token_in(await body.read_ahead(MAX_BYTES)) or "")
            client = f"token {token.name}" if token else client
            self._admit(scope, path, token, client)
            body.require_size(_content_length(scope))
            scope.setdefault("state", {})["token"] = token
            await self._app(scope, body.receive, request_log.send)
        except BaseException as error:  # noqa: BLE001 - handle_error raises it again unless the client gets an answer
            await request_log.handle_error(error)
        if request_log.status in _BAD:
            self._bad_requests.hit(self._limit, client)
        request_log.write(token.name if token else None)

    def _authenticate(self, scope: Scope, in_path: str | None) -> Token | None:
        if not self._tokens:
            return None if self._remote_detail(scope) else LOCAL_TOKEN
        if in_path and (token := self._tokens.find(in_path)):
            return token
        credentials = read_credentials(Headers(scope=scope).get("authorization", ""))
        return self._tokens.find(credentials.token) if credentials else None

    def _admit(self, scope: Scope, path: str, token: Token | None, client: str) -> None:
        """Raise HTTPException unless the request may proceed."""
        if not self._tokens and (detail := self._remote_detail(scope)):
            raise HTTPException(403, detail)
        if path in PUBLIC:
            return
        if not self._is_patient_with(client):
            reset = self._bad_requests.get_window_stats(self._limit, client).reset_time
            wait = str(max(1, int(reset - time.time()) + 1))
            raise HTTPException(429, f"Too many bad requests. Wait {wait} s.", {"Retry-After": wait})
        if token is None:
            detail = "Send a valid token: Authorization: Bearer TOKEN, or Basic with the token as the password."
            raise HTTPException(401, detail, {"WWW-Authenticate": CHALLENGES})
        needed = tokens.Scope.READ if scope["method"] in _READING else tokens.Scope.WRITE
        if needed not in token.scopes and path not in EITHER_SCOPE:
            raise HTTPException(403, f"The token {token.name!r} lacks the scope {needed}.")

    def _is_patient_with(self, client: str) -> bool:
        return self._bad_requests.test(self._limit, client)

    def _remote_detail(self, scope: Scope) -> str | None:
        """Why a request without tokens is not from this host, or from another site's page in its browser; else None."""
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if not is_loopback(_address(scope)):
            return "Without tokens, only this host is served. Set PROGRESS_API_TOKENS."
        if not {host, host.rpartition(":")[0]} & _LOCAL_NAMES:
            return "Without tokens, the host must be localhost, 127.0.0.1 or [::1]."
        if origin is not None and origin not in self._origins and origin != f"{scope['scheme']}://{host}":
            return "Requests from this origin are not accepted. Set PROGRESS_API_CORS_ORIGINS."
        return None


def is_loopback(address: str) -> bool:
    """Return whether the address is one of this host's loopback addresses."""
    try:
        return ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _content_length(scope: Scope) -> int:
    size = Headers(scope=scope).get("content-length", "")
    return int(size) if size.isdecimal() else 0
