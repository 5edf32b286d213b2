"""Find the route's path: the API may be served under a path prefix, and a path may end with a slash or not."""

from starlette.routing import Match
from starlette.types import Scope

ROWS = "/progress/"
"""The one route that ends with a slash."""

_DATA = frozenset(
    {
        "analytics",
        "caliper",
        "canvas",
        "courses",
        "enrollments",
        "events",
        "frappe",
        "map",
        "moodle",
        "progress",
        "summaries",
        "xapi",
    }
)


def strip_prefix(scope: Scope) -> str:
    """Return the route's path, and set `scope["path"]` to it after the root path for the router.

    The server prepends its root path to the path it received. Some proxies strip the prefix, others do not: it is
    stripped a second time unless the path with it is a route. Superfluous slashes after a prefix are dropped. A path of
    data means the same with a slash at its end as without; a redirect would make many clients drop the body.
    """
    root = scope.get("root_path", "").rstrip("/")
    path = _below(root, scope["path"])
    inner = _below(root, path)
    path = _spelled(path if inner == path or _is_route(scope, _spelled(path)) else inner)
    scope["root_path"], scope["path"] = root, root + path
    return path


def _below(root: str, path: str) -> str:
    rest = path.removeprefix(root) if path == root or path.startswith(f"{root}/") else path
    return "/" + rest.lstrip("/")


def _spelled(path: str) -> str:
    """Return the path of data as its route spells it: without a slash at the end, but `/progress/` with one.

    Pages are left as they are, since a slash changes where their relative links lead.
    """
    bare = path.rstrip("/")
    if bare.partition("/")[2].partition("/")[0] not in _DATA:
        return path
    return ROWS if bare == ROWS[:-1] else bare


def _is_route(scope: Scope, path: str) -> bool:
    request = {**scope, "path": path, "root_path": ""}
    return any(route.matches(request)[0] is not Match.NONE for route in scope["app"].router.routes)
