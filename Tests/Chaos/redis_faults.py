"""The faults of Redis, its Sentinels and the nodes' links to them: drawn from the round's random numbers as all faults
are, then injected."""

import asyncio
import contextlib

import faults
import resp
from record import Record, Trouble
from redis_servers import HUB_USER, NAME, READY_SECONDS
from waiting import together, until

# Each with its weight. Faults of a node's own link:
OF_NODE = {"cut bus": 2, "stall bus": 2, "deafen bus": 2, "mute bus": 2, "slow bus": 2}
# Of a server:
OF_SERVER = {
    "kill redis": 3,
    "freeze redis": 2,
    "flush redis": 1,
    "kill subscribers": 2,
    "pause redis": 2,
    "overflow redis": 2,
    "deny redis": 2,
}
# Of a primary that Sentinels watch, once or twice in a round, as each takes some seconds:
OF_PRIMARY = {"lose primary": 3, "fail over": 2, "part primary": 3, "detach primary": 2}
OF_SENTINELS = {"kill sentinel": 2}
OF_SENTINEL_LINKS = {"cut sentinels": 2}
LONG = {
    "stall bus", "deafen bus", "mute bus", "slow bus", "freeze redis", "pause redis", "overflow redis", "deny redis",
}

FAILOVER_SECONDS = 20.0
SMALL_BUFFER = "pubsub 1 1 1"  # bytes; what fits into the 16 KiB that each connection has anyway doesn't count
USUAL_BUFFER = "pubsub 33554432 8388608 60"
FLOOD_BYTES = 200_000


def plan(rng, nodes, load_seconds, is_watched):
    """The faults of a round, by time. The first one is always one that no connection survives."""
    weights = OF_NODE | OF_SERVER | (OF_SENTINELS | OF_SENTINEL_LINKS if is_watched else {})
    kinds = ["kill redis"]
    if is_watched:
        kinds = rng.choices(list(OF_PRIMARY), list(OF_PRIMARY.values()), k=rng.choice([1, 1, 1, 2]))
    kinds += rng.choices(list(weights), list(weights.values()), k=rng.randint(2, 5))
    found = []
    for kind in kinds:
        seconds = rng.uniform(0.2, 2.5 if kind in LONG else 0.8)
        node = rng.randint(1, nodes) if kind in OF_NODE or kind in OF_SENTINEL_LINKS else 0
        found.append(faults.Fault(rng.uniform(0.3, load_seconds - 0.3), kind, seconds, rng.random(), node))
    return sorted(found)


class RedisFaults(faults.Faults):
    """Also injects faults into Redis and into one node's links to it."""

    def __init__(self, node, postgres, clients, rng, bus, nodes):
        super().__init__(node, None, postgres, node.proxy, clients, rng)
        self.bus = bus
        self.nodes = nodes
        self.record = node.record

    @contextlib.contextmanager
    def trouble(self, node=0):
        """The time in which a node, or all of them, may be without the bus."""
        began = Record.now()
        try:
            yield
        finally:
            self.record.cluster.bus.troubles.append(Trouble(node, began, Record.now()))

    async def primary(self):
        """The present one, or any server if the Sentinels are about to choose."""
        try:
            return await self.bus.primary()
        except OSError:
            return self.bus.servers[0]

    async def try_to_ask(self, server, *words):
        """A server that is away just now needs no further fault."""
        with contextlib.suppress(OSError, TimeoutError, resp.Refused):
            return await server.ask(*words)

    # One node's links

    async def happen_to_links(self, what, *arguments):
        with self.trouble(self.hub.number):
            async with self.hub.links.lock:
                await together(*(getattr(proxy, what)(*arguments) for proxy in self.hub.links.proxies))

    async def cut_bus(self, fault):
        await self.happen_to_links("cut", fault.seconds)

    async def stall_bus(self, fault):
        await self.happen_to_links("stall", fault.seconds)

    async def deafen_bus(self, fault):
        """The node publishes, and hears nothing."""
        await self.happen_to_links("deafen", fault.seconds)

    async def mute_bus(self, fault):
        """The node hears the others, and publishes nothing."""
        await self.happen_to_links("mute", fault.seconds)

    async def slow_bus(self, fault):
        await self.happen_to_links("slow", fault.seconds, 0.002 + 0.02 * fault.share)

    async def cut_sentinels(self, fault):
        """The node keeps its primary."""
        await together(*(proxy.cut(fault.seconds) for proxy in self.hub.links.to_sentinels))

    # A server

    async def kill_redis(self, fault):
        async with self.bus.lock:
            server = await self.primary()
            async with server.lock:
                with self.trouble():
                    await server.kill()
                    await asyncio.sleep(fault.seconds)
                    await server.start()

    async def freeze_redis(self, fault):
        server = await self.primary()
        async with server.lock:
            with self.trouble():
                await server.freeze(fault.seconds)

    async def flush_redis(self, fault):
        """Harms nothing, as there is nothing in it."""
        await self.try_to_ask(await self.primary(), "FLUSHALL")

    async def kill_subscribers(self, fault):
        with self.trouble():
            await self.try_to_ask(await self.primary(), "CLIENT", "KILL", "TYPE", "pubsub")

    async def pause_redis(self, fault):
        """The server takes everything, and answers later."""
        with self.trouble():
            await self.try_to_ask(await self.primary(), "CLIENT", "PAUSE", round(fault.seconds * 1000), "ALL")
            await asyncio.sleep(fault.seconds)

    async def overflow_redis(self, fault):
        """The server closes a subscriber for which it holds more than it may. What makes it hold so much is a message
        that is no frame of a node."""
        server = await self.primary()
        async with server.lock:
            with self.trouble():
                try:
                    await self.try_to_ask(server, "CONFIG", "SET", "client-output-buffer-limit", SMALL_BUFFER)
                    await self.try_to_ask(server, "PUBLISH", f"{self.bus.prefix}.all", "x" * FLOOD_BYTES)
                    await asyncio.sleep(fault.seconds)
                finally:
                    await self.try_to_ask(server, "CONFIG", "SET", "client-output-buffer-limit", USUAL_BUFFER)

    async def deny_redis(self, fault):
        """The hubs' user loses its channels: the server closes its subscribers, and refuses everything (NOPERM)."""
        with self.trouble():
            async with contextlib.AsyncExitStack() as stack:
                for server in self.bus.servers:
                    await stack.enter_async_context(server.lock)
                try:
                    for server in self.bus.servers:
                        await self.try_to_ask(server, "ACL", "SETUSER", HUB_USER, "resetchannels")
                    await asyncio.sleep(fault.seconds)
                finally:
                    for server in self.bus.servers:
                        await self.try_to_ask(server, "ACL", "SETUSER", HUB_USER, f"&{self.bus.prefix}.*")

    # A primary that Sentinels watch

    @contextlib.asynccontextmanager
    async def failover(self):
        """The primary and the replica, as soon as there are both."""
        async with self.bus.lock:
            await until(self.bus.is_ready, READY_SECONDS)
            primary = await self.primary()
            replica = next(server for server in self.bus.servers if server is not primary)
            async with primary.lock, replica.lock:
                with self.trouble():
                    yield primary, replica

    async def is_replaced_by(self, server):
        if not await until(lambda: self.bus.is_primary(server), FAILOVER_SECONDS):
            self.record.complain(f"the Sentinels name no new primary in {FAILOVER_SECONDS:g} s")

    async def lose_primary(self, fault):
        """It is killed, and back when there is another one. What it hadn't replicated is lost."""
        async with self.failover() as (primary, replica):
            await primary.kill()
            await self.is_replaced_by(replica)
            await asyncio.sleep(fault.seconds)
            await primary.start()
            if fault.share < 0.5:  # otherwise it answers as a primary for some seconds, until a Sentinel tells it
                await primary.ask("REPLICAOF", "127.0.0.1", self.bus.inner_port(replica))

    async def fail_over(self, fault):
        async with self.failover() as (_, replica):
            await self.try_to_ask(self.rng.choice(self.bus.sentinels), "SENTINEL", "FAILOVER", NAME)
            await self.is_replaced_by(replica)

    async def part_primary(self, fault):
        """Sentinels and replica lose it, and promote the replica. It still answers all nodes, one of which may not
        reach the Sentinels. In the end it is told that it is a replica."""
        async with self.failover() as (primary, replica):
            inner = self.bus.inner[self.bus.servers.index(primary)]
            lonely = self.rng.choice(self.nodes).links.to_sentinels if fault.share < 0.5 else ()
            try:
                for proxy in (inner, *lonely):
                    await proxy.cut_off()
                await self.is_replaced_by(replica)
                await asyncio.sleep(1 + fault.seconds)
            finally:
                for proxy in (inner, *lonely):
                    proxy.is_cut = False

    async def detach_primary(self, fault):
        """The replica is the primary of the Sentinels from now on, and nobody tells the nodes or the old one, which
        still answers as a primary."""
        async with self.failover() as (primary, replica):
            await replica.ask("REPLICAOF", "NO", "ONE")
            await self.bus.watch_anew(replica)
            await asyncio.sleep(1 + fault.seconds)
            await primary.ask("REPLICAOF", "127.0.0.1", self.bus.inner_port(replica))

    async def kill_sentinel(self, fault):
        sentinel = self.rng.choice(self.bus.sentinels)
        async with sentinel.lock:
            await sentinel.kill()
            await asyncio.sleep(fault.seconds)
            await sentinel.start()
