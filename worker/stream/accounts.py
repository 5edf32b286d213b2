"""Hold the entries acknowledged against the entries added: what is neither acknowledged, pending nor unread vanished.

A publisher's MAXLEN, XDEL, XTRIM or XGROUP SETID can take entries that nobody recorded, and the lag says 0 afterwards.
Every acknowledgment is counted in the script that makes it, and the group's beginning in the one that creates it, so
crashes, redelivery and our own trimming never look like a loss. Each script writes to the stream first: from then on a
full Redis refuses it nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worker.stream.connection import Redis
from worker.stream.keys import account

# A group made again is given once more whatever the stream still holds. An account from before tells that case from a
# group that is the stream's first, which has to answer for every entry ever added.
_CREATE_GROUP = """
local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
if made.err then return made end
local base = 0
if redis.call('EXISTS', KEYS[2]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[1])
  for i = 1, #info, 2 do
    if info[i] == 'entries-added' then base = base + info[i + 1] end
    if info[i] == 'length' then base = base - info[i + 1] end
  end
  base = base - (tonumber(redis.call('HGET', KEYS[2], 'acknowledged')) or 0)
end
redis.call('HSET', KEYS[2], 'base', base)
return made
"""

# KEYS: each stream and its account. ARGV: XACK, said by the caller so that it is seen on the wire; the group; how many
# ids belong to each stream; the ids. Lua passes fewer than 8,000 values at once.
_ACKNOWLEDGE = """
local at = 2 + #KEYS / 2
for number = 1, #KEYS / 2 do
  local last, acknowledged = at + ARGV[2 + number], 0
  while at < last do
    local to = math.min(at + 4000, last)
    acknowledged = acknowledged + redis.call(ARGV[1], KEYS[2 * number - 1], ARGV[2], unpack(ARGV, at + 1, to))
    at = to
  end
  if acknowledged > 0 then redis.pcall('HINCRBY', KEYS[2 * number], 'acknowledged', acknowledged) end
end
"""

# Exact once nothing is unread; before that a lower bound, as at most the stream's length is. Without a base (a group
# made by an older version) the first look where nothing is unread starts the account.
_BALANCE = """#!lua flags=allow-oom
local function field(reply, name)
  for i = 1, #reply, 2 do if reply[i] == name then return reply[i + 1] end end
end
if redis.call('TYPE', KEYS[1]).ok ~= 'stream' then return 0 end
local group
for _, each in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  if field(each, 'name') == ARGV[1] then group = each end
end
if not group then return 0 end
local known = redis.call('HMGET', KEYS[2], 'base', 'acknowledged')
local base, acknowledged = tonumber(known[1]), tonumber(known[2]) or 0
local unread = #redis.call('XRANGE', KEYS[1], '(' .. field(group, 'last-delivered-id'), '+', 'COUNT', 1) > 0
local most_unread = unread and redis.call('XLEN', KEYS[1]) or 0
local added = field(redis.call('XINFO', 'STREAM', KEYS[1]), 'entries-added')
local missing = added - (base or 0) - acknowledged - field(group, 'pending') - most_unread
if missing == 0 and base or unread and (missing < 0 or not base) then return 0 end
redis.call('HINCRBY', KEYS[2], 'base', missing)
if missing < 0 or not base then return 0 end
redis.call('HINCRBY', KEYS[2], 'vanished', missing)
return missing
"""


@dataclass(frozen=True, slots=True)
class Account:
    """A stream's totals since its account began: entries acknowledged, and entries that vanished before that."""

    acknowledged: int = 0
    vanished: int = 0


def create_group(redis: Redis, group: str, stream: str) -> None:
    """Make the group from the first entry on, and open its account. Raises Redis' BUSYGROUP where the group exists."""
    redis.register_script(_CREATE_GROUP)(keys=[stream, account(stream)], args=[group])


def acknowledge(redis: Redis, group: str, entry_ids: Mapping[str, Sequence[str]]) -> None:
    """Take these entries off their streams' pending lists and count those that were there, in one round trip."""
    if entry_ids:
        keys = [key for stream in entry_ids for key in (stream, account(stream))]
        counts = [len(ids) for ids in entry_ids.values()]
        ids = [entry_id for ids in entry_ids.values() for entry_id in ids]
        redis.register_script(_ACKNOWLEDGE)(keys=keys, args=["XACK", group, *counts, *ids])


def balance(redis: Redis, group: str, streams: Iterable[str]) -> dict[str, int]:
    """How many entries of each stream were found to have vanished since the last call by anyone; only where any did."""
    script = redis.register_script(_BALANCE)
    found = {stream: script(keys=[stream, account(stream)], args=[group]) for stream in streams}
    return {stream: vanished for stream, vanished in found.items() if vanished}


def read_accounts(redis: Redis, streams: Sequence[str]) -> dict[str, Account]:
    """Each stream's totals, in one round trip."""
    pipeline = redis.pipeline(transaction=False)
    for stream in streams:
        pipeline.hmget(account(stream), "acknowledged", "vanished")
    answers: list[Any] = pipeline.execute()
    return {
        stream: Account(*(int(value or 0) for value in answer)) for stream, answer in zip(streams, answers, strict=True)
    }
