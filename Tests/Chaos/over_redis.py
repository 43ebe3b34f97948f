"""Rounds in which Redis is the bus between the hubs. Redis and the nodes' links to it fail like everything else.

When the faults are over, all nodes must be back on the bus, and what they promise of it holds (bus_checks.py). Then
Redis is stopped for good: messages still reach all nodes, and no client is closed.
"""

import asyncio

from bus_checks import BACK_SECONDS, PROMPT_SECONDS, SHARED_PRESENCE_SECONDS, first_acks, rosters
from cluster import LAST_PAUSE_SECONDS, ClusterRound
from cluster_checks import NEWS_SECONDS
from direct_checks import DIRECT_SECONDS
from failover import FailoverRound
from moderation import Subject
from nodes import Node
from record import Bus, Delivered, Record, Trouble, is_direct
from redis_faults import RedisFaults, plan
from redis_servers import OneRedis, WatchedRedis
from rounds import FAULTS_SECONDS_MAX, SETTLE_SECONDS_MAX
from versions import SHARED_PRESENCE, SHARED_RECEIPTS
from waiting import until, within

PREFIXES = ["gohub", "chaos"]
GUEST = "guest"  # who is kicked
AWAY_SECONDS = (0.0, 2.0)  # after Redis is stopped for good, until the last messages


class RedisNode(Node):
    """A hub with links of its own to Redis. One that can't use Redis isn't told of it."""

    def __init__(self, bus, key, *arguments):
        super().__init__(*arguments)
        self.links = bus.links()
        self.bus = bus
        self.key = key

    async def begin(self, schema):
        await self.links.start()
        # The URL has a password, which the hub doesn't take from a command line.
        redis = self.secret("redis", self.bus.url(self.links))
        self.bus_settings = {"cluster.redisFile": redis, "cluster.prefix": self.bus.prefix}
        if self.key:
            self.bus_settings["cluster.keyFile"] = self.secret("key", self.key)
        await super().begin(schema)

    def secret(self, name, text):
        file = self.folder / name
        file.write_text(text)
        file.chmod(0o600)
        return file

    def program(self):
        program = super().program()
        for name, value in self.bus_settings.items():
            self.settings.pop(name, None)
            if self.version.has_redis:
                self.settings[name] = value
        return program


class OverRedis:
    """Adds the bus to a round with several hubs."""

    is_watched = False
    PRESENCE_SECONDS = SHARED_PRESENCE_SECONDS

    def __init__(self, options, store, number):
        self.bus = None
        self.removed = []  # nodes
        super().__init__(options, store, number)
        cluster = self.record.cluster
        cluster.bus, cluster.promises = Bus(), self.rollout.promises
        # Frames with a MAC, or without.
        self.key = f"{self.rng.getrandbits(256):064x}" if self.rng.random() < 0.5 else None
        self.prefix = self.rng.choice(PREFIXES)
        self.away = []  # how late messages came to other nodes without Redis
        self.back_seconds = None
        self.promises_presence = SHARED_PRESENCE in cluster.promises
        if not self.promises_presence:
            self.PRESENCE_SECONDS = ClusterRound.PRESENCE_SECONDS
        self.has_shared_receipts = SHARED_RECEIPTS in cluster.promises

    def seed(self, options):
        return f"{super().seed(options)} over redis"

    def draw_plan(self):
        found = super().draw_plan()
        if self.rng.random() < 0.3:  # Redis alone fails
            found = []
        return sorted(found + plan(self.rng, self.count, self.load_seconds, self.is_watched))

    @property
    def has_redis(self):
        """Whether all hubs use it."""
        return all(version.has_redis for version in (self.rollout.this, self.rollout.other) if version)

    def line(self, seconds):
        back = ""
        if self.back_seconds is not None:
            back = f", all nodes on the bus {self.back_seconds:.1f} s after the last fault"
        return super().line(seconds) + (
            f"; {'watched' if self.is_watched else 'one'} Redis{'' if self.has_redis else ' that no hub uses'}{back}, "
            f"without it {self.shown(self.away)}"
        )

    def late(self, is_direct):
        return self.shown(self.lateness[is_direct])

    @staticmethod
    def shown(times):
        late = sorted(times)
        times = f" (half in {1000 * late[len(late) // 2]:.1f} ms, all in {1000 * late[-1]:.0f} ms)" if late else ""
        return f"{len(late)} messages{times}"

    # Phases

    async def start(self):
        self.bus = (WatchedRedis if self.is_watched else OneRedis)(self.folder / "bus", self.prefix)
        await self.bus.start()
        await super().start()
        self.guests = [
            Subject(GUEST, node, self.nodes, self.rooms[0], self.generator(), self.record) for node in self.nodes
        ]
        self.suspects += self.guests

    def make_node(self, number):
        return RedisNode(
            self.bus, self.key, number, self.rollout, self.folder, self.postgres, self.settings, self.record
        )

    def faults(self, node):
        return RedisFaults(node, self.postgres, self.clients, self.rng, self.bus, self.nodes)

    async def settle(self):
        cluster = self.record.cluster
        cluster.calm = Record.now()
        if self.has_redis:
            await self.be_back()
        await super().settle()
        if self.is_quiescent:
            await self.go_without()

    async def be_back(self):
        """Waits until all nodes are on the bus. They hear everything on one channel."""
        async def are_all_there():
            return await self.bus.listeners() == len(self.nodes)

        cluster = self.record.cluster
        if await until(are_all_there, BACK_SECONDS):
            cluster.bus.up = Record.now()
            self.back_seconds = cluster.bus.up - cluster.calm
        else:
            self.record.complain(
                f"{await self.bus.listeners()} of {len(self.nodes)} nodes are on the bus {BACK_SECONDS:g} s after the "
                "last fault"
            )

    async def sanction(self):
        await self.kick()
        await super().sanction()

    async def kick(self):
        """The guest is in the room on each node, and is kicked on one of them."""
        def are_in():
            return all(guest.stay for guest in self.guests)

        if not await until(are_in, SETTLE_SECONDS_MAX):
            return self.record.complain("the guest isn't in the room on all nodes")
        self.moderator.settle_at(self.rng.choice(self.nodes))
        await until(self.moderator.is_in_all, SETTLE_SECONDS_MAX)
        self.record.cluster.bus.kicks.append(
            await within(SETTLE_SECONDS_MAX, self.moderator.kick(self.rooms[0], GUEST))
        )
        await asyncio.sleep(PROMPT_SECONDS + 0.2)

    async def rest(self):
        await super().rest()
        if not self.is_quiescent:
            return
        for publisher in self.publishers:
            publisher.say_aside(self.rng.choice(self.rooms))
        await asyncio.sleep(PROMPT_SECONDS)
        await until(self.have_told_who, self.PRESENCE_SECONDS, pause=0.5)

    async def have_told_who(self):
        """Asks all nodes who is in the rooms. Returns whether the answers are as they must be."""
        self.record.cluster.bus.rosters.clear()
        asking = [client for client in self.clients if client.socket is not None]
        for client in asking:
            for room in self.rooms:
                client.ask({"op": "who", "room": room})
        await until(lambda: not any(client.waiting for client in asking), SETTLE_SECONDS_MAX)
        return not self.promises_presence or not any(rosters(self.record))

    async def go_without(self):
        """Stops Redis for good, and sends some last messages once more."""
        self.record.cluster.bus.off = Record.now()
        await self.bus.stop()
        await asyncio.sleep(self.rng.uniform(*AWAY_SECONDS))
        sent = set()
        for publisher in self.publishers:
            sent.add(publisher.say_last(self.rng.choice(publisher.rooms)))
            await asyncio.sleep(self.rng.uniform(*LAST_PAUSE_SECONDS))
        if not await self.acknowledged():
            return
        heads, followers = await self.heads(), [*self.clients, *self.listeners]

        def have_all():
            return all(
                client.positions.get(room) == heads.get(room)
                for client in followers for room in client.rooms
                if self.rollout.has_direct_news or not is_direct(room)
            )

        await until(have_all, max(NEWS_SECONDS, DIRECT_SECONDS))  # the checker finds who hasn't
        self.away = list(self.times_of(sent))

    def times_of(self, sent):
        """How late these messages came to clients on other nodes."""
        acked = {
            (ack.room, ack.offset): (ack.time, ack.node) for ack in first_acks(self.record)
            if (ack.room, ack.user, ack.id) in sent
        }
        places = {client.name: client.node for client in [*self.clients, *self.listeners]}
        for (client, room), events in self.record.views.items():
            for event in events:
                if isinstance(event, Delivered) and (room, event.message.offset) in acked:
                    time, node = acked[room, event.message.offset]
                    if places.get(client) not in (None, node):
                        yield max(0.0, event.time - time)

    async def read(self):
        if self.rng.random() < 0.5:  # otherwise the hub starts without it
            for server in self.bus.programs:
                await server.start()
        await super().read()

    async def end_processes(self):
        await super().end_processes()
        for node in [*self.nodes, *self.removed]:
            await node.kill()
            await node.links.stop()
            await node.proxy.stop()
        if self.bus is not None:
            await self.bus.quit()


class LinkRound(OverRedis, ClusterRound):
    """One Redis."""


class SentinelRound(OverRedis, ClusterRound):
    """A primary and a replica with Sentinels. A failover takes some seconds."""

    is_watched = True
    LOAD_SECONDS = (7.0, 10.0)
    FAULTS_SECONDS = 2 * FAULTS_SECONDS_MAX


class ScalingRound(OverRedis, ClusterRound):
    """One Redis. There is a node less in the beginning, and again in the end."""

    LOAD_SECONDS = (7.0, 9.0)

    def draw_plan(self):
        self.count -= 1  # the faults are those of the others
        try:
            found = super().draw_plan()
        finally:
            self.count += 1
        self.times = [self.rng.uniform(0.15, 0.35) * self.load_seconds for _ in range(2)]
        return found

    def line(self, seconds):
        first, second = self.times
        more, fewer = self.count + len(self.removed), self.count + len(self.removed) - 1
        return super().line(seconds) + f"; from {fewer} to {more} hubs at {first:.1f}, and back at {first + second:.1f}"

    async def start(self):
        await super().start()
        await self.nodes[-1].drain()

    def happening(self):
        return [*super().happening(), self.scale()]

    async def scale(self):
        node = self.nodes[-1]
        for seconds, change in zip(self.times, (node.start, node.drain)):
            await asyncio.sleep(seconds)
            await change()

    async def settle(self):
        """The node stays away."""
        node = self.nodes.pop()
        self.removed.append(node)
        self.record.cluster.troubles.append(Trouble(node.number, node.down_since, Record.now()))
        self.count = self.record.cluster.nodes = len(self.nodes)
        self.suspects = [each for each in self.suspects if each.home is not node]
        self.guests = [each for each in self.guests if each.home is not node]
        names = [publisher.name for publisher in self.publishers]
        for listener in self.listeners:
            listener.place = self.nodes[(names.index(listener.user) + 1) % self.count]
        await super().settle()


class RedisFailoverRound(OverRedis, FailoverRound):
    """PostgreSQL fails over, and Redis fails as well."""


def round_kind(number, is_rollout):
    """By the number of a round. A rollout replaces the hubs itself."""
    kinds = [LinkRound, SentinelRound, LinkRound if is_rollout else ScalingRound, SentinelRound, RedisFailoverRound]
    return kinds[(number - 1) % len(kinds)]
