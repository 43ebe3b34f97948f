"""The commands and events of a round's clients: everything that the checker knows.

Times are of one monotonic clock, in seconds, since all clients live in one process.
"""

import time
from dataclasses import dataclass, field
from typing import NamedTuple


def is_direct(room):
    return room.startswith("dm:")


def direct_users(room):
    """Both users of a direct conversation. The campaign's user ids have nothing to escape."""
    return room.split(":")[1:]


UNCHANGED = (None, None, ())  # edited, deleted, ((reaction, count, users), …)


class Change(NamedTuple):
    """The content of a change: an entry about another message."""

    op: str
    of: int
    reaction: str | None = None
    count: int | None = None
    removed: bool = False


class Message(NamedTuple):
    """An entry of a room's history, a message or a change, as in events, `joined` and `page`."""

    offset: int
    user: str
    id: str
    text: str | None  # none for deleted messages, and for most changes
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
        """The part that changes do not affect."""
        return (self.offset, self.user, self.id, self.at, self.change)


@dataclass
class Sent:
    """A message or a change request of a publisher. It is repeated until it is acknowledged."""

    text: str | None
    first: float  # the time of the first attempt
    times: int = 1
    request: dict | None = None  # the command of an edit, a deletion or a reaction
    is_told: bool = True  # each hub that it was sent to tells the others of direct messages


class Ack(NamedTuple):
    room: str
    user: str
    id: str
    epoch: str
    offset: int
    at: int
    duplicate: bool
    time: float
    node: int = 0  # the number of the hub, where there are several


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
    time: float = 0.0
    epoch: str | None = None  # only in direct conversations


class Loaded(NamedTuple):
    """A page of history before an offset. A client loads it when it could not be recovered."""

    connection: int
    before: int
    epoch: str
    messages: tuple
    more: bool
    offset: int = 0  # the room's offset


class Receipt(NamedTuple):
    """A user's receipt."""

    user: str
    delivered: int
    seen: int

    @classmethod
    def of(cls, entry):
        return cls(entry["user"], entry["delivered"], entry["seen"])


class Told(NamedTuple):
    """Receipts of a room as a client got them: `joined` has all, `receipt` some, `rooms` the client's own."""

    how: str
    client: str
    room: str
    epoch: str
    head: int  # the client's head of the room, or the head in the same event
    receipts: tuple
    asked: float  # the time of the request; for a `receipt`, the time of the join
    time: float  # the time of arrival
    life: int  # the hub's run at the time of the request; for `rooms`, at arrival
    node: int = 0  # the number of the hub, where there are several


# The rest is of several hubs only.


@dataclass
class Session:
    """A connection to a node that has said `hello`, or tried to."""

    user: str
    device: str
    node: int
    opened: float  # the time before `hello`
    welcomed: float | None = None
    closed: float | None = None  # none until the end
    code: int | None = None  # none if the client ended it
    newest: float = 0.0  # when the newest message that it was sent had been sent first
    client: str = ""
    connection: int = 0  # the client's number for it
    hears: bool = True  # its hub learns of direct messages on the others


class Closed(NamedTuple):
    """A connection that a node ended, or that was lost."""

    client: str
    node: int
    code: int
    time: float
    session: Session | None = None


class Start(NamedTuple):
    """A start of a node."""

    node: int
    life: int  # as in `Told`
    began: float
    ended: float  # when it accepted clients


class Trouble(NamedTuple):
    """The time in which a node was killed, stopped or suspended, up to its return."""

    node: int
    began: float
    ended: float


class Sanction(NamedTuple):
    """A moderator's command about a user: `ban`, `mute` or `pardon`."""

    room: str
    user: str
    kind: str
    node: int
    asked: float  # the time of the first attempt
    acked: float | None  # none if no node has confirmed it


class Attempt(NamedTuple):
    """A `join` or `send` of a user who may be banned or muted, and its outcome: `done` or `forbidden`."""

    room: str
    user: str
    node: int
    what: str
    asked: float
    answered: float
    outcome: str


@dataclass
class Stay:
    """The time of one of a user's devices in a room, from an answer to its join on."""

    client: str
    user: str
    room: str
    node: int
    since: float
    until: float = float("inf")


class Rest(NamedTuple):
    """What a client in a room knows when nothing has happened for some time."""

    client: str
    user: str
    room: str
    node: int
    position: tuple | None  # (epoch, offset); none if the client doesn't follow the room
    members: frozenset
    count: int


class Failover(NamedTuple):
    """PostgreSQL's failover to a replica that was behind."""

    sure: float  # the replica has everything that was acknowledged until then
    time: float  # when the primary was killed
    heads: dict  # room: (epoch, offset) that the replica has at least


class Aside(NamedTuple):
    """What is told and not stored: `typing`, or an ephemeral message."""

    kind: str
    room: str
    user: str
    node: int
    time: float


class Roster(NamedTuple):
    """An answer to `who`."""

    client: str
    room: str
    node: int
    users: frozenset
    count: int
    is_partial: bool


@dataclass
class Bus:
    """The part of a record that a bus between the hubs adds."""

    troubles: list = field(default_factory=list)  # Trouble; the node is 0 if it is of all nodes
    up: float = float("inf")  # the time from which all nodes were on the bus, after the last fault
    off: float = float("inf")  # the time from which there was none, for good
    kicks: list = field(default_factory=list)  # Sanction
    asides: list = field(default_factory=list)  # Aside, at rest
    heard: dict = field(default_factory=dict)  # (client, kind, room, user): the time of an Aside's first arrival
    rosters: list = field(default_factory=list)  # Roster, at rest


@dataclass
class Cluster:
    """The part of a record that several hubs add."""

    nodes: int
    overtakes: bool = False  # whether answers of some hub and the events of a room may overtake each other
    promises: frozenset = frozenset()  # what the hubs promise of each other's clients: words of versions.py
    bus: Bus | None = None
    sessions: list = field(default_factory=list)
    starts: list = field(default_factory=list)
    closes: list = field(default_factory=list)
    troubles: list = field(default_factory=list)
    sanctions: list = field(default_factory=list)
    attempts: list = field(default_factory=list)
    stays: list = field(default_factory=list)
    rests: list = field(default_factory=list)
    heads: dict = field(default_factory=dict)  # room: (epoch, offset) in the store when the rests were recorded
    failover: Failover | None = None
    calm: float = float("inf")  # the time from which there were no faults
    rest: float = float("inf")  # the time from which no client sent anything
    end: float = float("inf")  # the time up to which there were clients


@dataclass
class History:
    """A room as read page by page at the end, from the oldest on and from the newest back."""

    epoch: str
    head: int
    forward: list
    backward: list


@dataclass
class Record:
    page_messages: int  # a limit of the hub: a client that missed more may get no recovery
    page_bytes: int
    # Of a message without its text: the names of the fields, ids, the author and the time.
    message_bytes: int = 0
    sent: dict = field(default_factory=dict)  # (room, user, id): Sent
    acks: list = field(default_factory=list)
    views: dict = field(default_factory=dict)  # (client, room): [Joined | Delivered | Loaded]
    histories: dict = field(default_factory=dict)  # room: History
    receipts: list = field(default_factory=list)  # Told, in order of arrival
    said: dict = field(default_factory=dict)  # (room, user): the furthest Receipt that the user has sent
    life: int = 0  # the number of starts of the hub, or of all hubs
    cluster: Cluster | None = None  # with several hubs
    complaints: list = field(default_factory=list)  # failures noticed during the round: sentences
    counts: dict = field(default_factory=dict)  # events that are no failures, for the report

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
