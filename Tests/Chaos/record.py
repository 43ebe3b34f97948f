"""What the clients of a round said and were told: all that the checker knows.

Times are of one monotonic clock, in seconds, since all clients live in one process.
"""

import time
from dataclasses import dataclass, field
from typing import NamedTuple


UNCHANGED = (None, None, ())  # edited, deleted, ((reaction, count, users), …)


class Change(NamedTuple):
    """What an entry says of another message."""

    op: str
    of: int
    reaction: str | None = None
    count: int | None = None
    removed: bool = False


class Message(NamedTuple):
    """An entry of a room's history, a message or a change, as events, `joined` and `page` tell it."""

    offset: int
    user: str
    id: str
    text: str | None  # none of what is deleted, and of most changes
    at: int
    change: Change | None = None
    state: tuple = UNCHANGED

    @classmethod
    def of(cls, event):
        change = None
        if "of" in event:
            change = Change(
                event["op"], event["of"], event.get("reaction"), event.get("count"), event.get("removed", False)
            )
        reactions = tuple((r["reaction"], r["count"], tuple(r["by"])) for r in event.get("reactions", ()))
        state = (event.get("edited"), event.get("deleted"), reactions)
        return cls(event["offset"], event["from"], event["id"], event.get("text"), event["at"], change, state)

    @property
    def lasting(self):
        """The part that changes leave as it is."""
        return (self.offset, self.user, self.id, self.at, self.change)


@dataclass
class Sent:
    """A message, or a change request, that a publisher wants stored; it is sent until it is acknowledged."""

    text: str | None
    first: float  # when it was sent first
    times: int = 1
    request: dict | None = None  # the command of an edit, a deletion or a reaction


class Ack(NamedTuple):
    room: str
    user: str
    id: str
    epoch: str
    offset: int
    at: int
    duplicate: bool
    time: float


class Joined(NamedTuple):
    """An answer to `join`; `since` is (epoch, offset) or None."""

    connection: int
    since: tuple | None
    epoch: str
    offset: int
    recovered: bool
    messages: tuple
    time: float


class Delivered(NamedTuple):
    """A live message on a connection."""

    connection: int
    message: Message


class Loaded(NamedTuple):
    """A page of history before an offset, which a client loads when it couldn't be recovered."""

    connection: int
    before: int
    epoch: str
    messages: tuple
    more: bool
    offset: int = 0  # where the room stood


class Receipt(NamedTuple):
    """How far a user has got."""

    user: str
    delivered: int
    seen: int

    @classmethod
    def of(cls, entry):
        return cls(entry["user"], entry["delivered"], entry["seen"])


class Told(NamedTuple):
    """Receipts of a room as a client was told them: `joined` has all, `receipt` some, `rooms` the client's own."""

    how: str
    client: str
    room: str
    epoch: str
    head: int  # how far the client knew the room, or was told so with it
    receipts: tuple
    asked: float  # when it was asked for; of a `receipt`, when the room was
    time: float  # when it came
    life: int  # of the hub when it was asked for; of `rooms`, when it came


@dataclass
class History:
    """A room as it is read page by page at the end, from the oldest on and from the newest back."""

    epoch: str
    head: int
    forward: list
    backward: list


@dataclass
class Record:
    page_messages: int  # of the hub's limits: more than these may be missed without being recovered
    page_bytes: int
    sent: dict = field(default_factory=dict)  # (room, user, id): Sent
    acks: list = field(default_factory=list)
    views: dict = field(default_factory=dict)  # (client, room): [Joined | Delivered | Loaded]
    histories: dict = field(default_factory=dict)  # room: History
    receipts: list = field(default_factory=list)  # Told, as they came
    said: dict = field(default_factory=dict)  # (room, user): the Receipt with the furthest that the user has said
    life: int = 0  # how often the hub was started
    complaints: list = field(default_factory=list)  # what was wrong while it ran: sentences
    counts: dict = field(default_factory=dict)  # of what is no fault, for the report

    def complain(self, sentence):
        if sentence not in self.complaints:
            self.complaints.append(sentence)

    def say(self, room, user, delivered, seen):
        before = self.said.get((room, user), Receipt(user, 0, 0))
        self.said[room, user] = Receipt(user, max(before.delivered, delivered), max(before.seen, seen))

    def begin_life(self):
        self.life += 1

    def count(self, what, by=1):
        self.counts[what] = self.counts.get(what, 0) + by

    @staticmethod
    def now():
        return time.monotonic()
