"""Find the route's path when the API is served under a path prefix."""

from starlette.routing import Match
from starlette.types import Scope


def strip_prefix(scope: Scope) -> str:
    """Return the route's path, and set `scope["path"]` to it after the root path for the router.

    The server prepends its root path to the path it received. Some proxies strip the prefix, others do not: it is
    stripped a second time unless the path with it is a route. Superfluous slashes after a prefix are dropped.
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
    request = {**scope, "path": path, "root_path": ""}
    return any(route.matches(request)[0] is not Match.NONE for route in scope["app"].router.routes)
