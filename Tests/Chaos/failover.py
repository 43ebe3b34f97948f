"""A round in which PostgreSQL fails over to a replica that was behind: what the primary acknowledged last is gone.

Replication is asynchronous, as by default. It is cut, the primary goes on for a while and is killed, and the replica is
promoted. The hubs' links lead to it from then on.
"""

import asyncio
import pathlib
import tempfile

import faults
from cluster import ClusterRound
from processes import Failure, Postgres, last_lines
from proxy import Proxy
from record import Failover, Record
from waiting import until

BEFORE_SECONDS = (1.2, 2.0)  # of load
BEHIND_SECONDS = (0.3, 1.0)  # for which the primary goes on without its replica
DOWN_SECONDS = (0.0, 0.8)  # before the replica is promoted
AFTER_SECONDS = (2.0, 3.0)
CATCH_UP_SECONDS = 10


class Replica(Postgres):
    """A server that follows another one through a proxy."""

    def __init__(self, folder, primary):
        super().__init__(folder, has_disk=False)
        self.primary = primary
        self.link = Proxy(primary.port)

    async def make(self):
        self.give_folder()
        await self.link.start()
        status = await self.run(
            "pg_basebackup", "-D", self.data, "-h", "127.0.0.1", "-p", self.link.port, "-U", "postgres", "-X", "stream",
            "-c", "fast", "-R", "--no-sync",
        )
        if status != 0:
            raise Failure(f"pg_basebackup failed:\n{last_lines(self.log)}")

    async def is_caught_up(self):
        """Whether it has all that its primary has stored so far."""
        [(position,)] = await self.primary.query("SELECT pg_current_wal_flush_lsn()")
        sql = f"SELECT count(*) FROM pg_stat_replication WHERE flush_lsn >= '{position}'"
        return await until(lambda: self.counts(sql), CATCH_UP_SECONDS)

    async def counts(self, sql):
        return await self.primary.query(sql) == [("1",)]

    async def promote(self):
        await self.execute("SELECT pg_promote()")

    async def quit(self):
        await self.link.stop()
        await super().quit()


class FailoverRound(ClusterRound):
    FAULTS = {"kill hub": 3, "drain hub": 1, "freeze hub": 2, "cut clients": 2, "cut link": 1}

    def draw_plan(self):
        phases = (BEFORE_SECONDS, BEHIND_SECONDS, DOWN_SECONDS, AFTER_SECONDS)
        self.times = [self.rng.uniform(*bounds) for bounds in phases]
        self.load_seconds = sum(self.times) + 1
        self.is_early = self.rng.random() < 0.5  # the hubs reach the replica before it is promoted
        kinds = self.rng.choices(list(self.FAULTS), list(self.FAULTS.values()), k=self.rng.randint(1, 4))
        return faults.of_nodes(self.rng, kinds, self.count, self.load_seconds)

    def line(self, seconds):
        before, behind, down, _ = self.times
        return super().line(seconds) + (
            f"; failover at {before + behind:.1f} to a replica {behind:.1f} s behind, promoted {down:.1f} s later, "
            f"which may lack {self.lost()} acknowledgements"
        )

    def lost(self):
        failover = self.record.cluster.failover
        return sum(failover.sure < ack.time <= failover.time for ack in self.record.acks) if failover else 0

    async def start(self):
        self.folder.chmod(0o711)  # the servers may run as another user
        self.primary = Postgres(self.server_folder(), has_disk=False)
        self.replica = Replica(self.server_folder(), self.primary)
        self.postgres = self.primary
        await self.primary.make()
        await self.primary.start()
        await super().start()
        await self.replica.make()
        await self.replica.start()
        if not await self.replica.is_caught_up():
            raise Failure(f"the replica doesn't follow:\n{last_lines(self.replica.log)}")
        for publisher in self.publishers:
            publisher.makes_changes = False

    def server_folder(self):
        return pathlib.Path(tempfile.mkdtemp(prefix="server-", dir=self.folder))

    def happening(self):
        return [*super().happening(), self.fail_over()]

    async def fail_over(self):
        before, behind, down, after = self.times
        await asyncio.sleep(before)
        sure, heads = Record.now(), await self.heads()
        if not await self.replica.is_caught_up():
            raise Failure("the replica isn't where its primary was")
        await self.replica.link.cut_off()
        await asyncio.sleep(behind)
        await self.primary.kill()
        self.record.cluster.failover = Failover(sure, Record.now(), heads)
        # Any command about a user may be lost.
        self.moderator.doubtful |= set(self.subjects)
        if self.is_early:
            self.lead_to(self.replica)
        await asyncio.sleep(down)
        await self.replica.promote()
        self.lead_to(self.replica)
        self.postgres = self.replica
        await asyncio.sleep(after)

    def lead_to(self, server):
        for node in self.nodes:
            node.proxy.target = server.port

    async def clean(self):
        """The servers are gone with the round."""

    async def end_processes(self):
        await super().end_processes()
        for server in (self.primary, self.replica):
            await server.quit()
