"""The requests of senders of xAPI, byte for byte as their code makes them of their own settings.

`{host}` and `{length}` in a head stand for what the HTTP client computes; see `tests.support.xapi.exchange`.
"""

import json
from base64 import b64encode
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote_plus, urlsplit

from tests.support.xapi import Statement


class Request(NamedTuple):
    """The head with a header a line, and the body."""

    head: str
    body: bytes


def basic(user: str, token: str) -> str:
    """The value of Authorization for HTTP Basic."""
    return f"Basic {b64encode(f'{user}:{token}'.encode()).decode()}"


def moodle(endpoint: str, user: str, token: str, statements: Sequence[Statement], *, asks: bool = False) -> Request:
    """Moodle's logstore_xapi: its `curl` with a list and escaped slashes; old libcurls ask before they send the body.

    An endpoint may end with a slash or with /statements.
    """
    head = f"""
POST {urlsplit(endpoint.removesuffix("/statements").rstrip("/")).path}/statements HTTP/1.1
Host: {{host}}
User-Agent: MoodleBot/4.5 (+https://moodle.example.org)
Accept: */*
Accept-Encoding: deflate, gzip, br, zstd
Authorization: {basic(user, token)}
X-Experience-API-Version: 1.0.0
Content-Type: application/json
Content-Length: {{length}}
"""
    body = json.dumps(statements, separators=(",", ":")).replace("/", "\\/").encode()
    return Request(head + "Expect: 100-continue\n" * asks, body)


def open_edx(route_url: str, authorization: str, statements: Statement | Sequence[Statement]) -> Request:
    """event-routing-backends: TinCanPython's http.client puts a statement with an id, posts others, and a batch.

    The route URL gets a slash at its end, and `statements` after it.
    """
    path = f"{urlsplit(route_url).path.rstrip('/')}/statements"
    is_put = isinstance(statements, dict) and "id" in statements
    if isinstance(statements, dict) and is_put:
        path += f"?statementId={statements['id']}"
    head = f"""
{"PUT" if is_put else "POST"} {path} HTTP/1.1
Host: {{host}}
Accept-Encoding: identity
Content-Length: {{length}}
X-Experience-API-Version: 1.0.3
Authorization: {authorization}
Content-Type: application/json
"""
    return Request(head, json.dumps(statements).encode())


def ralph(url: str, user: str, token: str, statements: Statement | Sequence[Statement]) -> Request:
    """Ralph: httpx, without a version, to the URL as it stands; one statement that it was put is put."""
    head = f"""
{"PUT" if isinstance(statements, dict) else "POST"} {urlsplit(url).path} HTTP/1.1
Host: {{host}}
Accept: */*
Accept-Encoding: gzip, deflate
Connection: keep-alive
User-Agent: python-httpx/0.25.1
Content-Length: {{length}}
Content-Type: application/json
Authorization: {basic(user, token)}
"""
    return Request(head, json.dumps(statements, ensure_ascii=False, separators=(",", ":")).encode())


def learning_locker(url: str, user: str, token: str, statement: Statement, *, is_wrapped: bool = False) -> Request:
    """Learning Locker: axios, one statement at a time, or the whole document of its database that holds it."""
    document = {"_id": "5a1", "lrs_id": "5a2", "statement": statement, "stored": "2025-07-14T10:30:01.000Z"}
    head = f"""
POST {urlsplit(url).path} HTTP/1.1
Accept: application/json, text/plain, */*
Content-Type: application/json
Authorization: {basic(user, token)}
User-Agent: axios/0.21.1
Content-Length: {{length}}
Host: {{host}}
Connection: close
"""
    body = json.dumps(document if is_wrapped else statement, ensure_ascii=False, separators=(",", ":"))
    return Request(head, body.encode())


def lrspipe(
    target_url: str, user: str, token: str, statements: Sequence[Statement], attachment: bytes | None = None
) -> Request:
    """LRSPipe: Apache's HTTP client, always `multipart/mixed`, in chunks, no space after the colons of a part."""
    boundary = "0f3k9" * 12 + "z1z1"
    head = f"""
POST {urlsplit(target_url).path}/statements HTTP/1.1
x-experience-api-version: 1.0.3
Connection: close
content-type: multipart/mixed; boundary={boundary}
accept-encoding: gzip, deflate
Authorization: {basic(user, token)}
Transfer-Encoding: chunked
Host: {{host}}
User-Agent: Apache-HttpAsyncClient/4.1.4 (Java/11.0.19)
"""
    parts = [b"Content-Type:application/json\r\n\r\n" + json.dumps(statements, separators=(",", ":")).encode()]
    if attachment is not None:
        headers = "Content-Type:image/png\r\nContent-Transfer-Encoding:binary\r\nX-Experience-API-Hash:495395e7\r\n\r\n"
        parts.append(headers.encode() + attachment)
    line = f"--{boundary}".encode()
    body = b"\r\n".join(line + b"\r\n" + part for part in parts) + b"\r\n" + line + b"--"
    pieces = [body[start : start + 700] for start in range(0, len(body), 700)]
    return Request(head, b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in [*pieces, b""]))


def local_webhooks(url: str, token: str, event: dict[str, object], content_type: str = "application/json") -> Request:
    """Moodle's local_webhooks: `curl` with the event's data, host and token, slashes escaped, as its settings say."""
    head = f"""
POST {urlsplit(url).path} HTTP/1.1
Host: {{host}}
User-Agent: MoodleBot/4.5 (+https://moodle.example.org)
Accept: */*
Accept-Encoding: deflate, gzip, br, zstd
Content-Type: {content_type}
Content-Length: {{length}}
"""
    data = event | {"host": "moodle.example.org", "token": token, "extra": ""}
    return Request(head, json.dumps(data, separators=(",", ":")).replace("/", "\\/").encode())


def local_webhooks_form(url: str, token: str, event: dict[str, object]) -> Request:
    """Its last version: Moodle's `curl` makes a form of the array, of which nothing is an empty text."""
    fields: list[tuple[str, object]] = []
    for name, value in (event | {"token": token}).items():
        members = [(f"{name}[{each}]", inner) for each, inner in value.items()] if isinstance(value, dict) else None
        fields += members if members is not None else [(name, value)]
    body = "&".join(
        f"{quote_plus(name, '[]')}={quote_plus('' if each is None else str(each))}" for name, each in fields
    )
    return Request(local_webhooks(url, token, event).head, body.encode())


def frappe(url: str, headers: dict[str, str], document: dict[str, object]) -> Request:
    """Frappe's Webhook: requests, with the headers of its table, and no Content-Type of its own."""
    lines = "\n".join(f"{name}: {value}" for name, value in headers.items())
    head = f"""
POST {urlsplit(url).path} HTTP/1.1
Host: {{host}}
User-Agent: python-requests/2.32.3
Accept-Encoding: gzip, deflate
Accept: */*
Connection: keep-alive
{lines}
Content-Length: {{length}}
"""
    return Request(head, json.dumps(document).encode())


def canvas(url: str, body: bytes, content_type: str = "application/json") -> Request:
    """Canvas's Data Services: no header of a customer's, one event; if signed, the JWT alone is the body."""
    head = f"""
POST {urlsplit(url).path} HTTP/1.1
Content-Type: {content_type}
Content-Length: {{length}}
Host: {{host}}
Connection: close
User-Agent: Amazon/EventBridge/ApiDestinations
Accept-Encoding: gzip, x-gzip, deflate
"""
    return Request(head, body)


def caliper_sensor(url: str, authorization: str, document: object) -> Request:
    """1EdTech's libraries and wp-caliper: PHP's curl with an envelope, slashes escaped; 200 alone is a success."""
    head = f"""
POST {urlsplit(url).path} HTTP/1.1
Host: {{host}}
User-Agent: Caliper ( PHP curl extension )
Accept: */*
Content-Type: application/json
Authorization: {authorization}
Content-Length: {{length}}
"""
    return Request(head, json.dumps(document, indent=4).replace("/", "\\/").encode())


def open_edx_caliper(route_url: str, authorization: str, events: Sequence[object]) -> Request:
    """event-routing-backends with Caliper: requests, to the URL as it stands, with a bare list."""
    head = f"""
POST {urlsplit(route_url).path} HTTP/1.1
Host: {{host}}
User-Agent: python-requests/2.31.0
Accept-Encoding: gzip, deflate
Accept: */*
Connection: keep-alive
Authorization: {authorization}
Content-Length: {{length}}
Content-Type: application/json
"""
    return Request(head, json.dumps(list(events)).encode())
