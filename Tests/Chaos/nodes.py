"""Several hubs on one PostgreSQL, each with a link of its own that can be cut and slowed."""

from processes import Hub
from proxy import Proxy
from record import Record, Start, Trouble


class Node(Hub):
    """One of the hubs. Its number and its port stay; its name is new after a kill, as the lease of the killed one may
    last longer than a round."""

    def __init__(self, number, rollout, folder, postgres, settings, record):
        folder = folder / f"node-{number}"
        folder.mkdir()
        super().__init__([], folder, None, dict(settings), record.complain, self.count_life)
        self.number = number
        self.starts = number  # so that nodes run different versions at a time, if there are two
        self.rollout = rollout
        self.version = None  # of the last start
        self.record = record
        self.postgres = postgres
        self.proxy = Proxy(postgres.port)
        self.life = 0  # the number of starts of all hubs at this one's
        self.names = 0
        self.has_name = False  # the last run has given its name back, or there was none
        self.down_since = None

    def program(self):
        self.version = self.rollout.version(self)
        return self.version.program

    def count_life(self):
        self.record.begin_life()
        self.life = self.record.life

    async def begin(self, schema):
        await self.proxy.start()
        self.store = self.postgres.url(schema, self.proxy.port)
        await self.start()

    async def start(self, extra=()):
        if not self.has_name:
            self.names += 1
            self.settings["node"] = f"node-{self.number}.{self.names}"
        self.has_name = False
        began = Record.now()
        await super().start(extra)
        self.record.cluster.starts.append(Start(self.number, self.life, began, Record.now()))
        if self.down_since is not None:
            self.record.cluster.troubles.append(Trouble(self.number, self.down_since, Record.now()))
            self.down_since = None

    def go_down(self):
        if self.down_since is None:
            self.down_since = Record.now()

    async def kill(self):
        self.go_down()
        await super().kill()

    async def drain(self):
        self.go_down()
        await super().drain()
        self.has_name = self.process.returncode == 0

    async def freeze(self, seconds):
        began = Record.now()
        await super().freeze(seconds)
        self.record.cluster.troubles.append(Trouble(self.number, began, Record.now()))
