"""Refuse encoded bodies: they would be read as they are, and events or statements would seem to be no JSON."""

from fastapi import Depends, Request
from starlette.exceptions import HTTPException


async def _require_identity(request: Request) -> None:
    """Raise HTTPException 415 for any Content-Encoding but identity."""
    coding = request.headers.get("content-encoding", "").strip()
    if coding.lower() not in {"", "identity"}:
        detail = f"The Content-Encoding {coding:.100} is not supported. Send the body as it is, without the header."
        raise HTTPException(415, detail, {"Accept-Encoding": "identity"})


NOT_ENCODED = Depends(_require_identity)
