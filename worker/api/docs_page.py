"""`/docs`: Swagger UI on the OpenAPI document, with every file from this host; the package fastapi-offline has them."""

from importlib.resources import files

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

PATH = "/docs"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page's Content-Security-Policy: files and calls of this host alone, and no script or style within the page."""

_SWAGGER = files("fastapi_offline") / "static"
_FILES = {
    f"{PATH}/swagger-ui.css": (_SWAGGER / "swagger-ui.css", "text/css"),
    f"{PATH}/swagger-ui-bundle.js": (_SWAGGER / "swagger-ui-bundle.js", "text/javascript"),
    f"{PATH}/start.js": (files("worker.api") / "swagger_start.js", "text/javascript"),
}
PATHS = frozenset({PATH, *_FILES})
"""The page and its files."""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{root}/docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="{root}/docs/swagger-ui-bundle.js"></script>
<script src="{root}/docs/start.js" data-document="{root}/openapi.json"></script>
</body>
</html>
"""


def add_docs(app: FastAPI) -> None:
    """Serve the page and its files."""

    async def page(request: Request) -> Response:
        content = _PAGE.format(title=app.title, root=request.scope.get("root_path", ""))
        return HTMLResponse(content, headers={"Content-Security-Policy": POLICY})

    async def file(request: Request) -> Response:
        path = request.url.path.removeprefix(request.scope.get("root_path", ""))
        content, media_type = _FILES[path]
        return Response(content.read_bytes(), media_type=media_type, headers={"Cache-Control": "max-age=3600"})

    app.add_route(PATH, page, include_in_schema=False)
    for path in _FILES:
        app.add_route(path, file, include_in_schema=False)
