"""Where a request wants to go, below whatever prefix the API stands."""

from starlette.routing import Match
from starlette.types import Scope


def settle(scope: Scope) -> str:
    """The route's path; `scope["path"]` becomes it behind the root path, so that the router goes by the same.

    A server puts its root path before what it was sent. Some proxies take the prefix off and some leave it on, and
    nothing says which: it is left on where only so there is such a route. Slashes too many at the joints are dropped.
    """
    root = scope.get("root_path", "").rstrip("/")
    path = _below(root, scope["path"])
    inner = _below(root, path)
    if inner != path and not _is_route(scope, path):
        path = inner
    scope["root_path"], scope["path"] = root, root + path
    return path


def _below(root: str, path: str) -> str:
    rest = path.removeprefix(root) if path == root or path.startswith(f"{root}/") else path
    return "/" + rest.lstrip("/")


def _is_route(scope: Scope, path: str) -> bool:
    asked = {**scope, "path": path, "root_path": ""}
    return any(route.matches(asked)[0] is not Match.NONE for route in scope["app"].router.routes)
