"""A moderator who bans and mutes users on one node, and those users, who try on every node what they may not."""

import asyncio

from clients import Client
from record import Ack, Attempt, Record, Sanction, Sent, Stay
from roaming import Roaming

TRY_SECONDS = (0.1, 0.4)  # between two attempts of a subject
ACT_SECONDS = (0.2, 1.0)  # between two commands of the moderator
REPLY_SECONDS = 4.0
AGAIN_SECONDS = 0.1
MINUTES = 60  # longer than any round


class Subject(Roaming, Client):
    """One device of a user who may be banned or muted, on one node."""

    def __init__(self, user, node, nodes, room, rng, record):
        super().__init__(f"{user} of node {node.number}", nodes, [room], rng, record)
        self.subject, self.room, self.home = user, room, node
        self.stay = None
        self.device = f"device-{node.number}"

    @property
    def user(self):
        return self.subject

    def note(self, room, event):
        """A banned user doesn't see everything."""

    async def mark(self):
        """No receipts, as they would be of several devices."""

    async def rejoin(self):
        """Joins, or sends a message, one at a time."""
        while True:
            await asyncio.sleep(self.rng.uniform(*TRY_SECONDS))
            if self.is_quiet or self.waiting or self.session.welcomed is None:
                continue
            if self.room not in self.joined:
                self.join(self.room)
            else:
                id, text = f"{self.rng.getrandbits(128):032x}", f"of {self.name}"
                self.record.sent[self.room, self.user, id] = Sent(text, Record.now())
                command = {"op": "send", "id": id, "room": self.room, "text": text}
                self.waiting[id] = (command, Record.now(), self.life)
                self.say(command)

    def tried(self, id, outcome):
        command, asked, _ = self.waiting[id]
        self.record.cluster.attempts.append(
            Attempt(self.room, self.user, self.node, command["op"], asked, Record.now(), outcome)
        )

    def on_joined(self, event):
        self.tried(event["id"], "done")
        super().on_joined(event)
        self.stay = Stay(self.name, self.user, self.room, self.node, Record.now())
        self.record.cluster.stays.append(self.stay)

    def end_stay(self):
        if self.stay is not None:
            self.stay.until, self.stay = Record.now(), None

    def on_left(self, _):
        self.end_stay()
        self.joined.clear()
        self.members.clear()

    def closed(self, code):
        self.end_stay()
        super().closed(code)

    def on_ack(self, event):
        self.tried(event["id"], "done")
        del self.waiting[event["id"]]
        self.record.acks.append(
            Ack(
                self.room, self.user, event["id"], event["epoch"], event["offset"], event["at"],
                event.get("duplicate", False), Record.now(),
            )
        )

    def on_error(self, event):
        id, code = event.get("id"), event["code"]
        self.record.count(code)
        if id not in self.waiting:
            return
        if code == "forbidden":
            self.tried(id, code)
        elif code not in ("unavailable", "conflict"):
            self.record.complain(f"{self.name} got the error {code}: {event['message']}")
        del self.waiting[id]


class Moderator(Roaming, Client):
    """Bans, mutes and pardons. Repeats each command until a node has confirmed it."""

    def __init__(self, name, nodes, rooms, rng, record):
        super().__init__(name, nodes, rooms, rng, record)
        self.replies = {}
        self.doubtful = set()  # users of whom an unconfirmed command may still take effect

    async def moderate(self, subjects):
        """Until it is cancelled. `subjects` has a room for each user."""
        while True:
            await asyncio.sleep(self.rng.uniform(*ACT_SECONDS))
            user = self.rng.choice(sorted(subjects))
            last = self.last(user)
            if user in self.doubtful:
                continue
            kinds = {"pardon": ["ban", "mute"], "mute": ["pardon", "ban"], "ban": ["pardon"]}[last]
            await self.impose(subjects[user], user, self.rng.choice(kinds))

    async def conclude(self, room, user, kind):
        """Gives a last command, after one that makes it possible: a banned user can't be muted, and only who is muted
        or banned can be pardoned."""
        acts = [act for act in self.record.cluster.sanctions if act.user == user]
        if user in self.doubtful or (acts and acts[-1].acked is None):
            await self.impose(room, user, "ban")
        if kind == "mute" and self.last(user) == "ban":
            await self.impose(room, user, "pardon")
        if kind == "pardon" and self.last(user) == "pardon":
            await self.impose(room, user, "mute")
        await self.impose(room, user, kind)

    def last(self, user):
        return next((act.kind for act in reversed(self.record.cluster.sanctions) if act.user == user), "pardon")

    async def impose(self, room, user, kind):
        text = f"/{kind} {user}" + ("" if kind == "pardon" else f" {MINUTES}")
        acts = self.record.cluster.sanctions
        number, first = len(acts), Record.now()
        acts.append(Sanction(room, user, kind, self.node, first, None))
        while True:
            if room not in self.joined or self.socket is None:
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            node = self.node
            event = await self.reply(room, text)
            is_repeat = event is not None and event.get("code") == "not_found" and user in self.doubtful
            if event is not None and (event["op"] == "notice" or is_repeat):
                acts[number] = Sanction(room, user, kind, node, first, Record.now())
                self.record.count("sanctions")
                return
            if event is None or event["code"] == "unavailable":
                self.doubtful.add(user)
            elif event["code"] != "conflict":
                what = f"the {kind} of {user} on node {node}"
                self.record.complain(f"{what} is answered by {event['code']}: {event['message']}")
            await asyncio.sleep(AGAIN_SECONDS)

    async def kick(self, room, user):
        """Returns the command, confirmed."""
        while True:
            asked = Record.now()
            if room in self.joined and self.socket is not None:
                node, event = self.node, await self.reply(room, f"/kick {user}")
                if event is not None and event["op"] == "notice":
                    return Sanction(room, user, "kick", node, asked, Record.now())
                if event is not None and event["code"] not in ("unavailable", "conflict", "not_found"):
                    self.record.complain(f"the kick of {user} is answered by {event['code']}: {event['message']}")
            await asyncio.sleep(AGAIN_SECONDS)

    async def reply(self, room, text):
        """The answer to a command, or none if the connection has ended before it."""
        id, connection = f"{self.rng.getrandbits(128):032x}", self.connection
        future = self.replies[id] = asyncio.get_running_loop().create_future()
        self.say({"op": "send", "id": id, "room": room, "text": text})
        since = Record.now()
        while not future.done() and self.connection == connection and self.socket is not None:
            if Record.now() - since > REPLY_SECONDS:
                break
            await asyncio.wait([future], timeout=0.05)
        del self.replies[id]
        return future.result() if future.done() else None

    def on_notice(self, event):
        if (future := self.replies.get(event.get("id"))) and not future.done():
            future.set_result(event)

    def on_error(self, event):
        if event.get("id") in self.replies:
            self.on_notice(event)
        else:
            super().on_error(event)
