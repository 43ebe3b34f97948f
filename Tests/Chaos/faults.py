"""The faults of a round and their times: drawn from the round's random numbers, then injected.

The seed determines the plan, but not what is in progress when a fault happens. The same seed reproduces a violation
often, but not always.
"""

import asyncio
from typing import NamedTuple

from waiting import together

# Each with its weight. Faults may overlap, unless they end the same process.
EVERYWHERE = {"kill hub": 4, "drain hub": 1, "freeze hub": 1, "cut clients": 3}
OF_STORE = {
    "sqlite": {"fill disk": 3, "bound file": 1},
    "postgres": {
        "kill postgres": 3,
        "quit postgres": 1,
        "cut link": 2,
        "stall link": 3,
        "deafen link": 3,
        "slow link": 2,
        "fill server": 4,
    },
}
OF_DISK = {"fill server"}  # needs a small disk
# With several hubs, each with a link of its own to one PostgreSQL.
OF_NODE = {"kill hub", "drain hub", "freeze hub", "cut link", "stall link", "deafen link", "slow link"}
OF_NODES = {
    "kill hub": 4,
    "drain hub": 2,
    "freeze hub": 2,
    "cut link": 2,
    "stall link": 2,
    "deafen link": 2,
    "slow link": 2,
    "cut clients": 2,
    "kill postgres": 2,
    "quit postgres": 1,
    "fill server": 2,
}
LONG = {"freeze hub", "stall link", "deafen link", "slow link"}


class Fault(NamedTuple):
    at: float  # seconds from the beginning of the load
    kind: str
    seconds: float  # how long the fault lasts, or how long a killed process stays down
    share: float  # how much is affected: clients that are cut, bytes that a file may have
    node: int = 0  # of several hubs, the number of the one that is affected

    def __str__(self):
        place = f" of node {self.node}" if self.node else ""
        return f"{self.kind}{place} at {self.at:.1f} for {self.seconds:.1f} s"


def plan(rng, store, load_seconds, has_disk):
    """The faults of a round, by time. The first one is always a kill, which is what the campaign tests."""
    weights = {**EVERYWHERE, **OF_STORE[store]}
    if not has_disk:
        weights = {kind: weight for kind, weight in weights.items() if kind not in OF_DISK}
    kinds = [rng.choice(["kill hub", "kill postgres" if store == "postgres" else "fill disk"])]
    kinds += rng.choices(list(weights), list(weights.values()), k=rng.randint(2, 5))
    faults = []
    for kind in kinds:
        long = kind in ("stall link", "deafen link", "slow link", "fill disk")
        seconds = rng.uniform(0.2, 2.5 if long else 0.8)
        faults.append(Fault(rng.uniform(0.3, load_seconds - 0.3), kind, seconds, rng.random()))
    return sorted(faults)


def plan_for_nodes(rng, nodes, load_seconds, has_disk):
    """The faults of a round with several hubs, by time. One of the nodes is killed, and then some more happens."""
    weights = {kind: weight for kind, weight in OF_NODES.items() if has_disk or kind not in OF_DISK}
    kinds = ["kill hub", *rng.choices(list(weights), list(weights.values()), k=rng.randint(4, 8))]
    return of_nodes(rng, kinds, nodes, load_seconds)


def of_nodes(rng, kinds, nodes, load_seconds):
    faults = []
    for kind in kinds:
        seconds = rng.uniform(0.2, 2.5 if kind in LONG else 0.8)
        node = rng.randint(1, nodes) if kind in OF_NODE else 0
        faults.append(Fault(rng.uniform(0.3, load_seconds - 0.3), kind, seconds, rng.random(), node))
    return sorted(faults)


class Faults:
    """Injects the faults of a plan into the processes of a round."""

    def __init__(self, hub, disk, postgres, proxy, clients, rng):
        self.hub = hub
        self.disk = disk
        self.postgres = postgres
        self.proxy = proxy
        self.clients = clients
        self.rng = rng
        self.link = asyncio.Lock()

    async def run(self, faults):
        """Returns when all faults have ended."""
        await together(*map(self.happen, faults))

    async def happen(self, fault):
        await asyncio.sleep(fault.at)
        await getattr(self, fault.kind.replace(" ", "_"))(fault)

    # The hub

    async def kill_hub(self, fault):
        async with self.hub.lock:
            await self.hub.kill()
            await asyncio.sleep(fault.seconds)
            await self.hub.start()

    async def drain_hub(self, fault):
        async with self.hub.lock:
            await self.hub.drain()
            await self.hub.start()

    async def freeze_hub(self, fault):
        async with self.hub.lock:
            await self.hub.freeze(fault.seconds)

    async def cut_clients(self, fault):
        for client in self.rng.sample(self.clients, max(1, round(fault.share * len(self.clients)))):
            client.cut()

    # SQLite

    async def fill_disk(self, fault):
        async with self.hub.lock:
            if self.disk is None:
                # Between nothing and the log's current size, so that some writes of a transaction succeed and others
                # fail.
                await self.hub.bound_files(round(fault.share * 300_000), fault.seconds)
                return
            try:
                self.disk.fill(round(fault.share * 100_000))
                await asyncio.sleep(fault.seconds)
            finally:
                self.disk.empty()

    async def bound_file(self, fault):
        """Runs the hub with a file size limit that is reached, then without a limit."""
        async with self.hub.lock:
            await self.hub.kill()
            await self.hub.start([("sqlite.bytesMax", round(4096 + fault.share * 500_000))])
            await asyncio.sleep(fault.seconds)
            await self.hub.kill()
            await self.hub.start()

    # PostgreSQL

    async def kill_postgres(self, fault):
        async with self.postgres.lock:
            await self.postgres.kill()
            await asyncio.sleep(fault.seconds)
            await self.postgres.start()

    async def fill_server(self, fault):
        """Without space for a table, its statement fails. Without space for the log, the server ends all its
        processes and restarts, or exits if it can't: then it is started again when there is space."""
        async with self.postgres.lock:
            disk = self.rng.choice(self.postgres.disks)
            try:
                disk.fill(round(fault.share * 300_000))
                if disk.folder.name == "log":
                    await self.postgres.use_up_log()
                await asyncio.sleep(fault.seconds)
            finally:
                disk.empty()
            await self.postgres.recover()

    async def quit_postgres(self, fault):
        async with self.postgres.lock:
            await self.postgres.quit()
            await asyncio.sleep(fault.seconds)
            await self.postgres.start()

    async def cut_link(self, fault):
        async with self.link:
            await self.proxy.cut(fault.seconds)

    async def stall_link(self, fault):
        async with self.link:
            await self.proxy.stall(fault.seconds)

    async def deafen_link(self, fault):
        async with self.link:
            await self.proxy.deafen(fault.seconds)

    async def slow_link(self, fault):
        async with self.link:
            await self.proxy.slow(fault.seconds, 0.002 + 0.04 * fault.share)
