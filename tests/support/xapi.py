"""Statements of xAPI, and requests to send them byte for byte as a sender's HTTP client does."""

import socket
from http.client import HTTPMessage, HTTPResponse
from typing import Any, NamedTuple
from urllib.parse import urlsplit

HOME = "https://lms.example"
_VERBS = "http://adlnet.gov/expapi/verbs"
_COURSE = {"type": "http://adlnet.gov/expapi/activities/course"}

Statement = dict[str, Any]


def statement(
    learner: str = "4",
    verb: str = "completed",
    lesson: str = f"{HOME}/l1",
    course: str | None = f"{HOME}/c1",
    **other: Any,
) -> Statement:
    """A statement, by default without an id; `id`, `timestamp` and other members may be given."""
    made: Statement = {
        "actor": {"account": {"homePage": HOME, "name": learner}},
        "verb": {"id": f"{_VERBS}/{verb}"},
        "object": {"id": lesson},
        "timestamp": "2025-07-14T10:30:00Z",
    }
    if course is not None:
        made["context"] = {"contextActivities": {"parent": [{"id": course, "definition": _COURSE}]}}
    return {**made, **other}


def learner_name(learner: str) -> str:
    """What the adapter calls the learner of `statement`."""
    return f"account:{HOME}|{learner}"


class Answer(NamedTuple):
    """What the server answered."""

    status: int
    headers: HTTPMessage
    body: bytes


def exchange(url: str, head: str, body: bytes) -> Answer:
    """Send these bytes; `head` has a line each, `{host}` and `{length}` stand for what the client computes."""
    address = urlsplit(url)
    lines = head.strip().format(host=address.netloc, length=len(body)).splitlines()
    with socket.create_connection((str(address.hostname), address.port or 80), 20) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        response = HTTPResponse(connection)
        response.begin()
        return Answer(response.status, response.headers, response.read())
