"""`create_app()` wires the application. `progress-worker serve` runs it; so does any ASGI server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from worker import running_up
from worker.api import (
    analytics,
    events,
    health,
    lists,
    name_map,
    progress,
    record_doors,
    reports,
    summary,
    xapi,
    xapi_version,
)
from worker.api.docs_page import add_docs
from worker.api.health import Readiness
from worker.api.middleware import AccessMiddleware
from worker.api.openapi import correct_openapi
from worker.api.problems import add_handlers
from worker.api.signed_payloads import require_installed
from worker.api.tokens import Tokens, load_tokens
from worker.client import EventPublisher
from worker.connections import read_connections
from worker.logs import get_logger
from worker.service import open_progress_service
from worker.settings import Settings, get_settings
from worker.unknown_variables import unknown_variables

log = get_logger(__name__)

_DESCRIPTION = """
Send `Authorization: Bearer TOKEN`, or Basic with the token as the password. `GET` needs the token's scope `read`, all
other methods `write`.
Every error is an RFC 9457 problem, `application/problem+json`; `detail` says what to do.
Other methods of a path get 405, with the allowed ones in `Allow`.
"""
_TAGS = {
    "progress": "One lesson of one enrollment: read, correct and mark its row.",
    "enrollment": "A learner in a course: summary, topics, lessons.",
    "analytics": "A learner's habits, pace and needs; a course's lessons.",
    "reports": "The analyses as printable pages, their tables as CSV and JSON.",
    "events": "Batches of the events defined in docs/asyncapi.json.",
    "xapi": "Statements of senders that speak xAPI. A sink, not a Learning Record Store: nothing can be read back.",
    "records": "Records of other senders, each in the form that it sends anyway.",
    "map": "Our ids for the names that an LMS has.",
    "health": "For orchestrators, without a token.",
}


def create_app(settings: Settings | None = None, tokens: Tokens | None = None) -> FastAPI:
    """Return the API for these settings, by default the environment's. Raises ConfigurationError.

    Without tokens it accepts requests from this host only, whatever address it is bound to.
    """
    settings = (settings or get_settings()).with_servers()
    connections = read_connections(settings.connections)
    known = load_tokens(settings) if tokens is None else tokens
    require_installed(connections.values())
    origins = [each.strip() for each in (settings.api_cors_origins or "").split(",") if each.strip()]

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_progress_service(settings) as service:
            app.state.service = service
            publisher = EventPublisher(settings=settings.impatient(), retries=0)
            app.state.publisher = publisher
            app.state.connections = connections
            app.state.readiness = Readiness(settings)
            if (up := running_up.in_use()) and settings.redis_url == up.redis_url:
                log.info("up_found", directory=str(up.started_in))
            for sentence in unknown_variables():
                log.warning("unknown_variable", detail=sentence)
            for token in known if settings.connections else ():
                if token.connection not in {None, *connections}:
                    detail = f"{settings.connections} has no such connection, so it has the defaults. Is it misspelled?"
                    log.warning("unknown_connection", token=token.name, connection=token.connection, detail=detail)
            app.openapi()  # slow, so built before the first request
            yield
            publisher.close()

    app = FastAPI(
        title="Course progress",
        summary="Exact learner progress from lesson events",
        description=_DESCRIPTION,
        version=version("course-progress-worker"),
        openapi_tags=[{"name": name, "description": description} for name, description in _TAGS.items()],
        generate_unique_id_function=lambda route: route.name,
        lifespan=lifespan,
        docs_url=None,  # `docs_page` serves it without other hosts
        redoc_url=None,
        redirect_slashes=False,
        swagger_ui_oauth2_redirect_url=None,
    )
    for module in (summary, progress, lists, analytics, reports, events, xapi, record_doors, name_map, health):
        app.include_router(module.router)
    add_docs(app)
    add_handlers(app)
    app.add_middleware(
        AccessMiddleware,
        known=known,
        origins=origins,
        body_bytes=settings.api_body_bytes,
        body_seconds=settings.api_body_seconds,
        bad_requests_per_minute=settings.api_bad_requests_per_minute,
    )
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST", "PUT"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "Prefer", xapi_version.HEADER],
            expose_headers=["Preference-Applied", "Retry-After", xapi_version.HEADER],
        )
    correct_openapi(app)
    return app
