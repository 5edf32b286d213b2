"""Remove dead consumers from a group, in one script: a consumer may read between a check and the act."""

from collections.abc import Iterable

from worker.streams.connection import Redis

_REMOVE_CONSUMERS = """
local function field(reply, name)
  for i = 1, #reply, 2 do if reply[i] == name then return reply[i + 1] end end
end
local removed = {}
if redis.call('EXISTS', KEYS[1]) == 0 then return removed end
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  if field(group, 'name') == ARGV[1] then
    for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
      local name = field(consumer, 'name')
      local chosen = ARGV[2] == '' or name == ARGV[2]
      if chosen and field(consumer, 'pending') == 0 and field(consumer, 'idle') >= tonumber(ARGV[3]) then
        redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], name)
        removed[#removed + 1] = name
      end
    end
  end
end
return removed
"""


def remove_idle_consumers(redis: Redis, group: str, streams: Iterable[str], idle_seconds: float) -> set[str]:
    """Remove consumers idle this long on a stream with nothing pending there; a live one returns when it reads."""
    return _remove(redis, group, streams, "", idle_seconds)


def remove_consumer(redis: Redis, group: str, streams: Iterable[str], consumer: str) -> set[str]:
    """Remove this consumer from every stream where it has nothing pending."""
    return _remove(redis, group, streams, consumer, 0)


def _remove(redis: Redis, group: str, streams: Iterable[str], consumer: str, idle_seconds: float) -> set[str]:
    script = redis.register_script(_REMOVE_CONSUMERS)
    arguments: list[str | int] = [group, consumer, int(idle_seconds * 1000)]
    return {name.decode() for stream in streams for name in script(keys=[stream], args=arguments)}
