"""Trim entries that every group has finished, in one script: a consumer may read between a check and the act."""

from collections.abc import Iterable

from worker.streams.connection import Redis

# MINID keeps every entry from the lowest that any group needs: its lowest pending entry, else the one after its last
# delivery. A stream without a group is left alone. Entries younger than ARGV[1] milliseconds stay too, for a replay if
# PostgreSQL loses commits, unless Redis has used four fifths of its memory.
_TRIM = """
local function field(reply, name)
  for i = 1, #reply, 2 do if reply[i] == name then return reply[i + 1] end end
end
local function parts(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end
local lowest_ms, lowest_seq
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local ms, seq
  local pending = redis.call('XPENDING', KEYS[1], field(group, 'name'))
  if pending[1] > 0 then
    ms, seq = parts(pending[2])
  else
    ms, seq = parts(field(group, 'last-delivered-id'))
    seq = seq + 1
  end
  if not lowest_ms or ms < lowest_ms or (ms == lowest_ms and seq < lowest_seq) then
    lowest_ms, lowest_seq = ms, seq
  end
end
-- Leave alone a stream with ids that a Lua number cannot hold exactly; no clock makes them.
if not lowest_ms or lowest_ms > 9007199254740990 or lowest_seq > 9007199254740990 then return 0 end
local kept_ms = tonumber(ARGV[1])
local memory = redis.pcall('INFO', 'memory')
if type(memory) == 'string' then
  local used, most = string.match(memory, 'used_memory:(%d+)'), string.match(memory, 'maxmemory:(%d+)')
  if most and tonumber(most) > 0 and tonumber(used) > 0.8 * tonumber(most) then kept_ms = 0 end
end
if kept_ms > 0 then
  local now = redis.call('TIME')
  local oldest = math.floor(now[1] * 1000 + now[2] / 1000) - kept_ms
  if oldest < lowest_ms then lowest_ms, lowest_seq = math.max(0, oldest), 0 end
end
return redis.call('XTRIM', KEYS[1], 'MINID', string.format('%.0f-%.0f', lowest_ms, lowest_seq))
"""


def trim(redis: Redis, streams: Iterable[str], keep_seconds: float) -> int:
    """Delete entries below the lowest that any group has pending or undelivered; return their number.

    Keeps entries younger than `keep_seconds` by Redis's clock, unless Redis is nearly full.
    """
    script = redis.register_script(_TRIM)
    return sum(script(keys=[stream], args=[int(keep_seconds * 1000)]) for stream in streams)
