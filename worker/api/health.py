"""`GET /healthz` and `GET /readyz` for orchestrators: no token needed; details are only logged."""

import asyncio
import time

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from pydantic.json_schema import SkipJsonSchema

from worker.api.problems import described
from worker.logs import get_logger
from worker.ops.readiness import check_readiness, read_degradation
from worker.settings import Settings

log = get_logger(__name__)

router = APIRouter(tags=["health"])

FRESH_SECONDS = 1.0
"""An answer is reused for this long, so that frequent probes do not load the servers."""


class Health(BaseModel):
    """Whether the system works and, if not, which part does not."""

    ok: bool
    checks: dict[str, bool] = {}
    degraded: SkipJsonSchema[None] | list[str] = Field(
        None, description="Parts that fail while everything else works; absent if there are none."
    )


class Readiness:
    """The latest readiness check, shared by all requests."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = asyncio.Lock()
        self._checked_at = float("-inf")
        self._degradation: dict[str, str] = {}
        self._answer = Health(ok=False)

    async def check(self) -> Health:
        """Return the latest answer, after checking again if it is old. Checks never run concurrently."""
        async with self._lock:
            if time.monotonic() - self._checked_at >= FRESH_SECONDS:
                self._answer = await asyncio.to_thread(self._run)
                self._checked_at = time.monotonic()
            return self._answer

    def _run(self) -> Health:
        problems = check_readiness(self._settings)
        for server, detail in problems.items():
            if detail:
                log.warning("not_ready", server=server, detail=detail)
        is_ready = not any(problems.values())
        degradation = read_degradation(self._settings) if is_ready else {}
        for part, detail in degradation.items():
            if self._degradation.get(part) != detail:
                log.warning("degraded", part=part, detail=detail)
        self._degradation = degradation
        checks = {server.lower(): detail is None for server, detail in problems.items()}
        return Health(ok=is_ready, checks=checks, degraded=list(degradation) or None)


@router.get(
    "/healthz",
    summary="Check liveness",
    response_model=Health,
    response_model_exclude_none=True,
    responses={403: described(403)},
)
async def healthz() -> Health:
    """The process is running."""
    return Health(ok=True)


@router.get(
    "/readyz",
    summary="Check readiness",
    response_model=Health,
    response_model_exclude_none=True,
    responses={403: described(403), 503: {"description": "Not ready; `checks` shows which part.", "model": Health}},
)
async def readyz(request: Request, response: Response) -> Health:
    """PostgreSQL, its schema and Redis are usable. `degraded` lists work that is failing nevertheless."""
    health: Health = await request.app.state.readiness.check()
    response.status_code = 200 if health.ok else 503
    return health
