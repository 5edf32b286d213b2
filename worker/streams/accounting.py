"""Hold the entries acknowledged against the entries added: what is neither acknowledged, pending nor unread vanished.

A publisher's MAXLEN, XDEL, XTRIM or XGROUP SETID can take entries that nobody recorded, and the lag says 0 afterwards.
Every acknowledgment is counted in the script that makes it, and the group's beginning in the one that creates it, so
crashes, redelivery and our own trimming never look like a loss. The same script writes down what the consumer had
committed by then: PostgreSQL must know of it ever after (`worker/failover/lost_commits.py`). Each script writes to the
stream first: from then on a full Redis refuses it nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from worker.contract.committed import Committed
from worker.streams.connection import Redis, answers
from worker.streams.keys import account, commits

# A group made again is given once more whatever the stream still holds. An account from before tells that case from a
# group that is the stream's first, which has to answer for every entry ever added.
_CREATE_GROUP = """
local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
if made.err then return made end
local base = 0
if redis.call('TYPE', KEYS[2]).ok == 'hash' then
  local info = redis.call('XINFO', 'STREAM', KEYS[1])
  for i = 1, #info, 2 do
    if info[i] == 'entries-added' then base = base + info[i + 1] end
    if info[i] == 'length' then base = base - info[i + 1] end
  end
  base = base - (tonumber(redis.call('HGET', KEYS[2], 'acknowledged')) or 0)
end
redis.pcall('HSET', KEYS[2], 'base', base)
return made
"""

# KEYS: each stream, its account and its commits. ARGV: XACK, said by the caller so that it is seen on the wire; the
# group; the consumer; for each stream how many ids are its, and what is committed or nothing; the ids. Lua passes fewer
# than 8,000 values at once.
_ACKNOWLEDGE = """
local streams = #KEYS / 3
local at = 3 + 2 * streams
for number = 1, streams do
  local stream, account, commits = unpack(KEYS, 3 * number - 2, 3 * number)
  local count, committed = unpack(ARGV, 2 + 2 * number, 3 + 2 * number)
  local last, acknowledged = at + count, 0
  while at < last do
    local to = math.min(at + 4000, last)
    acknowledged = acknowledged + redis.call(ARGV[1], stream, ARGV[2], unpack(ARGV, at + 1, to))
    at = to
  end
  if acknowledged > 0 then redis.pcall('HINCRBY', account, 'acknowledged', acknowledged) end
  if committed ~= '' then redis.pcall('HSET', commits, ARGV[3], committed) end
end
"""

# An entry that is pending again will be acknowledged once more.
_MAKE_PENDING = """
local gone, made = {}, 0
for at = 3, #ARGV do
  if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[at], ARGV[at], 1) == 0 then
    local claimed = redis.call(
      'XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[at], 'IDLE', 86400000, 'RETRYCOUNT', 1, 'FORCE', 'JUSTID')
    made = made + #claimed
    if #claimed == 0 then gone[#gone + 1] = ARGV[at] end
  end
end
if made > 0 and redis.pcall('HEXISTS', KEYS[2], 'base') == 1 then redis.pcall('HINCRBY', KEYS[2], 'base', -made) end
return gone
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
local known = redis.pcall('HMGET', KEYS[2], 'base', 'acknowledged')
if known.err then return 0 end
local base, acknowledged = tonumber(known[1]), tonumber(known[2]) or 0
local unread = #redis.call('XRANGE', KEYS[1], '(' .. field(group, 'last-delivered-id'), '+', 'COUNT', 1) > 0
local max_unread = unread and redis.call('XLEN', KEYS[1]) or 0
local added = field(redis.call('XINFO', 'STREAM', KEYS[1]), 'entries-added')
local missing = added - (base or 0) - acknowledged - field(group, 'pending') - max_unread
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


def acknowledge(
    redis: Redis,
    group: str,
    entry_ids: Mapping[str, Sequence[str]],
    consumer: str,
    committed: Mapping[str, Committed],
) -> None:
    """Take these entries off their streams' pending lists and count those that were there, in one round trip.

    `committed` is what the consumer has committed of each stream, which is written down with it.
    """
    if entry_ids:
        keys = [key for stream in entry_ids for key in (stream, account(stream), commits(stream))]
        heads = [each for name, ids in entry_ids.items() for each in (len(ids), str(committed.get(name, "")))]
        ids = [entry_id for ids in entry_ids.values() for entry_id in ids]
        redis.register_script(_ACKNOWLEDGE)(keys=keys, args=["XACK", group, consumer, *heads, *ids])


def make_pending(redis: Redis, group: str, consumer: str, stream: str, entry_ids: Sequence[str]) -> set[str]:
    """Have anyone take these acknowledged entries over as if they never had been; those that are trimmed already.

    What is pending stays with its consumer. Idempotent.
    """
    script = redis.register_script(_MAKE_PENDING)
    gone = script(keys=[stream, account(stream)], args=[group, consumer, *entry_ids])
    return {entry_id.decode() for entry_id in gone}


def balance(redis: Redis, group: str, streams: Iterable[str]) -> dict[str, int]:
    """How many entries of each stream were found to have vanished since the last call by anyone; only where any did."""
    script = redis.register_script(_BALANCE)
    found = {stream: script(keys=[stream, account(stream)], args=[group]) for stream in streams}
    return {stream: vanished for stream, vanished in found.items() if vanished}


def read_accounts(redis: Redis, streams: Sequence[str]) -> dict[str, Account]:
    """Each stream's totals, in one round trip; none where the account's key has another type."""
    pipeline = redis.pipeline(transaction=False)
    for stream in streams:
        pipeline.hmget(account(stream), "acknowledged", "vanished")
    return {
        stream: Account(*(int(value or 0) for value in answer or ()))
        for stream, answer in zip(streams, answers(pipeline), strict=True)
    }
