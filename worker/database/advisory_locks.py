"""The keys of PostgreSQL's advisory locks, each held until its transaction ends.

| key                               | guards                 | taken by                                         |
|-----------------------------------|------------------------|--------------------------------------------------|
| `MIGRATION_LOCK`                  | the schema             | migrations                                       |
| `OUTLINES_LOCK`                   | the live outlines      | batches that change one; shared: whatever        |
|                                   |                        | refreshes summaries                              |
| `REPLAY_LOCK`                     | the replay cursor      | the one consumer that replays lost commits       |
| `NAMES_LOCK`                      | lessons of outlines by | batches that name an outline's lessons, `map load` |
|                                   | name                   |                                                  |
| `ACTIVITY_LOCK`                   | the activity of all    | activity refreshes and rebuilds                  |
| `STATISTICS_LOCK_CLASS`, a course | a course's statistics  | statistics refreshes and rebuilds                |

PostgreSQL keeps keys of one and of two numbers apart.
"""

MIGRATION_LOCK = 7_305_112_019
OUTLINES_LOCK = 7_305_112_020
REPLAY_LOCK = 7_305_112_023
NAMES_LOCK = 7_305_112_024
ACTIVITY_LOCK = 7_305_113
STATISTICS_LOCK_CLASS = 7_305_112
"""The second number is `hashint8(course_id)`."""
