"""Leases: which consumer reads which stream, so that consumers do not wait for each other's row locks.

They only save time. Two consumers on one stream record the same rows, only slower, so consumers continue without leases
while a full Redis refuses them.
"""

from collections.abc import Collection, Iterable

from redis import OutOfMemoryError

from worker.streams.connection import Redis, read_text
from worker.streams.keys import Keys

WANTED_SECONDS = 2
"""Life of the mark that a consumer wants a stream: about twice the interval of wake-ups."""

# A lease without expiry, or with a longer one than we set (Redis's clock was set back), is void. A full Redis cannot
# store leases: then every consumer reads all streams.
_ACQUIRE = """
local won = {}
for i, key in ipairs(KEYS) do
  local left = redis.call('PTTL', key)
  if left < 0 or left > tonumber(ARGV[2]) then
    local answer = redis.pcall('SET', key, ARGV[1], 'PX', ARGV[2])
    if answer.err and not string.find(answer.err, '^OOM') then return answer end
    won[#won + 1] = i
  end
end
return won
"""

# A key of another type is no lease either.
_RENEW = """
local held = {}
for i, key in ipairs(KEYS) do
  local holder = redis.pcall('GET', key)
  if type(holder) == 'table' then holder = false end
  if holder == ARGV[1] then
    redis.call('PEXPIRE', key, ARGV[2])
  elseif not holder then
    redis.pcall('SET', key, ARGV[1], 'PX', ARGV[2])
  end
  if not holder or holder == ARGV[1] then held[#held + 1] = i end
end
return held
"""

_RELEASE = """
for _, key in ipairs(KEYS) do
  if redis.pcall('GET', key) == ARGV[1] then redis.call('DEL', key) end
end
"""


class Leases:
    """The streams that one consumer has leased."""

    def __init__(self, redis: Redis, keys: Keys, consumer: str, seconds: float) -> None:
        """Nothing is leased yet."""
        self._redis = redis
        self._keys = keys
        self._consumer = consumer
        self._milliseconds = int(seconds * 1000)
        self._acquire = redis.register_script(_ACQUIRE)
        self._renew = redis.register_script(_RENEW)
        self._release = redis.register_script(_RELEASE)
        self.held: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every stream is held."""
        return len(self.held) == len(self._keys.streams)

    def adopt(self, keys: Keys) -> None:
        """Lease the streams of these keys from now on. A lease on a stream that is not among them expires."""
        self._keys = keys
        self.held = tuple(stream for stream in self.held if stream in keys.streams)

    def acquire_free(self) -> None:
        """Lease every free stream, in one round trip."""
        if self.complete:
            return
        missing = [stream for stream in self._keys.streams if stream not in self.held]
        keys = [self._keys.lease(stream) for stream in missing]
        won = {missing[index - 1] for index in self._acquire(keys=keys, args=[self._consumer, self._milliseconds])}
        self.held = tuple(stream for stream in self._keys.streams if stream in self.held or stream in won)

    def renew(self) -> None:
        """Renew the leases held, even if their keys are gone; drop those that another consumer has taken."""
        if self.held:
            keys = [self._keys.lease(stream) for stream in self.held]
            indexes = self._renew(keys=keys, args=[self._consumer, self._milliseconds])
            self.held = tuple(self.held[index - 1] for index in indexes)

    def release(self, streams: Iterable[str] | None = None) -> None:
        """Release these streams, or all; never another consumer's lease.

        If Redis does not answer they stay held, because a forgotten lease could not be acquired before it expires.
        """
        released = self.held if streams is None else tuple(streams)
        if released:
            self._release(keys=[self._keys.lease(stream) for stream in released], args=[self._consumer])
        self.held = tuple(stream for stream in self.held if stream not in released)

    def want(self) -> None:
        """Set the mark that this consumer wants a stream."""
        try:
            self._redis.set(self._keys.wanted, self._consumer, ex=WANTED_SECONDS)
        except OutOfMemoryError:
            return  # the holders continue alone

    def is_wanted(self, busy: Collection[str] = ()) -> bool:
        """Return whether another consumer wants a stream and there is one to spare; see `answer_want`."""
        marked_by = read_text(self._redis, self._keys.wanted) if self._spare(busy) else None
        return marked_by is not None and marked_by != self._consumer.encode()

    def answer_want(self, busy: Collection[str] = ()) -> bool:
        """Release half of the streams held, rounded down, if another consumer wants some; return whether it did.

        Half of the `busy` streams and half of the others: if a single busy stream changed hands, both consumers would
        read it in turn and wait for each other's row locks. Deleting the mark ensures that one holder answers it.
        """
        if not self.is_wanted(busy) or not self._redis.delete(self._keys.wanted):
            return False
        self.release(self._spare(busy))
        return True

    def _spare(self, busy: Collection[str]) -> list[str]:
        working = [stream for stream in self.held if stream in busy]
        idle = [stream for stream in self.held if stream not in busy]
        return working[: len(working) // 2] + idle[: len(idle) // 2]
