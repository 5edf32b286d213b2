"""The HTTP API: requests in, answers out. It parses, asks `worker.services`, and prints; it has no rule of its own.

| module       | owns                                                                       |
|--------------|----------------------------------------------------------------------------|
| `app`        | the application: what is put together, and what lives as long as it          |
| `gate`       | who may come in: tokens, scopes, size, bad requests; one log line a request |
| `tokens`     | the tokens, and how they are compared                                       |
| `permission` | which courses a token may touch                                             |
| `problem`    | errors as `application/problem+json`                                        |
| `schema`     | bodies and answers                                                          |
| `progress`, `course`, `events`, `health` | the endpoints                                 |
"""
