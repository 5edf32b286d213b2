"""The HTTP API: parses requests, calls a service and renders the answer. It has no rules of its own.

| module                                    | owns                                                               |
|-------------------------------------------|--------------------------------------------------------------------|
| `app`                                     | the application: wiring and lifespan                               |
| `openapi`                                 | corrections to FastAPI's OpenAPI document                          |
| `middleware`                              | authentication, scopes, the limit of bad requests                  |
| `body_limit`, `slow_clients`              | size and time limits of bodies and of connections                  |
| `request_log`, `problems`                 | one log line per request; errors as `application/problem+json`     |
| `tokens`, `credentials`                   | API tokens, and how a request presents one                         |
| `authorization`, `dependencies`           | what a token may access, what endpoints receive                    |
| `schema`, `*_schema`                      | request bodies and answers                                         |
| `progress`, `summary`, `events`, `health` | the endpoints                                                      |
| `xapi`, `xapi_statements`, `xapi_version` | statements of xAPI                                                 |
| `record_doors`, `door_tokens`             | records of other formats, and where their senders put the token    |
| `signed_payloads`                         | the signatures of Canvas's payloads                                |
| `received_records`, `form_records`        | what xAPI and the record doors share; a record sent as a form      |
| `name_map`                                | the look-ups of our ids by names                                   |
| `analytics`, `reports`                    | the endpoints of the analyses                                      |
"""
