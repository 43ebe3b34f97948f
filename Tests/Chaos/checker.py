"""Checks the record of a round. Knows nothing of how the record was made: its tests use made-up records.

Each check is a function from a Record to violations. CHECKS lists them all. A new promise is a new field of the Record
and a new function here.
"""

import bisect
import json
from typing import NamedTuple

from bus_checks import BUS_CHECKS
from changes import changes
from cluster_checks import CLUSTER_CHECKS, OVERTAKEN_SECONDS, reads_receipts
from failover_checks import without_tail
from record import UNCHANGED, Delivered, Joined, Loaded, Receipt, is_direct

# One fault can break every check: the first violations of a kind are enough.
SHOWN_PER_KIND = 5


class Violation(NamedTuple):
    kind: str
    text: str


def check(record):
    found = []
    if record.cluster and record.cluster.failover:
        found, record = without_tail(record)
    found += [violation for function in CHECKS for violation in function(record)]
    return [Violation(kind, text) for kind, text in found]


def shown(violations):
    """Lines for the report: some violations of each kind, and their number."""
    kinds = {}
    for violation in violations:
        kinds.setdefault(violation.kind, []).append(violation.text)
    lines = []
    for kind, texts in kinds.items():
        lines.append(f"{kind}: {len(texts)}")
        lines += [f"    {text}" for text in texts[:SHOWN_PER_KIND]]
    return lines


def run(record):
    """Failures that were noticed during the round, such as a hub that exited by itself."""
    for sentence in record.complaints:
        yield "run", sentence


def pages(record):
    """History is the same from both ends: 1…n without gaps, up to the head."""
    for room, history in record.histories.items():
        offsets = [message.offset for message in history.forward]
        if offsets != list(range(1, len(offsets) + 1)):
            yield "offsets", f"{room} has not 1…n: {first_break(offsets)}"
        if history.head != len(offsets):
            yield "offsets", f"{room} has {len(offsets)} messages and its head is {history.head}"
        if history.forward != history.backward:
            yield "pages", (
                f"{room} read from its end has {len(history.backward)} messages, from its beginning {len(offsets)}"
                if len(history.backward) != len(offsets)
                else f"{room} read from its end differs from it read from its beginning"
            )


def contents(record):
    """Every stored message was sent with this content, and is stored once."""
    for room, history in record.histories.items():
        found = {}
        for message in history.forward:
            sent = record.sent.get((room, message.user, message.id))
            if sent is None:
                yield "never sent", f"{room} has at {message.offset} {message.id} of {message.user}"
            elif message.change is None and message.state[:2] == UNCHANGED[:2] and sent.text != message.text:
                yield "text", f"{room} has at {message.offset} another text than {message.user} sent as {message.id}"
            first = found.setdefault((message.user, message.id), message.offset)
            if first != message.offset:
                yield "twice", f"{room} has {message.id} of {message.user} at {first} and at {message.offset}"


def acknowledgements(record):
    """Acknowledged messages are stored at the acknowledged offset."""
    stored = set()
    messages = {room: {m.offset: m for m in history.forward} for room, history in record.histories.items()}
    for ack in record.acks:
        name = f"{ack.id} of {ack.user} in {ack.room}"
        history = record.histories.get(ack.room)
        if history is None:
            yield "lost", f"{name} was acknowledged, and the room has no history"
            continue
        sent = record.sent.get((ack.room, ack.user, ack.id))
        if sent is None:
            yield "never sent", f"{name} was acknowledged and never sent"
            continue
        if ack.epoch != history.epoch:
            yield "epoch", f"{name} was acknowledged in the epoch {ack.epoch}; the room's is {history.epoch}"
        message = messages[ack.room].get(ack.offset)
        how = "acknowledged as a duplicate" if ack.duplicate else "acknowledged"
        if message is None:
            yield "lost", f"{name} was {how} at {ack.offset}, and there is nothing"
        elif (message.user, message.id) != (ack.user, ack.id):
            yield "lost", f"{name} was {how} at {ack.offset}, and there is {message.id} of {message.user}"
        elif message.at != ack.at:
            yield "time", f"{name} was {how} with the time {ack.at}, and history has {message.at}"
        if ack.duplicate and sent.times == 1:
            yield "duplicate", f"{name} was sent once and acknowledged as a duplicate"
        if not ack.duplicate:
            if (ack.room, ack.user, ack.id) in stored:
                yield "duplicate", f"{name} was acknowledged twice as new"
            stored.add((ack.room, ack.user, ack.id))


def real_time(record):
    """A message sent after another one's acknowledgement has a higher offset."""
    acknowledged = {}
    for ack in record.acks:
        key = (ack.room, ack.offset)
        acknowledged[key] = min(ack.time, acknowledged.get(key, ack.time))
    for room, history in record.histories.items():
        earliest, where = float("inf"), None
        for message in reversed(history.forward):
            sent = record.sent.get((room, message.user, message.id))
            if sent is not None and earliest < sent.first:
                yield "real time", f"{room}: {message.offset} was sent after {where} had been acknowledged"
            time = acknowledged.get((room, message.offset), float("inf"))
            if time < earliest:
                earliest, where = time, message.offset


def views(record):
    """All clients saw one order, each message once, and no gap without a notice."""
    for (client, room), events in record.views.items():
        history = record.histories.get(room)
        if history is None:
            yield "view", f"{client} was in {room}, which has no history"
            continue
        view = DirectView if is_direct(room) else View
        yield from view(client, room, history, record).check(events)


class View:
    """The observations of one client in one room, over all its connections."""

    def __init__(self, client, room, history, record):
        self.name = f"{client} in {room}"
        self.room = room
        self.history = history
        self.record = record
        self.connection = None
        self.live = None  # the last live message's offset on this connection, or that of its first `joined`
        self.position = None  # the offset up to which the client knows the room, or knows which part it lacks

    def check(self, events):
        for event in events:
            if isinstance(event, Joined):
                yield from self.joined(event)
            elif isinstance(event, Delivered):
                yield from self.delivered(event)
            elif isinstance(event, Loaded):
                yield from self.loaded(event)
        if self.position != self.history.head:
            yield "gap", f"{self.name} has seen all up to {self.position} at its end; the head is {self.history.head}"

    def joined(self, event):
        if event.epoch != self.history.epoch:
            yield "epoch", f"{self.name} joined in the epoch {event.epoch}; the room's is {self.history.epoch}"
        yield from self.same(event.messages)
        offsets = [message.offset for message in event.messages]
        if event.since is None:
            wanted = list(range(event.offset - len(offsets) + 1, event.offset + 1))
            if event.recovered:
                yield "recovery", f"{self.name} was recovered at {event.offset} without having been there"
        elif event.recovered:
            if event.offset < event.since[1]:
                yield "order", f"{self.name} joined since {event.since[1]} and was recovered at {event.offset}"
            wanted = list(range(event.since[1] + 1, event.offset + 1))
            if event.since[0] != event.epoch:
                yield "recovery", f"{self.name} was recovered at {event.offset} from another epoch"
        else:
            wanted = []
            if not self.may_start_over(event):
                yield "recovery", (
                    f"{self.name} was not recovered from {event.since[1]} to {event.offset}, "
                    f"though a page holds {self.record.page_messages}"
                )
        if offsets != wanted:
            yield "gap", (
                f"{self.name} joined at {event.offset} since {event.since and event.since[1]} "
                f"and got {span(offsets)} instead of {span(wanted)}"
            )
        if event.connection != self.connection:
            self.connection, self.live = event.connection, event.offset
        elif event.offset < self.live:
            yield "order", f"{self.name} joined again at {event.offset} after it had got {self.live}"
        self.position = event.offset

    def may_start_over(self, event):
        """Whether the client missed more than a page holds. Messages sent until the answer came may have counted."""
        if event.since[0] != self.history.epoch:
            return True
        missed = []
        for message in self.history.forward[event.since[1] :]:
            sent = self.record.sent.get((self.room, message.user, message.id))
            if sent is not None and sent.first <= event.time:
                missed.append(message)
        size = sum(self.size(message) for message in missed)
        return len(missed) > self.record.page_messages or size > self.record.page_bytes

    def size(self, message):
        """Bytes of a message in a page, at most. Before a change, it may have been longer or had reactions."""
        sent = self.record.sent.get((self.room, message.user, message.id))
        more = 300 if message.change or message.state != UNCHANGED else 0
        text = json.dumps(sent and sent.text or "", ensure_ascii=False)
        return len(text.encode()) + self.record.message_bytes + more

    def delivered(self, event):
        """The live messages of a connection are consecutive, even if it joins again in between."""
        yield from self.same([event.message])
        offset = event.message.offset
        if event.connection != self.connection:
            yield "order", f"{self.name} got {offset} on a connection before it had joined"
        elif offset <= self.live:
            yield "order", f"{self.name} got {offset} after {self.live}"
        elif offset != self.live + 1:
            yield "gap", f"{self.name} got {offset} after {self.live}"
        self.connection, self.live = event.connection, offset
        self.position = max(offset, self.position or 0)

    def loaded(self, event):
        yield from self.same(event.messages)
        offsets = [message.offset for message in event.messages]
        if event.epoch != self.history.epoch:
            yield "epoch", f"{self.name} loaded a page of the epoch {event.epoch}; the room's is {self.history.epoch}"
        if offsets != list(range(event.before - len(offsets), event.before)):
            yield "gap", f"{self.name} loaded what is before {event.before} and got {span(offsets)}"
        if event.more != (event.before - len(offsets) > 1):
            told = "there is more" if event.more else "there is no more"
            yield "pages", f"{self.name} loaded {span(offsets)} and was told that {told}"

    def same(self, messages):
        for message in messages:
            there = self.history.forward[message.offset - 1] if message.offset <= len(self.history.forward) else None
            if message.offset < 1 or there is None or there.lasting != message.lasting:
                what = f"{there.id} of {there.user}" if there else "nothing"
                seen = f"{message.id} of {message.user}"
                yield "view", f"{self.name} saw at {message.offset} {seen}, and history has {what}"


class DirectView(View):
    """A direct conversation has no members: a node may deliver a message again, or late, and the client closes the gap
    by joining. What came while a join was unanswered counts after its answer."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.given = set()  # offsets of live messages on a connection
        self.giver = None  # that connection

    def joined(self, event):
        yield from super().joined(event)
        self.advance(event.connection)

    def delivered(self, event):
        yield from self.same([event.message])
        self.advance(event.connection, event.message.offset)

    def advance(self, connection, *offsets):
        if connection != self.giver:
            self.given, self.giver = set(), connection
        self.given.update(offsets)
        while connection == self.connection and self.position + 1 in self.given:
            self.position += 1


def receipts(record):
    """A receipt never goes back, whichever client, event or run of the hub reported it.

    Where there are several hubs, each tells the receipts of its own clients, and reads the stored ones at a join."""
    by_hub, by_any, by_store, own = Floors(), Floors(), Floors(), Floors()
    for told in record.receipts:
        name = f"{told.how} of {told.room} told {told.client}"
        listed = {receipt.user: receipt for receipt in told.receipts}
        # A user who isn't listed in a `joined` has no receipt.
        everyone = by_hub.users(told) | by_store.users(told) if told.how == "joined" else ()
        for user in sorted({*listed, *everyone}):
            receipt = listed.get(user, Receipt(user, 0, 0))
            key = (told.room, told.epoch, user)
            floor = (0, 0)
            if told.how == "rooms":
                floor = further(by_any.at(key, told.asked), by_store.at(key, told.asked))
            elif told.how == "joined" and record.cluster:
                since = reads_receipts(record.cluster, told)
                floor = nearer(further(by_any.at(key, since), by_store.at(key, since)), (told.head, told.head))
            if told.how != "rooms":
                floor = further(floor, by_hub.at((told.node, *key), told.asked))
                # Events of one connection are ordered. `rooms` reads the store, which may be ahead of its hub, but
                # not of what the next hub reads.
                slack = OVERTAKEN_SECONDS if record.cluster and record.cluster.overtakes else 0
                floor = further(floor, own.at((told.client, told.node, *key), told.time - slack))
                for life in range(told.life):
                    floor = further(floor, by_store.at((life, *key), told.asked))
            if receipt.delivered < floor[0] or receipt.seen < floor[1]:
                yield "receipt", f"{name} {receipt[1:]} of {user}, and {floor} had been told before"
            # Without members, a client of a direct conversation learns of another node's messages when it joins.
            is_behind = record.cluster and told.how == "receipt" and is_direct(told.room)
            if receipt.delivered > told.head and not is_behind:
                yield "receipt", f"{name} {receipt[1:]} of {user} beyond its end, {told.head}"
        for receipt in told.receipts:
            key = (told.room, told.epoch, receipt.user)
            if told.how == "rooms":
                by_store.add(key, told.time, receipt)
                by_store.add((told.life, *key), told.time, receipt)
            else:
                by_hub.add((told.node, *key), told.time, receipt)
                by_any.add(key, told.time, receipt)
                own.add((told.client, told.node, *key), told.time, receipt)
    yield from unsaid(record)


def unsaid(record):
    """No receipt is further than the user's own, or than the user's last message."""
    sent = {}
    for room, history in record.histories.items():
        for message in history.forward:
            sent[room, message.user] = message.offset
    for told in record.receipts:
        for receipt in told.receipts:
            said = record.said.get((told.room, receipt.user), Receipt(receipt.user, 0, 0))
            own = sent.get((told.room, receipt.user), 0)
            if receipt.delivered > max(said.delivered, own) or receipt.seen > max(said.seen, own):
                yield "unsaid", f"{told.how} of {told.room} told {told.client} {receipt}, who never said so"


class Floors:
    """The furthest receipt reported for each key, at any time."""

    def __init__(self):
        self.times = {}
        self.furthest = {}

    def add(self, key, time, receipt):
        before = self.furthest.get(key, [(0, 0)])[-1]
        now = further(before, receipt[1:])
        if now != before:
            self.times.setdefault(key, []).append(time)
            self.furthest.setdefault(key, [(0, 0)]).append(now)

    def at(self, key, time):
        """The furthest receipt reported up to a time."""
        return self.furthest.get(key, [(0, 0)])[bisect.bisect_right(self.times.get(key, []), time)]

    def users(self, told):
        return {key[-1] for key in self.times if key[-3:-1] == (told.room, told.epoch)}


def further(left, right):
    return max(left[0], right[0]), max(left[1], right[1])


def nearer(left, right):
    return min(left[0], right[0]), min(left[1], right[1])


def span(offsets):
    if not offsets:
        return "nothing"
    broken = first_break(offsets, offsets[0])
    return f"{offsets[0]}…{offsets[-1]}" + (f" ({broken})" if broken else "")


def first_break(offsets, start=1):
    for wanted, offset in enumerate(offsets, start):
        if offset != wanted:
            return f"after {wanted - 1} comes {offset}"
    return ""


CHECKS = [run, pages, contents, acknowledgements, real_time, views, receipts, changes, *CLUSTER_CHECKS, *BUS_CHECKS]
