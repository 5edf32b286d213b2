"""Who reads which stream: leases that expire, so that consumers do not wait for each other's row locks.

Leases are a matter of speed alone. Two consumers on one stream give the same rows, only slower; so a Redis that refuses
to write (full) makes a consumer go on without leases.
"""

from collections.abc import Collection, Iterable

from redis import OutOfMemoryError

from worker.streams.connection import Redis, read_text
from worker.streams.keys import Keys

WANTED_SECONDS = 2
"""Life of the mark that a consumer wants work: about twice the doorbell's period."""

# A lease that lives longer than any that is given (Redis' clock was set back), or for ever, is nobody's. A full Redis
# cannot record leases: then everyone reads everything.
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

# A key of another type is nobody's lease either.
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
        """Every stream is held."""
        return len(self.held) == len(self._keys.streams)

    def adopt(self, keys: Keys) -> None:
        """Go by these keys: other streams may be leased from now on. A lease of one that left expires by itself."""
        self._keys = keys
        self.held = tuple(stream for stream in self.held if stream in keys.streams)

    def acquire_free(self) -> None:
        """Lease every stream that nobody holds, in one round trip."""
        if self.complete:
            return
        missing = [stream for stream in self._keys.streams if stream not in self.held]
        keys = [self._keys.lease(stream) for stream in missing]
        won = {missing[index - 1] for index in self._acquire(keys=keys, args=[self._consumer, self._milliseconds])}
        self.held = tuple(stream for stream in self._keys.streams if stream in self.held or stream in won)

    def renew(self) -> None:
        """Prolong what is held, also where the key is gone; forget what expired and was taken by another."""
        if self.held:
            keys = [self._keys.lease(stream) for stream in self.held]
            indexes = self._renew(keys=keys, args=[self._consumer, self._milliseconds])
            self.held = tuple(self.held[index - 1] for index in indexes)

    def release(self, streams: Iterable[str] | None = None) -> None:
        """Give back these streams, or all; another consumer's lease is never touched.

        When Redis does not answer they stay held: forgotten, they could not be had again before they expired.
        """
        released = self.held if streams is None else tuple(streams)
        if released:
            self._release(keys=[self._keys.lease(stream) for stream in released], args=[self._consumer])
        self.held = tuple(stream for stream in self.held if stream not in released)

    def want(self) -> None:
        """Leave the mark that this consumer could do with a stream."""
        try:
            self._redis.set(self._keys.wanted, self._consumer, ex=WANTED_SECONDS)
        except OutOfMemoryError:
            return  # nobody will share; the holders go on alone

    def is_wanted(self, busy: Collection[str] = ()) -> bool:
        """Another consumer left its mark, and there is something to spare for it; see `answer_want`."""
        marked_by = read_text(self._redis, self._keys.wanted) if self._spare(busy) else None
        return marked_by is not None and marked_by != self._consumer.encode()

    def answer_want(self, busy: Collection[str] = ()) -> bool:
        """Give half of what is held, rounded down, to another consumer that left its mark; whether that was so.

        Half of the `busy` streams and half of the others: a single busy stream that went to and fro would be read by
        both in turn, and each would wait for the other's row locks. Taking the mark: only one holder answers it, and
        none that has nothing to spare.
        """
        if not self.is_wanted(busy) or not self._redis.delete(self._keys.wanted):
            return False
        self.release(self._spare(busy))
        return True

    def _spare(self, busy: Collection[str]) -> list[str]:
        at_work = [stream for stream in self.held if stream in busy]
        at_rest = [stream for stream in self.held if stream not in busy]
        return at_work[: len(at_work) // 2] + at_rest[: len(at_rest) // 2]
