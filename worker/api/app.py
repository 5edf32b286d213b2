"""The application: `create_app()` puts it together. `progress-worker serve` runs it; so does any ASGI server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core.core_schema import WithDefaultSchema
from starlette.middleware.cors import CORSMiddleware

from worker.api import analytics, events, health, progress, reports
from worker.api import summary as course
from worker.api.health import Readiness
from worker.api.middleware import Gate
from worker.api.problems import Problem, add_handlers
from worker.api.schema import BODIES
from worker.api.tokens import Tokens, load_tokens
from worker.client import EventPublisher
from worker.service import open_progress_service
from worker.settings import Settings, get_settings

_DESCRIPTION = """
Whoever calls sends `Authorization: Bearer TOKEN`; `GET` needs the token's scope `read`, anything else `write`.
Every error is a problem of RFC 9457, `application/problem+json`; `detail` says what to do.
A method that a path does not have is answered 405, with those it has in `Allow`.
"""
_TAGS = {
    "progress": "One lesson of one enrollment: its row, and what marks it.",
    "enrollment": "A learner in a course: the summary, a topic, all lessons.",
    "analytics": "What histories tell: of a learner's habits, pace and needs, and of a course's lessons.",
    "reports": "The same as a page to be read, and its tables as CSV and JSON.",
    "events": "The events of the asynchronous contract, in batches.",
    "health": "For orchestrators, without a token.",
}


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
            publisher = EventPublisher(settings=settings.impatient(), retries=0)
            app.state.publisher = publisher
            app.state.readiness = Readiness(settings)
            app.openapi()  # takes long: not while others want to be answered
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
        redoc_url=None,
        redirect_slashes=False,
        swagger_ui_oauth2_redirect_url=None,
    )
    for module in (course, progress, analytics, reports, events, health):
        app.include_router(module.router)
    add_handlers(app)
    app.add_middleware(
        Gate,
        known=load_tokens(settings) if tokens is None else tokens,
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
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "Prefer"],
            expose_headers=["Preference-Applied", "Retry-After"],
        )
    _document(app)
    return app


class _NoNullDefaults(GenerateJsonSchema):
    """A member that is left out is not null by that."""

    def default_schema(self, schema: WithDefaultSchema) -> JsonSchemaValue:
        """As it is, but for that."""
        found = super().default_schema(schema)
        return {name: value for name, value in found.items() if (name, value) != ("default", None)}


def _document(app: FastAPI) -> None:
    """Mend what FastAPI makes of the document."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema:
            return app.openapi_schema
        document = generate()
        schemas = document["components"]["schemas"]
        # Once more as pydantic writes them: FastAPI turns limits into floats, and the largest id is none.
        _, exact = models_json_schema(
            [(model, "validation") for model in (*BODIES, Problem)],
            ref_template="#/components/schemas/{model}",
            schema_generator=_NoNullDefaults,
        )
        schemas |= exact["$defs"]
        document["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
        for path in document["paths"].values():
            for operation in path.values():
                _describe_success(operation["responses"], schemas)
                if "health" not in operation["tags"]:
                    operation["security"] = [{"bearer": []}]  # the gate asks for it
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _describe_success(responses: dict[str, Any], schemas: dict[str, Any]) -> None:
    """By what it carries, where the endpoint says nothing else."""
    for response in responses.values():
        if response["description"] == "Successful Response":
            name = response["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            response["description"] = schemas[name]["description"]
