"""`GET /healthz` and `GET /readyz`: for orchestrators, without a token and without details, which are in the log."""

import asyncio
import time

from fastapi import APIRouter, Request, Response

from worker.api.problem import described
from worker.api.schema import Health
from worker.services.readiness import check_readiness
from worker.settings import Settings
from worker.telemetry import get_logger

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
        self._answer: dict[str, bool] = {}

    async def ask(self) -> dict[str, bool]:
        """Which server is usable; one question at a time."""
        async with self._lock:
            if time.monotonic() - self._asked_at >= FRESH_SECONDS:
                problems = await asyncio.to_thread(check_readiness, self._settings)
                for server, detail in problems.items():
                    if detail:
                        log.warning("not_ready", server=server, detail=detail)
                self._answer = {server.lower(): detail is None for server, detail in problems.items()}
                self._asked_at = time.monotonic()
            return self._answer


@router.get("/healthz", summary="Live", response_model=Health, responses={403: described(403)})
async def healthz() -> Health:
    """The process is up."""
    return Health(ok=True)


@router.get(
    "/readyz",
    summary="Ready",
    response_model=Health,
    responses={403: described(403), 503: {"description": "Not usable; `checks` says which part.", "model": Health}},
)
async def readyz(request: Request, response: Response) -> Health:
    """Database, migrations and stream are usable."""
    checks = await request.app.state.readiness.ask()
    response.status_code = 200 if all(checks.values()) else 503
    return Health(ok=all(checks.values()), checks=checks)
