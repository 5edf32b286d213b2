"""What vanished is counted exactly, whatever readers, publishers and strangers do, and is never more than that."""

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from worker.contract.entry import GROUP, Entry
from worker.embedded.state import Servers
from worker.settings import Settings
from worker.streams import accounting, connection, read, trim
from worker.streams.connection import Redis
from worker.streams.keys import account

READS = ["publish", "read", "acknowledge"]
OTHERS = ["acknowledge_again", "reclaim", "recover", "publish_with_maxlen", "delete", "trim_to", "maintain"]
MOVES = st.tuples(st.sampled_from([*READS * 3, *OTHERS * 2, "forget_group", "flush"]), st.integers(0, 6))


@dataclass
class World:
    """A stream, and what becomes of its entries: unread, pending (with or without its bytes), acknowledged."""

    redis: Redis
    stream: str
    unread: list[str] = field(default_factory=list)
    pending: dict[str, Entry] = field(default_factory=dict)
    acknowledged: list[Entry] = field(default_factory=list)
    lost: int = 0

    def publish(self, count: int) -> None:
        self.unread += [self._add() for _ in range(count)]

    def publish_with_maxlen(self, most: int) -> None:
        self.unread.append(self._add(maxlen=most))
        self._notice_deleted()

    def _add(self, **options: Any) -> str:
        added: Any = self.redis.xadd(self.stream, {"event": "x"}, approximate=False, **options)
        return str(added, "ascii")

    def read(self, count: int) -> None:
        for entry in read.read_new(self.redis, GROUP, "one", [self.stream], 1 + count, None):
            self.unread.remove(entry.id)
            self.pending[entry.id] = entry

    def acknowledge(self, count: int) -> None:
        done = [self.pending.pop(each) for each in list(self.pending)[:count]]
        read.acknowledge(self.redis, GROUP, done)
        self.acknowledged += done

    def acknowledge_again(self, count: int) -> None:
        read.acknowledge(self.redis, GROUP, [each for each in self.acknowledged if each.id not in self.pending][:count])

    def reclaim(self, _: int) -> None:
        read.reclaim(self.redis, GROUP, "one", self.stream, 0, "0-0", 1_000)
        self._let_go()

    def recover(self, _: int) -> None:
        read.read_pending(self.redis, GROUP, "one", {self.stream: "0"}, 1_000)
        self._let_go()

    def delete(self, number: int) -> None:
        present = self._present()
        self.redis.xdel(self.stream, *present[number : number + 1] or ["1-1"])
        self._notice_deleted()

    def trim_to(self, most: int) -> None:
        self.redis.xtrim(self.stream, maxlen=most, approximate=False)
        self._notice_deleted()

    def maintain(self, _: int) -> None:
        trim.trim(self.redis, [self.stream], 0)
        accounting.balance(self.redis, GROUP, [self.stream])
        told = accounting.read_accounts(self.redis, [self.stream])[self.stream].vanished
        assert told <= self.lost
        if not self.unread:
            assert told == self.lost

    def forget_group(self, _: int) -> None:
        """What vanished and was not told yet is forgotten with it."""
        self.maintain(0)
        self.redis.xgroup_destroy(self.stream, GROUP)
        read.create_groups(self.redis, GROUP, [self.stream])
        self.pending.clear()
        self.unread = self._present()
        self.lost = accounting.read_accounts(self.redis, [self.stream])[self.stream].vanished

    def flush(self, _: int) -> None:
        self.redis.delete(self.stream, account(self.stream))
        read.create_groups(self.redis, GROUP, [self.stream])
        self.unread, self.pending, self.acknowledged, self.lost = [], {}, [], 0

    def _present(self) -> list[str]:
        found: Any = self.redis.xrange(self.stream)
        return [entry_id.decode() for entry_id, _ in found]

    def _notice_deleted(self) -> None:
        present = set(self._present())
        self.lost += sum(each not in present for each in self.unread)
        self.unread = [each for each in self.unread if each in present]

    def _let_go(self) -> None:
        """Who takes over, or reads again, what is pending has no bytes of what was deleted meanwhile."""
        present = set(self._present())
        gone = [each for each in self.pending if each not in present]
        self.lost += len(gone)
        for each in gone:
            del self.pending[each]


@given(st.booleans(), st.lists(MOVES, min_size=20, max_size=60))
def test_what_vanished_is_counted_and_nothing_else(
    servers: Servers, published_first: bool, moves: list[tuple[str, int]]
) -> None:
    redis = connection.connect(Settings(redis_url=servers.redis_url))
    stream = f"test-{uuid4().hex}"
    world = World(redis, stream)
    try:
        if published_first:
            world.publish(5)
            world.publish_with_maxlen(3)
        read.create_groups(redis, GROUP, [stream])
        for name, number in moves:
            getattr(world, name)(number)
        world.read(1_000)
        world.maintain(0)
    finally:
        redis.delete(stream, account(stream))
        redis.close()


def test_a_group_without_an_account_starts_one_and_tells_nothing(servers: Servers) -> None:
    """As an older version leaves it."""
    redis = connection.connect(Settings(redis_url=servers.redis_url))
    world = World(redis, f"test-{uuid4().hex}")
    try:
        world.publish(9)
        redis.xgroup_create(world.stream, GROUP, id="0")
        world.read(6)
        redis.xack(world.stream, GROUP, *list(world.pending)[:3])
        world.pending = dict(list(world.pending.items())[3:])
        for _ in range(2):
            world.maintain(0)
            world.acknowledge(2)
            world.read(3)
        world.maintain(0)
        world.publish(4)
        world.trim_to(1)
        world.read(4)
        world.maintain(0)
        assert world.lost == 3
    finally:
        redis.delete(world.stream, account(world.stream))
        redis.close()


def test_a_group_set_back_by_hand_is_no_loss_and_hides_none_for_long(servers: Servers) -> None:
    redis = connection.connect(Settings(redis_url=servers.redis_url))
    world = World(redis, f"test-{uuid4().hex}")
    try:
        read.create_groups(redis, GROUP, [world.stream])
        world.publish(6)
        world.read(6)
        world.acknowledge(6)
        redis.xgroup_setid(world.stream, GROUP, "0")
        read.acknowledge(redis, GROUP, read.read_new(redis, GROUP, "one", [world.stream], 10, None))
        world.maintain(0)
        world.publish(3)
        world.trim_to(1)
        assert accounting.balance(redis, GROUP, [world.stream]) == {world.stream: 2}
        assert accounting.balance(redis, GROUP, [world.stream]) == {}
    finally:
        redis.delete(world.stream, account(world.stream))
        redis.close()


def test_a_loss_is_told_while_a_backlog_is_left(servers: Servers) -> None:
    """A publisher whose MAXLEN is below what always waits: nobody ever sees the end of the backlog."""
    redis = connection.connect(Settings(redis_url=servers.redis_url))
    world = World(redis, f"test-{uuid4().hex}")
    try:
        read.create_groups(redis, GROUP, [world.stream])
        for _ in range(10):
            world.publish_with_maxlen(4)
        assert accounting.balance(redis, GROUP, [world.stream]) == {world.stream: 6}
        world.read(2)
        world.acknowledge(3)
        world.publish_with_maxlen(4)
        world.publish_with_maxlen(4)
        assert (world.lost, len(world.unread)) == (6, 3)
        world.maintain(0)
        world.publish_with_maxlen(1)
        assert accounting.balance(redis, GROUP, [world.stream]) == {world.stream: 3}
    finally:
        redis.delete(world.stream, account(world.stream))
        redis.close()
