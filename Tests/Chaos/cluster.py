"""A round with several hubs on one PostgreSQL: clients on all of them that move, and faults of each hub and its link.

Nothing but the database is between the hubs, unless the round adds a bus (over_redis.py). At the end of the load they
have everything: without any further message, and without any client that asks for it.
"""

import asyncio
import random

import faults
from clients import Reader
from cluster_checks import NEWS_SECONDS, users_known
from direct_checks import DIRECT_SECONDS, dues
from listening import Listener
from moderation import Moderator, Subject
from nodes import Node
from record import Cluster, Delivered, Record, direct_users, is_direct
from roaming import RoamingPublisher, Subscriber, Twin
from rounds import FAULTS_SECONDS_MAX, READ_SECONDS_MAX, SETTLE_SECONDS_MAX, Round
from versions import MIXED, WAYS, Rollout
from waiting import together, until, within

SETTINGS = {"cluster.enabled": "true"}
PACE_SECONDS = (0.015, 0.04)
TWIN_SECONDS = (0.3, 1.0)  # between two newer connections of one device
LAST_MESSAGES = 3  # of each publisher, when nothing else happens
LAST_PAUSE_SECONDS = (0.02, 0.1)


class ClusterRound(Round):
    LOAD_SECONDS = (4.0, 7.0)
    FAULTS_SECONDS = FAULTS_SECONDS_MAX
    PRESENCE_SECONDS = NEWS_SECONDS
    has_shared_receipts = False  # receipts are told on all nodes

    def __init__(self, options, store, number):
        self.count = options.nodes
        super().__init__(options, store, number)
        self.settings |= {} if options.unaware else SETTINGS
        way = WAYS[(number - 1) % len(WAYS)] if options.rollout else MIXED
        self.rollout = Rollout(options.this, options.other_version, way)
        self.record.cluster = Cluster(self.count, overtakes=not self.rollout.has_ordered_answers)
        self.nodes = []
        self.twins = []
        self.listeners = []
        self.lateness = {False: [], True: []}  # by whether the conversation is direct
        self.is_quiescent = False

    def seed(self, options):
        return f"{super().seed(options)} {self.count} nodes"

    def draw_plan(self):
        return faults.plan_for_nodes(self.rng, self.count, self.load_seconds, self.has_disk)

    def line(self, seconds):
        counts = self.record.counts
        return super().line(seconds) + (
            f"; {counts.get('moves', 0)} moves, {counts.get('sanctions', 0)} sanctions, "
            f"{len(self.record.cluster.attempts)} attempts; {counts.get('direct messages', 0)} direct deliveries "
            f"({sum(1 for _ in dues(self.record))} with a bound, {counts.get('direct gaps', 0)} gaps); at rest from other nodes: {self.late(False)} in rooms, "
            f"{self.late(True)} direct{self.rollout}"
        )

    def late(self, is_direct):
        late = sorted(self.lateness[is_direct])
        times = f" (half in {late[len(late) // 2]:.2f} s, all in {late[-1]:.2f} s)" if late else ""
        return f"{len(late)} messages{times}"

    # Phases

    async def start(self):
        if self.postgres.process.returncode is not None:  # ended since the last round failed
            await self.postgres.start()
        await self.postgres.execute(f"CREATE SCHEMA {self.schema}")
        self.nodes = [self.make_node(number) for number in range(1, self.count + 1)]
        await together(*(node.begin(self.schema) for node in self.nodes))
        self.rollout.schemas.append(await self.newest_schema())
        rooms = [f"room-{number}" for number in range(self.rng.randint(2, 4))]

        def client(kind, name, rooms):
            return kind(name, self.nodes, rooms, self.generator(), self.record)

        # In all rooms, since a publisher and a subscriber of each are to be on every node in the end.
        names = [f"publisher-{number}" for number in range(max(4, 2 * self.count))]
        pairs = list(zip(names, names[1:] + names[:1]))
        direct = [f"dm:{':'.join(sorted(pair))}" for pair in self.rng.sample(pairs, 3)]
        self.publishers = [
            client(RoamingPublisher, name, rooms + [room for room in direct if name in room.split(":")])
            for name in names
        ]
        # On another node than the user's own session in the end; half of them stay there all the time.
        for user in sorted({user for room in direct for user in direct_users(room)}):
            listener = Listener(user, self.nodes, self.generator(), self.record)
            place = self.nodes[(names.index(user) + 1) % self.count]
            listener.home, listener.place = (place if self.rng.random() < 0.5 else None), place
            self.listeners.append(listener)
        self.moderator = client(Moderator, "moderator", rooms)
        subscribers = [client(Subscriber, f"subscriber-{number}", rooms) for number in range(self.count)]
        self.clients = [*self.publishers, *subscribers, self.moderator]
        self.subjects = {f"subject-{number}": self.rng.choice(rooms) for number in range(3)}
        self.suspects = [
            Subject(user, node, self.nodes, room, self.generator(), self.record)
            for user, room in self.subjects.items() for node in self.nodes
        ]
        self.rooms = rooms

    def make_node(self, number):
        return Node(number, self.rollout, self.folder, self.postgres, self.settings, self.record)

    def generator(self):
        return random.Random(self.rng.random())

    async def load(self):
        self.tasks = [asyncio.create_task(client.run()) for client in [*self.clients, *self.suspects, *self.listeners]]
        for node in self.nodes:
            self.add_twin(node)
        pace = self.rng.uniform(*PACE_SECONDS)
        loads = [asyncio.create_task(publisher.publish(pace)) for publisher in self.publishers]
        loads += map(asyncio.create_task, (self.moderator.moderate(self.subjects), self.replace_twins()))
        self.injecting = {node.number: self.faults(node) for node in self.nodes}
        self.injecting[0] = self.injecting[1]  # faults of no node in particular
        try:
            await within(self.FAULTS_SECONDS, together(asyncio.sleep(self.load_seconds), *self.happening()))
        finally:
            await self.cancel(loads)

    def happening(self):
        works = [self.injecting[fault.node].happen(fault) for fault in self.plan]
        return [*works, self.rollout.run(self.nodes, self.load_seconds, self.rng)]

    def faults(self, node):
        return faults.Faults(node, None, self.postgres, node.proxy, self.clients, self.rng)

    def add_twin(self, node):
        twin = Twin(f"twin-{len(self.twins)}", self.nodes, self.rooms[:1], self.generator(), self.record)
        twin.home = node
        self.twins.append(twin)
        self.tasks.append(asyncio.create_task(twin.run()))

    async def replace_twins(self):
        while True:
            await asyncio.sleep(self.rng.uniform(*TWIN_SECONDS))
            self.add_twin(self.rng.choice(self.nodes))

    async def settle(self):
        cluster = self.record.cluster
        cluster.calm = min(Record.now(), cluster.calm)
        if not await self.acknowledged():
            return
        for number, client in enumerate(self.clients):
            client.settle_at(self.nodes[number % self.count])
        for listener in self.listeners:
            listener.settle_at(listener.place)
        everyone = [*self.clients, *self.listeners]
        if not await until(lambda: all(client.is_in_all() for client in everyone), SETTLE_SECONDS_MAX):
            return self.record.complain("not everybody is in all of their rooms")
        await self.sanction()
        await self.rest()
        if self.is_quiescent:  # otherwise the checker finds it
            await self.see_receipts()

    async def sanction(self):
        """Bans, mutes and pardons once more, each on another node, and lets the users try."""
        for number, (kind, user) in enumerate(zip(("ban", "mute", "pardon"), self.subjects)):
            self.moderator.settle_at(self.nodes[number % self.count])
            await until(self.moderator.is_in_all, SETTLE_SECONDS_MAX)
            await within(SETTLE_SECONDS_MAX, self.moderator.conclude(self.subjects[user], user, kind))
        await asyncio.sleep(NEWS_SECONDS + 0.5)
        for subject in self.suspects:
            subject.is_quiet = True
        await until(lambda: not any(subject.waiting for subject in self.suspects), SETTLE_SECONDS_MAX)

    async def rest(self):
        """Some last messages, after which nobody says anything. All nodes must get them."""
        for client in self.clients:
            client.is_quiet = True
        followers = [*self.clients, *self.listeners]
        await until(lambda: not any(client.waiting for client in followers), SETTLE_SECONDS_MAX)
        cluster = self.record.cluster
        cluster.rest = Record.now()
        last = set()
        sends = [(each, self.rng.choice(each.rooms)) for _ in range(LAST_MESSAGES) for each in self.publishers]
        sends += [(each, room) for each in self.publishers for room in each.rooms if is_direct(room)]
        for publisher, room in sends:
            last.add(publisher.say_last(room))
            await asyncio.sleep(self.rng.uniform(*LAST_PAUSE_SECONDS))
        if not await self.acknowledged():
            return
        cluster.heads, acked = await self.heads(), Record.now()

        def is_quiescent():
            return all(
                client.positions.get(room) == cluster.heads.get(room)
                for client in followers for room in client.rooms
                if self.rollout.has_direct_news or not is_direct(room)
            )

        self.is_quiescent = await until(is_quiescent, max(NEWS_SECONDS, DIRECT_SECONDS))
        if not self.rollout.has_direct_news:
            # Some get the last direct messages only when they ask, so they do after the others had their time.
            await asyncio.sleep(max(0, acked + DIRECT_SECONDS - Record.now()))
            for client in followers:
                for room in filter(is_direct, client.rooms):
                    client.join(room)
            await until(lambda: not any(client.waiting for client in followers), SETTLE_SECONDS_MAX)
        self.measure(last)
        everyone = [*followers, *self.suspects, *self.twins]

        def is_present():
            known = users_known(cluster, [rest for client in everyone for rest in client.rests()])
            return all(rest.members == users and rest.count == len(users) for rest, users in known)

        await until(is_present, self.PRESENCE_SECONDS)
        cluster.rests = [rest for client in everyone for rest in client.rests()]
        cluster.heads = await self.heads()

    async def newest_schema(self):
        [(version,)] = await self.postgres.query(f"SELECT max(version) FROM {self.schema}.gohub_schema")
        return version

    async def heads(self):
        rows = await self.postgres.query(f"SELECT name, epoch, head FROM {self.schema}.gohub_room")
        return {name: (epoch, int(head)) for name, epoch, head in rows}

    def measure(self, last):
        """How late the last messages came to clients on other nodes, after their acknowledgement."""
        acked = {(ack.room, ack.user, ack.id): ack.time for ack in self.record.acks}
        acked = {key: time for key, time in acked.items() if key in last}
        places = {client.name: client.node for client in [*self.clients, *self.listeners]}
        for (client, room), events in self.record.views.items():
            for event in events:
                key = isinstance(event, Delivered) and (room, event.message.user, event.message.id)
                if key in acked and places[client] != places[key[1]]:
                    self.lateness[is_direct(room)].append(max(0, event.time - acked[key]))

    async def see_receipts(self):
        """All have seen all: the store knows it, and so does everybody on the node."""
        for client in self.clients:
            client.is_quiet, client.is_settling = False, True
        heads = {room: offset for room, (_, offset) in self.record.cluster.heads.items()}

        def is_known():
            return all(
                client.seen.get((room, other.name), 0) >= heads[room]
                for client in self.clients for other in self.clients
                if other.node == client.node or self.has_shared_receipts
                for room in client.rooms if room in other.rooms and not is_direct(room)
            )

        if not await until(is_known, SETTLE_SECONDS_MAX):
            where = "" if self.has_shared_receipts else " on the node"
            self.record.complain(f"not everybody is told that everybody{where} has seen all")

    async def end_clients(self):
        self.record.cluster.end = min(Record.now(), self.record.cluster.end)
        await super().end_clients()

    async def read(self):
        await self.end_clients()
        await together(*(node.kill() for node in self.nodes))
        if self.rng.random() < 0.5:
            await self.postgres.kill()
            await self.postgres.start()
        self.hub = self.rng.choice(self.nodes)
        await self.hub.start()
        self.rollout.schemas.append(await self.newest_schema())
        await self.read_histories("reader", self.rooms)
        for publisher in self.publishers:
            if direct := [room for room in publisher.rooms if is_direct(room) and room not in self.record.histories]:
                await self.read_histories(publisher.name, direct)
        for client in self.clients:
            await within(READ_SECONDS_MAX, self.reader(client.rooms, client.name).read_rooms())
        await self.hub.drain()

    def reader(self, rooms, user):
        reader = Reader(self.hub.port, rooms, self.rng, self.record, user)
        reader.node = self.hub.number
        return reader

    async def end_processes(self):
        await self.end_clients()
        for node in self.nodes:
            await node.kill()
            await node.proxy.stop()
