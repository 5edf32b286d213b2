"""The gate before every endpoint: who calls, may they, is it too much; and one log line a request.

It stands before any parsing, so that a stranger costs next to nothing.
"""

import time
from collections.abc import Sequence
from ipaddress import ip_address

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from worker.api import tokens
from worker.api.path_prefix import settle
from worker.api.request_log import Exchange
from worker.api.tokens import ANYBODY, Token, Tokens
from worker.logs import get_logger

log = get_logger(__name__)

PUBLIC = frozenset({"/healthz", "/readyz", "/docs", "/openapi.json"})
"""Paths without anybody's data."""

BATCHES = "/events"
MOST_BYTES = 16 * 1024
"""Of a body that is no batch of events; to refuse megabytes of members, one by one, would hold up everybody."""

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_BAD = frozenset({400, 401, 403, 413, 415, 422})
"""Statuses of a request that should not have been sent. 404 is not among them: asking is how one learns."""
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Gate:
    """ASGI middleware. What it lets in has `scope["state"]["token"]`, but for the public paths."""

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
        """Answer the request, or have it answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        path = settle(scope)
        max_bytes = self._body_bytes if path == BATCHES else min(self._body_bytes, MOST_BYTES)
        exchange = Exchange(scope, receive, send, max_bytes, self._body_seconds)
        token = self._identify(scope)
        payer = f"token {token.name}" if token else f"address {_address(scope)}"
        try:
            self._admit(scope, path, token, payer)
            exchange.require_size(_announced_size(scope))
            scope.setdefault("state", {})["token"] = token
            await self._app(scope, exchange.receive, exchange.send)
        except BaseException as error:  # noqa: BLE001 - raised again where it is not for the caller
            await exchange.fail(error)
        if exchange.status in _BAD:
            self._bad_requests.hit(self._limit, payer)
        log.info(
            "request_served",
            method=scope["method"],
            route=exchange.route,
            status=exchange.status,
            seconds=round(time.perf_counter() - started, 4),
            client=token.name if token else None,
        )

    def _identify(self, scope: Scope) -> Token | None:
        if not self._tokens:
            return None if self._why_stranger(scope) else ANYBODY
        scheme, _, text = Headers(scope=scope).get("authorization", "").partition(" ")
        return self._tokens.find(text.strip()) if scheme.lower() == "bearer" else None

    def _admit(self, scope: Scope, path: str, token: Token | None, payer: str) -> None:
        """Return when the request may go on. Raises HTTPException."""
        if not self._tokens and (why := self._why_stranger(scope)):
            raise HTTPException(403, why)
        if path in PUBLIC:
            return
        if not self._bad_requests.test(self._limit, payer):
            reset = self._bad_requests.get_window_stats(self._limit, payer).reset_time
            wait = str(max(1, int(reset - time.time()) + 1))
            raise HTTPException(429, f"Too many bad requests. Wait {wait} s.", {"Retry-After": wait})
        if token is None:
            challenge = {"WWW-Authenticate": 'Bearer realm="progress"'}
            raise HTTPException(401, "A valid bearer token is needed: Authorization: Bearer TOKEN.", challenge)
        needed = tokens.Scope.READ if scope["method"] in _READING else tokens.Scope.WRITE
        if needed not in token.scopes:
            raise HTTPException(403, f"The token {token.name!r} has no scope {needed}.")

    def _why_stranger(self, scope: Scope) -> str | None:
        """Without tokens: what tells a caller from elsewhere, or a page of another site in this host's browser."""
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if not is_loopback(_address(scope)):
            return "Without tokens only this host may call. Set PROGRESS_API_TOKENS."
        if not {host, host.rpartition(":")[0]} & _LOCAL_NAMES:
            return "Without tokens the host must be called localhost, 127.0.0.1 or [::1]."
        if origin is not None and origin not in self._origins and origin != f"{scope['scheme']}://{host}":
            return "Pages of this origin may not call. Set PROGRESS_API_CORS_ORIGINS."
        return None


def is_loopback(address: str) -> bool:
    """The address is this host's own."""
    try:
        return ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _announced_size(scope: Scope) -> int:
    size = Headers(scope=scope).get("content-length", "")
    return int(size) if size.isdecimal() else 0
