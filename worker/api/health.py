"""`GET /healthz` and `GET /readyz`: for orchestrators, without a token and without details, which are in the log."""

import asyncio
import time

from fastapi import APIRouter, Request, Response

from worker.api.problems import described
from worker.api.schema import Health
from worker.logs import get_logger
from worker.ops.readiness import ask_for_degradation, check_readiness
from worker.settings import Settings

log = get_logger(__name__)

router = APIRouter(tags=["health"])

FRESH_SECONDS = 1.0
"""An answer so old is given again: whoever asks often asks the servers no more often than this."""


class Readiness:
    """The servers' latest answer."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = asyncio.Lock()
        self._asked_at = float("-inf")
        self._degradation: dict[str, str] = {}
        self._answer = Health(ok=False)

    async def ask(self) -> Health:
        """Which server is usable, and what does not work all the same; one question at a time."""
        async with self._lock:
            if time.monotonic() - self._asked_at >= FRESH_SECONDS:
                self._answer = await asyncio.to_thread(self._ask)
                self._asked_at = time.monotonic()
            return self._answer

    def _ask(self) -> Health:
        problems = check_readiness(self._settings)
        for server, detail in problems.items():
            if detail:
                log.warning("not_ready", server=server, detail=detail)
        is_ready = not any(problems.values())
        found = ask_for_degradation(self._settings) if is_ready else {}
        for part, detail in found.items():
            if self._degradation.get(part) != detail:
                log.warning("degraded", part=part, detail=detail)
        self._degradation = found
        checks = {server.lower(): detail is None for server, detail in problems.items()}
        return Health(ok=is_ready, checks=checks, degraded=list(found) or None)


@router.get(
    "/healthz",
    summary="Live",
    response_model=Health,
    response_model_exclude_none=True,
    responses={403: described(403)},
)
async def healthz() -> Health:
    """The process is up."""
    return Health(ok=True)


@router.get(
    "/readyz",
    summary="Ready",
    response_model=Health,
    response_model_exclude_none=True,
    responses={403: described(403), 503: {"description": "Not usable; `checks` says which part.", "model": Health}},
)
async def readyz(request: Request, response: Response) -> Health:
    """Database, migrations and stream are usable; `degraded` names parts of the work that are not done all the same."""
    health: Health = await request.app.state.readiness.ask()
    response.status_code = 200 if health.ok else 503
    return health
