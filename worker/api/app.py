"""The application: `create_app()` puts it together. `progress-worker serve` runs it; so does any ASGI server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.security import HTTPBearer
from starlette.middleware.cors import CORSMiddleware

from worker.api import course, events, health, progress
from worker.api.gate import Gate
from worker.api.health import Readiness
from worker.api.problem import Problem, add_handlers
from worker.api.tokens import Tokens, load_tokens
from worker.client import EventPublisher
from worker.services.user_course_progress_service import open_progress_service
from worker.settings import Settings, get_settings


def create_app(settings: Settings | None = None, tokens: Tokens | None = None) -> FastAPI:
    """The API on these settings, by default the environment's. Raises ConfigurationError.

    Without tokens it answers this host alone, whatever address it is bound to.
    """
    settings = (settings or get_settings()).with_servers()
    origins = [each.strip() for each in (settings.api_cors_origins or "").split(",") if each.strip()]

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_progress_service(settings) as service:
            app.state.service = service
            app.state.publisher = EventPublisher(settings=settings)
            app.state.readiness = Readiness(settings)
            yield

    app = FastAPI(
        title="Course progress",
        summary="Exact learner progress from lesson events",
        version=version("course-progress-worker"),
        lifespan=lifespan,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        max_body_size=settings.api_body_bytes,
    )
    bearer = HTTPBearer(auto_error=False, description="A token of PROGRESS_API_TOKENS or its folder.")
    for module in (course, progress, events):
        # The gate has asked for the token; this documents it.
        app.include_router(module.router, dependencies=[Depends(bearer)])
    app.include_router(health.router)
    add_handlers(app)
    app.add_middleware(
        Gate,
        known=load_tokens(settings) if tokens is None else tokens,
        origins=origins,
        body_bytes=settings.api_body_bytes,
        bad_requests_per_minute=settings.api_bad_requests_per_minute,
    )
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST", "PUT"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "Prefer"],
        )
    _document(app)
    return app


def _document(app: FastAPI) -> None:
    """Add the schema that every problem's description refers to."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= schemas["Problem"].pop("$defs", {})
        return document

    app.openapi = openapi  # type: ignore[method-assign]
