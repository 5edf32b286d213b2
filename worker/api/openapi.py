"""Correct the OpenAPI document that FastAPI generates."""

from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core.core_schema import WithDefaultSchema

from worker.api import event_bodies
from worker.api.problems import Problem
from worker.api.progress_schema import BODIES


def correct_openapi(app: FastAPI) -> None:
    """Make `app.openapi()` return a corrected document."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema:
            return app.openapi_schema
        document = generate()
        schemas = document["components"]["schemas"]
        # pydantic's own schemas: FastAPI turns limits into floats, which cannot represent the largest id.
        _, exact = models_json_schema(
            [(model, "validation") for model in (*BODIES, Problem)],
            ref_template="#/components/schemas/{model}",
            schema_generator=_NoNullDefaults,
        )
        schemas |= exact["$defs"] | event_bodies.SCHEMAS
        document["components"]["securitySchemes"] = {
            scheme: {"type": "http", "scheme": scheme} for scheme in ("bearer", "basic")
        }
        for path in document["paths"].values():
            for operation in path.values():
                _describe_success(operation["responses"], schemas)
                if "health" not in operation["tags"]:
                    operation["security"] = [{"bearer": []}, {"basic": []}]  # AccessMiddleware requires it
        return document

    app.openapi = openapi  # type: ignore[method-assign]


class _NoNullDefaults(GenerateJsonSchema):
    """Omits `"default": null`: an absent member is not the same as null."""

    def default_schema(self, schema: WithDefaultSchema) -> JsonSchemaValue:
        """Return pydantic's schema without a null default."""
        found = super().default_schema(schema)
        return {name: value for name, value in found.items() if (name, value) != ("default", None)}


def _describe_success(responses: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Describe success by the answer's model, where the endpoint has no description of its own."""
    for response in responses.values():
        if response["description"] == "Successful Response":
            name = response["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            response["description"] = schemas[name]["description"]
