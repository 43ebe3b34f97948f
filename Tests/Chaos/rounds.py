"""A round of the campaign: one hub under load, faults, recovery, and the histories as they are stored in the end."""

import asyncio
import contextlib
import pathlib
import random
import shutil
import sqlite3
import tempfile
import time

import checker
import disk
import faults
from clients import Client, Publisher, Reader
from processes import Failure, Hub
from proxy import Proxy
from record import History, Record
from waiting import together, until, within
from websocket import Broken

FAULTS_SECONDS_MAX = 60
SETTLE_SECONDS_MAX = 40
READ_SECONDS_MAX = 40
PAGE_BYTES = 128 * 1024
MESSAGE_BYTES = 150

# A round has seconds where a hub in production has minutes.
SETTINGS = {
    "log.format": "json",
    "postgres.deadlineMs": 1500,
    "limits.heartbeatMs": 3000,
    "drain.closeOverMs": 200,
    "drain.reconnectOverMs": 300,
    "drain.deadlineMs": 5000,
    **{f"rates.{scope}PerSecond": 0 for scope in ("connection", "user", "address", "room")},
}


class Round:
    """One round on one store. `run` returns its report line, and its violations."""

    LOAD_SECONDS = (2.5, 4.2)

    def __init__(self, options, store, number):
        self.store = store
        self.number = number
        self.programs = [options.hub, *([options.other] if options.other else [])]
        self.is_kept = options.keep
        self.schema = f"round{number}"
        self.postgres = None  # set before the round runs
        # The round's own generator, so that a round can be repeated without those before it.
        self.rng = random.Random(self.seed(options))
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"gohub-chaos-{store}-{number}-"))
        self.load_seconds = self.rng.uniform(*self.LOAD_SECONDS)
        # In half of the rounds: a real disk has its own speed, and fills up differently.
        self.has_disk = self.rng.random() < 0.5 and options.can_mount
        self.plan = self.draw_plan()
        # Small limits force resyncs, and reads of missed messages from the store.
        page = self.rng.choice([500, 500, 50])
        self.record = Record(page_messages=page, page_bytes=PAGE_BYTES, message_bytes=MESSAGE_BYTES)
        self.settings = {
            **SETTINGS,
            "limits.pageMessagesMax": page,
            "limits.tailMessagesMax": self.rng.choice([100, 100, 3]),
            "loops": self.rng.choice([1, 2, 3]),
        }
        self.disk = None
        self.proxy = None
        self.hub = None
        self.clients = []
        self.tasks = []
        self.phase = None
        self.seconds = {}  # by phase

    def seed(self, options):
        return f"{options.seed} {self.store} {self.number}"

    def draw_plan(self):
        return faults.plan(self.rng, self.store, self.load_seconds, self.has_disk)

    async def run(self):
        began = time.monotonic()
        try:
            for phase in (self.start, self.load, self.settle, self.read):
                self.phase, since = phase.__name__, time.monotonic()
                await phase()
                self.seconds[self.phase] = time.monotonic() - since
        except (Failure, TimeoutError, OSError, Broken) as error:
            self.record.complain(f"its {self.phase} failed: {error or type(error).__name__}")
        except BaseException:
            await self.end(is_kept=False)  # interrupted: there is nothing to investigate
            raise
        await self.end_processes()
        violations = checker.check(self.record)
        if not violations and self.postgres is not None:
            await self.clean()
        await self.end(is_kept=bool(violations) or self.is_kept)
        return self.line(time.monotonic() - began), violations

    async def clean(self):
        """Hundreds of rounds would leave thousands of files."""
        await self.postgres.execute(f"DROP SCHEMA {self.schema} CASCADE; CHECKPOINT")

    def line(self, seconds):
        counts = self.record.counts
        return (
            f"{self.store} {self.number}: {len(self.record.sent)} messages, {len(self.record.acks)} acknowledgements "
            f"({counts.get('duplicates', 0)} of repeats, {counts.get('changes', 0)} of changes), "
            f"{counts.get('unavailable', 0)} unavailable, "
            f"{counts.get('resumes', 0)} resumes ({counts.get('started over', 0)} started over, "
            f"{counts.get('closed 4002', 0)} by 4002), {seconds:.1f} s "
            f"({', '.join(f'{phase} {part:.1f}' for phase, part in self.seconds.items())})"
            f"{'; on tmpfs' if self.has_disk else ''}; "
            + ", ".join(map(str, self.plan))
        )

    async def start(self):
        if self.postgres is None:
            if self.has_disk:
                self.disk = disk.Disk(self.folder / "disk")
            self.database = self.folder / ("disk/chat.sqlite" if self.has_disk else "chat.sqlite")
            url = f"sqlite:{self.database}"
        else:
            if self.postgres.process.returncode is not None:  # ended since the last round failed
                await self.postgres.start()
            await self.postgres.execute(f"CREATE SCHEMA {self.schema}")
            self.proxy = Proxy(self.postgres.port)
            await self.proxy.start()
            url = self.postgres.url(self.schema, self.proxy.port)
        self.hub = Hub(
            self.programs, self.folder, url, self.settings, self.record.complain, self.record.begin_life
        )
        await self.hub.start()
        rooms = [f"room-{number}" for number in range(self.rng.randint(2, 4))]

        def client(kind, name):
            some = self.rng.sample(rooms, self.rng.randint(max(1, len(rooms) - 1), len(rooms)))
            return kind(name, self.hub.port, some, random.Random(self.rng.random()), self.record)

        self.publishers = [client(Publisher, f"publisher-{n}") for n in range(self.rng.randint(3, 5))]
        self.clients = self.publishers + [client(Client, f"subscriber-{n}") for n in range(self.rng.randint(2, 4))]

    async def load(self):
        self.tasks = [asyncio.create_task(client.run()) for client in self.clients]
        pace = self.rng.uniform(0.004, 0.02)
        loads = [asyncio.create_task(publisher.publish(pace)) for publisher in self.publishers]
        try:
            happening = faults.Faults(self.hub, self.disk, self.postgres, self.proxy, self.clients, self.rng)
            await within(FAULTS_SECONDS_MAX, together(asyncio.sleep(self.load_seconds), happening.run(self.plan)))
        finally:
            await self.cancel(loads)

    async def acknowledged(self):
        """Waits until every message is acknowledged. Returns whether all are."""
        publishers = self.publishers
        done = await until(lambda: not any(each.unacknowledged for each in publishers), SETTLE_SECONDS_MAX)
        for publisher in publishers:
            if count := len(publisher.unacknowledged):
                self.record.complain(f"{publisher.name} has {count} messages that nobody acknowledges")
        return done

    async def settle(self):
        """Waits for recovery: every message is acknowledged, and every client has seen all."""
        await self.acknowledged()
        heads = {}
        for ack in self.record.acks:
            heads[ack.room] = max(ack.offset, heads.get(ack.room, 0))
        # The checker reports clients that did not see everything in time.
        await until(lambda: all(client.has_seen(heads) for client in self.clients), SETTLE_SECONDS_MAX)
        for client in self.clients:
            client.is_settling = True
        if not await until(lambda: self.knows_receipts(heads), SETTLE_SECONDS_MAX):
            self.record.complain("not everybody is told that everybody has seen all")
        await asyncio.sleep(0.2)  # a surplus message would arrive now

    def knows_receipts(self, heads):
        """Whether every client knows that all users have seen everything. Clients repeat their receipts."""
        everyone = {(room, client.name): heads.get(room, 0) for client in self.clients for room in client.rooms}
        return all(client.knows(everyone) for client in self.clients)

    async def read(self):
        """Reads what is stored after everything was killed once more."""
        await self.end_clients()
        await self.hub.kill()
        if self.postgres is not None and self.rng.random() < 0.5:
            await self.postgres.kill()
            await self.postgres.start()
        await self.hub.start()
        rooms = sorted({room for client in self.clients for room in client.rooms})
        await self.read_histories("reader", rooms)
        for client in self.clients:
            await within(READ_SECONDS_MAX, self.reader(client.rooms, client.name).read_rooms())
        await self.hub.drain()
        if self.postgres is None:
            with contextlib.closing(sqlite3.connect(self.database)) as connection:
                verdict = connection.execute("PRAGMA integrity_check").fetchone()[0]
            if verdict != "ok":
                self.record.complain(f"SQLite finds its file damaged: {verdict}")

    def reader(self, rooms, user):
        return Reader(self.hub.port, rooms, self.rng, self.record, user)

    async def read_histories(self, user, rooms):
        found = await within(READ_SECONDS_MAX, self.reader(rooms, user).read())
        self.record.histories.update({room: History(*history) for room, history in found.items()})

    async def end_clients(self):
        tasks, self.tasks = self.tasks, []
        await self.cancel(tasks)

    async def cancel(self, tasks):
        """Kills the processes of the round."""
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                self.record.complain(f"a client of the campaign failed: {result!r}")

    async def end(self, is_kept):
        try:
            await self.end_processes()
        finally:
            if self.disk is not None:
                self.disk.unmount(copy=self.folder / "disk-copy" if is_kept else None)
                self.disk = None
            if not is_kept:
                shutil.rmtree(self.folder, ignore_errors=True)

    async def end_processes(self):
        await self.end_clients()
        if self.hub is not None:
            await self.hub.kill()
        if self.proxy is not None:
            await self.proxy.stop()
