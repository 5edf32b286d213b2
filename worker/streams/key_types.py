"""Keys of ours that somebody made with another type: `SET lesson-events:3 x`, a typo or another program.

Redis refuses every command on such a stream, and a read of several streams with it. So it is left out until it is gone,
and somebody is told. An account, commits, totals or an owner of another type counts as absent. A lease or a mark,
which lives for seconds, is written anew.
"""

from redis import Redis

from worker.streams.keys import Keys, account, commits

STREAM, HASH, STRING = b"stream", b"hash", b"string"


def find_wrong(redis: Redis, keys: Keys) -> dict[str, str]:
    """Each of our keys that has another type than it should, with the type that it has; in one round trip."""
    right = _right(keys)
    pipeline = redis.pipeline(transaction=False)
    for name in right:
        pipeline.type(name)
    types = dict(zip(right, pipeline.execute(), strict=True))
    return {name: kind.decode() for name, kind in types.items() if kind not in (right[name], b"none")}


def _right(keys: Keys) -> dict[str, bytes]:
    right = {keys.wanted: STRING, keys.refused: STRING, keys.totals: HASH}
    for stream in (*keys.own, *keys.strays):
        right |= {stream: STREAM, account(stream): HASH, commits(stream): HASH}
        right |= dict.fromkeys((keys.system(stream), keys.lease(stream)), STRING)
    return right
