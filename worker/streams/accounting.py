"""Compare the entries acknowledged with the entries added: an entry neither acknowledged, pending nor unread vanished.

A publisher's MAXLEN, XDEL, XTRIM or XGROUP SETID can remove unrecorded entries, and the lag is 0 afterwards. The script
that acknowledges also counts, and the script that creates the group records where it begins, so crashes, redelivery and
our own trimming never look like a loss. With each acknowledgment the script stores the consumer's commit mark, which
PostgreSQL must match from then on (`worker/failover/lost_commits.py`). Each script writes to the stream first, after
which a full Redis refuses no further write of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from worker.contract.committed import Committed
from worker.streams.connection import Redis, answers
from worker.streams.keys import account, commits

# A group created again gets everything that the stream still holds once more; the account of the earlier group shows
# that case. The first group of a stream is accountable for every entry ever added.
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

# KEYS: each stream, its account and its commits. ARGV: XACK, passed so that it is visible on the wire; the group; the
# consumer; for each stream its number of ids and its commit mark, or an empty one; the ids. Lua can pass fewer than
# 8,000 values at once.
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

# An entry that is pending again will be acknowledged again.
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

# Exact once nothing is unread; before that a lower bound, because at most the stream's length is unread. Without a base
# (a group created by an older version) the first call with nothing unread starts the account.
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
    """A stream's totals since its account began: entries acknowledged, and entries that vanished unacknowledged."""

    acknowledged: int = 0
    vanished: int = 0


def create_group(redis: Redis, group: str, stream: str) -> None:
    """Create the group at the first entry, and open its account. Raises Redis's BUSYGROUP if the group exists."""
    redis.register_script(_CREATE_GROUP)(keys=[stream, account(stream)], args=[group])


def acknowledge(
    redis: Redis,
    group: str,
    entry_ids: Mapping[str, Sequence[str]],
    consumer: str,
    committed: Mapping[str, Committed],
) -> None:
    """Remove these entries from the pending lists and count those that were there, in one round trip.

    `committed` has the consumer's commit mark of each stream, stored by the same script.
    """
    if entry_ids:
        keys = [key for stream in entry_ids for key in (stream, account(stream), commits(stream))]
        heads = [each for name, ids in entry_ids.items() for each in (len(ids), str(committed.get(name, "")))]
        ids = [entry_id for ids in entry_ids.values() for entry_id in ids]
        redis.register_script(_ACKNOWLEDGE)(keys=keys, args=["XACK", group, consumer, *heads, *ids])


def make_pending(redis: Redis, group: str, consumer: str, stream: str, entry_ids: Sequence[str]) -> set[str]:
    """Make these acknowledged entries pending again, to be reclaimed; return those that are already trimmed.

    Entries that are pending stay with their consumer. Idempotent.
    """
    script = redis.register_script(_MAKE_PENDING)
    gone = script(keys=[stream, account(stream)], args=[group, consumer, *entry_ids])
    return {entry_id.decode() for entry_id in gone}


def balance(redis: Redis, group: str, streams: Iterable[str]) -> dict[str, int]:
    """Return how many entries vanished per stream since the last call by any process; streams with none are left out.

    Adds them to the accounts.
    """
    script = redis.register_script(_BALANCE)
    found = {stream: script(keys=[stream, account(stream)], args=[group]) for stream in streams}
    return {stream: vanished for stream, vanished in found.items() if vanished}


def read_accounts(redis: Redis, streams: Sequence[str]) -> dict[str, Account]:
    """Read each stream's totals, in one round trip; zeros where the account's key has another type."""
    pipeline = redis.pipeline(transaction=False)
    for stream in streams:
        pipeline.hmget(account(stream), "acknowledged", "vanished")
    return {
        stream: Account(*(int(value or 0) for value in answer or ()))
        for stream, answer in zip(streams, answers(pipeline), strict=True)
    }
