"""The gate before every endpoint: who calls, may they, is it too much; and one log line a request.

It stands before any parsing, so that a stranger costs next to nothing. The log has the endpoint's template, never the
path: a learner's ids are nobody's business there.
"""

import time
from collections.abc import Sequence
from ipaddress import ip_address

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from worker.api import tokens
from worker.api.problem import problem
from worker.api.tokens import ANYBODY, Token, Tokens
from worker.telemetry import get_logger

log = get_logger(__name__)

PUBLIC = frozenset({"/healthz", "/readyz", "/docs", "/openapi.json"})
"""Paths without anybody's data."""

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_BAD = frozenset({400, 401, 403, 413, 415, 422})
"""Statuses of a request that should not have been sent. 404 is not among them: asking is how one learns."""
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Gate:
    """ASGI middleware. What it lets in has `scope["state"]["token"]`, but for the public paths."""

    def __init__(
        self, app: ASGIApp, *, known: Tokens, origins: Sequence[str], body_bytes: int, bad_requests_per_minute: int
    ) -> None:
        self._app = app
        self._tokens = known
        self._origins = frozenset(origins)
        self._body_bytes = body_bytes
        self._limit = RateLimitItemPerMinute(bad_requests_per_minute)
        self._bad_requests = FixedWindowRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or have it answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        token = self._identify(scope)
        payer = f"token {token.name}" if token else f"address {_address(scope)}"
        try:
            self._admit(scope, token, payer)
            scope.setdefault("state", {})["token"] = token
            await self._app(scope, receive, watch)
        except HTTPException as refusal:
            await problem(refusal.status_code, refusal.detail, headers=refusal.headers)(scope, receive, watch)
        except Exception:
            log.exception("request_crashed", method=scope["method"], route=_route(scope))
            if status == 0:
                await problem(500, "A defect of ours; it is in the log.")(scope, receive, watch)
        if status in _BAD:
            self._bad_requests.hit(self._limit, payer)
        log.info(
            "request_served",
            method=scope["method"],
            route=_route(scope),
            status=status,
            seconds=round(time.perf_counter() - started, 4),
            client=token.name if token else None,
        )

    def _identify(self, scope: Scope) -> Token | None:
        if not self._tokens:
            return ANYBODY
        scheme, _, text = Headers(scope=scope).get("authorization", "").partition(" ")
        return self._tokens.find(text.strip()) if scheme.lower() == "bearer" else None

    def _admit(self, scope: Scope, token: Token | None, payer: str) -> None:
        """Return when the request may go on. Raises HTTPException."""
        headers = Headers(scope=scope)
        if not self._tokens:
            self._require_local(scope, headers)
        if scope["path"] in PUBLIC:
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
        size = headers.get("content-length", "0")
        if size.isdecimal() and int(size) > self._body_bytes:  # without a length it is counted as it comes
            raise HTTPException(413, f"The body is larger than {self._body_bytes} bytes. Send less at a time.")

    def _require_local(self, scope: Scope, headers: Headers) -> None:
        """Without tokens: nobody from elsewhere, nor a page of another site in this host's browser."""
        host, origin = headers.get("host", ""), headers.get("origin")
        if not is_loopback(_address(scope)):
            raise HTTPException(403, "Without tokens only this host may call. Set PROGRESS_API_TOKENS.")
        if not {host, host.rpartition(":")[0]} & _LOCAL_NAMES:
            raise HTTPException(403, "Without tokens the host must be called localhost, 127.0.0.1 or [::1].")
        if origin is not None and origin not in self._origins and origin != f"{scope['scheme']}://{host}":
            raise HTTPException(403, "Pages of this origin may not call. Set PROGRESS_API_CORS_ORIGINS.")


def is_loopback(address: str) -> bool:
    """The address is this host's own."""
    try:
        return ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _route(scope: Scope) -> str | None:
    route = scope.get("route")
    return getattr(route, "path_format", None)
