"""The HTTP API: requests in, answers out. It parses, asks a service, and prints; it has no rule of its own.

| module                                   | owns                                                            |
|------------------------------------------|-----------------------------------------------------------------|
| `app`                                    | the application: what is put together and lives as long as it   |
| `gate`                                   | who may come in: tokens, scopes, bad requests; one log line each |
| `exchange`                               | a request's size, its answer's status, what is said on failure  |
| `tokens`, `permission`                   | who calls, and which courses they may touch                     |
| `caller`                                 | what an endpoint works with                                     |
| `problem`                                | errors as `application/problem+json`                            |
| `schema`                                 | bodies and answers                                              |
| `progress`, `course`, `events`, `health` | the endpoints                                                   |
| `analytics`, `reports`                   | the endpoints of the analyses                                   |
"""
