"""What answers below /xapi have in common: the header that tells xAPI's version, and the words for what is not there.

Requests need no such header, since some senders leave it out.
"""

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Scope, Send

ROOT = "/xapi"
HEADER = "X-Experience-API-Version"
VERSIONS = ("1.0.3", "2.0.0")
NOT_FOUND = (
    "This is a sink for statements, not a Learning Record Store: there are only "
    f"{ROOT}/statements, to send them to, and {ROOT}/about."
)


def is_of_xapi(path: str) -> bool:
    """Return whether the route's path is one of xAPI."""
    return path == ROOT or path.startswith(f"{ROOT}/")


def added(scope: Scope, path: str, send: Send) -> Send:
    """Return a channel that adds the header to the answer, if the path is one of xAPI: 2.0.0 if asked by a 2.0.x."""
    if not is_of_xapi(path):
        return send
    asked = Headers(scope=scope).get(HEADER, "")
    version = VERSIONS[1] if asked == "2.0" or asked.startswith("2.0.") else VERSIONS[0]

    async def send_with_version(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)[HEADER] = version
        await send(message)

    return send_with_version
