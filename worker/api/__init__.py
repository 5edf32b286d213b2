"""The HTTP API: parses requests, calls a service and renders the answer. It has no rules of its own.

| module                                    | owns                                                               |
|-------------------------------------------|--------------------------------------------------------------------|
| `app`                                     | the application: wiring and lifespan                               |
| `openapi`                                 | corrections to FastAPI's OpenAPI document                          |
| `middleware`                              | authentication, scopes, the limit of bad requests                  |
| `body_limit`, `slow_clients`              | size and time limits of bodies and of connections                  |
| `request_log`, `problems`                 | one log line per request; errors as `application/problem+json`     |
| `tokens`, `authorization`, `dependencies` | bearer tokens, the courses they may access, what endpoints receive |
| `schema`, `*_schema`                      | request bodies and answers                                         |
| `progress`, `summary`, `events`, `health` | the endpoints                                                      |
| `analytics`, `reports`                    | the endpoints of the analyses                                      |
"""
