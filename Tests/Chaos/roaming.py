"""Clients that move between several hubs, with their positions, and what they know of who is there."""

import asyncio

from clients import ABNORMAL, CLOSES, Client, Publisher
from record import Aside, Closed, Record, Rest, Roster, Sent, Session, direct_users, is_direct

STAY_SECONDS = (0.3, 2.5)  # on a node, before a client may move
REPLACED = 4500


class Roaming:
    """A client that connects to any of the nodes, and moves to another one from time to time."""

    def __init__(self, name, nodes, rooms, rng, record):
        super().__init__(name, None, rooms, rng, record)
        self.nodes = nodes
        self.at = None  # the node of the connection, or of the last one
        self.avoided = None  # a node that has failed or was left
        self.home = None  # the node to stay on
        self.session = None
        self.is_leaving = False
        self.members = {}  # room: users
        self.counts = {}  # room: their number, as told
        self.early = {}  # direct conversation: (epoch, offset) of what came while its join was unanswered

    @property
    def life(self):
        return self.at.life

    def pick(self):
        return self.home or self.rng.choice([node for node in self.nodes if node is not self.avoided] or self.nodes)

    async def live(self):
        self.at = self.avoided = self.pick()
        self.port, self.node = self.at.port, self.at.number
        self.session, self.is_leaving = Session(self.user, self.device, self.node, Record.now()), False
        self.record.cluster.sessions.append(self.session)
        self.members.clear()
        self.early.clear()
        wandering = asyncio.create_task(self.wander())
        try:
            await super().live()
        finally:
            wandering.cancel()

    async def wander(self):
        while True:
            await asyncio.sleep(self.rng.uniform(*STAY_SECONDS))
            if self.home is None and not self.is_quiet and self.rng.random() < 0.5:
                self.cut()

    def cut(self):
        if self.socket is not None:
            self.is_leaving = True
            super().cut()

    def settle_at(self, node):
        self.home = node
        if self.at is not node:
            self.cut()

    def closed(self, code):
        self.session.closed = Record.now()
        self.session.code = None if self.is_leaving else code
        if self.is_leaving:
            self.record.count("moves")
            return
        self.record.cluster.closes.append(Closed(self.name, self.node, code, Record.now(), self.session))
        super().closed(code)

    def on_welcome(self, event):
        self.avoided = self.at if self.rng.random() < 0.5 else None
        self.session.welcomed = Record.now()
        self.session.client, self.session.connection = self.name, self.connection
        self.session.hears = self.at.version.has_direct_news
        super().on_welcome(event)

    def on_joined(self, event):
        super().on_joined(event)
        self.members[event["room"]] = {member["user"] for member in event["members"]}
        self.counts[event["room"]] = event["count"]
        for place in self.early.pop(event["room"], ()):
            self.take(event["room"], *place)

    def on_presence(self, event):
        members = self.members.get(event["room"])
        if members is not None:
            members.update(member["user"] for member in event["joined"])
            members.difference_update(event["left"])
            self.counts[event["room"]] = event["count"]

    def on_message(self, event):
        if event.get("ephemeral"):
            return self.hear("ephemeral", event["room"], event["from"])
        super().on_message(event)
        room = event["room"]
        if sent := self.record.sent.get((room, event["from"], event["id"])):
            self.session.newest = max(sent.first, self.session.newest)
        if is_direct(room):
            self.record.count("direct messages")
            if self.is_joining(room):
                self.early.setdefault(room, []).append((event["epoch"], event["offset"]))
            elif room in self.joined:
                self.take(room, event["epoch"], event["offset"])

    on_edited = on_deleted = on_reaction = on_message

    def on_typing(self, event):
        self.hear("typing", event["room"], event["user"])

    def hear(self, kind, room, user):
        if bus := self.record.cluster.bus:
            bus.heard.setdefault((self.name, kind, room, user), Record.now())

    def on_members(self, event):
        self.waiting.pop(event["id"])
        users = frozenset(member["user"] for member in event["members"])
        self.record.cluster.bus.rosters.append(
            Roster(self.name, event["room"], self.node, users, event["count"], event.get("partial", False))
        )

    def is_joining(self, room):
        return any(command["op"] == "join" and command["room"] == room for command, *_ in self.waiting.values())

    def take(self, room, epoch, offset):
        """Takes an entry of a direct conversation as Docs/Protocol.md requires (Receiving an entry): the next one, or
        a gap, which a join closes. Everything else is a duplicate."""
        at_epoch, at = self.positions[room]
        if (epoch, offset) == (at_epoch, at + 1):
            self.positions[room] = (epoch, offset)
        elif (epoch != at_epoch or offset > at) and not self.is_joining(room):
            self.record.count("direct gaps")
            self.join(room)

    def is_in_all(self):
        return self.socket is not None and all(room in self.joined for room in self.rooms)

    def rests(self):
        """What the client knows of its rooms. Of a direct conversation there are no members to know."""
        for room in self.joined if self.socket is not None else ():
            yield Rest(
                self.name, self.user, room, self.node, self.positions[room],
                frozenset(self.members.get(room, ())), self.counts.get(room, 0),
            )


class Subscriber(Roaming, Client):
    pass


class RoamingPublisher(Roaming, Publisher):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.unstored = set()  # ids of ephemeral messages

    def send(self, room, id):
        if self.socket is not None and room in self.joined and not self.session.hears:
            self.record.sent[room, self.name, id].is_told = False
        super().send(room, id)

    def destination(self, room, sent):
        """A message to a user may name the user, or the conversation."""
        if is_direct(room) and sent.request is None and self.rng.random() < 0.5:
            return {"to": next(user for user in direct_users(room) if user != self.name)}
        return super().destination(room, sent)

    def say_last(self, room):
        """Sends a message that is no change, and returns its key."""
        id = f"{self.rng.getrandbits(128):032x}"
        self.record.sent[room, self.name, id] = Sent(self.text(), Record.now(), times=0)
        self.unacknowledged[id] = (room, 0.0)
        self.send(room, id)
        return room, self.name, id

    def say_aside(self, room):
        """Types, and says something that isn't stored."""
        for kind in ("typing", "ephemeral"):
            self.record.cluster.bus.asides.append(Aside(kind, room, self.user, self.node, Record.now()))
        self.say({"op": "typing", "room": room, "active": True})
        id = f"{self.rng.getrandbits(128):032x}"
        self.unstored.add(id)
        self.say({"op": "send", "id": id, "room": room, "text": "aside", "ephemeral": True})

    def on_ack(self, event):
        if event["id"] not in self.unstored:
            super().on_ack(event)


class Replaced(Exception):
    """A newer session of the device is on the node."""


class Twin(Roaming, Client):
    """One of the connections of one device. Each node has one, which a newer one on that node replaces."""

    user = "twin"
    is_quiet = True

    async def run(self):
        try:
            await super().run()
        except Replaced:
            pass

    def closed(self, code):
        if code != REPLACED:
            return super().closed(code)
        self.session.closed, self.session.code = Record.now(), code
        raise Replaced

    def note(self, room, event):
        """Twins come and go, and needn't see everything."""
