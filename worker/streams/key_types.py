"""Keys of ours with the wrong type, set by a typo or another program: `SET lesson-events:3 x`.

Redis refuses every command on such a stream, and reads of several streams that include it. So the stream is reported,
and left out until the key is gone. An account, commits, totals or system of another type counts as missing. Leases and
short-lived marks are overwritten.
"""

from redis import Redis

from worker.streams.keys import Keys, account, commits

STREAM, HASH, STRING = b"stream", b"hash", b"string"


def find_wrong(redis: Redis, keys: Keys) -> dict[str, str]:
    """Return each of our keys that has the wrong type, with that type, in one round trip."""
    expected = _expected_types(keys)
    pipeline = redis.pipeline(transaction=False)
    for name in expected:
        pipeline.type(name)
    types = dict(zip(expected, pipeline.execute(), strict=True))
    return {name: kind.decode() for name, kind in types.items() if kind not in (expected[name], b"none")}


def _expected_types(keys: Keys) -> dict[str, bytes]:
    expected = {keys.wanted: STRING, keys.refused: STRING, keys.totals: HASH}
    for stream in (*keys.own, *keys.strays):
        expected |= {stream: STREAM, account(stream): HASH, commits(stream): HASH}
        expected |= dict.fromkeys((keys.system(stream), keys.lease(stream)), STRING)
    return expected
