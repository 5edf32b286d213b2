"""The header that tells xAPI's version. Each answer has it; requests need not, since some senders leave it out."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Scope, Send

ROOT = "/xapi"
HEADER = "X-Experience-API-Version"
VERSIONS = ("1.0.3", "2.0.0")


def added(scope: Scope, path: str, send: Send) -> Send:
    """Return a channel that adds the header to the answer, if the path is one of xAPI: 2.0.0 if asked by a 2.0.x."""
    if path != ROOT and not path.startswith(f"{ROOT}/"):
        return send
    asked = Headers(scope=scope).get(HEADER, "")
    version = VERSIONS[1] if asked == "2.0" or asked.startswith("2.0.") else VERSIONS[0]

    async def send_with_version(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)[HEADER] = version
        await send(message)

    return send_with_version
