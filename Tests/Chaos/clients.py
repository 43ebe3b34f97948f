"""The clients of a round: they follow rooms as Docs/Protocol.md requires, publish messages, and record everything.

Waiting between attempts is short: a round is some seconds.
"""

import asyncio
import contextlib
import json

from record import Ack, Delivered, Joined, Loaded, Message, Receipt, Record, Sent, Told
from websocket import ABNORMAL, Broken, WebSocket

RETRY_SECONDS = (0.05, 0.3)  # after `unavailable` and `conflict`
RECONNECT_SECONDS = (0.02, 0.4)
RESEND_SECONDS = 3.0  # a message without a reply is sent again after this time
REPLY_SECONDS_MAX = 25.0  # no command waits longer on an open connection
REJOIN_SECONDS = (0.1, 1.0)
MARK_SECONDS = (0.05, 0.4)  # between two receipts of a client
BACK_MAX = 80  # messages that a client requests again when it rejoins
FIRST_PAGE = 20
REACTIONS = ["👍", "❤️", "+1"]
WISHED_MAX = 30  # newest messages of a room that publishers edit, delete and react to
WINDOW = 24  # unacknowledged messages of a publisher
# Close codes that a well-behaved client may get: gone, lost, restarting, heartbeat, too slow, resync.
CLOSES = {ABNORMAL, 1001, 1012, 4000, 4001, 4002}


class Client:
    """Follows rooms over all reconnects, as one device of one user."""

    device = "one"
    node = 0  # the number of the hub, where there are several
    is_quiet = False  # sends nothing on its own

    def __init__(self, name, port, rooms, rng, record):
        self.name = name
        self.port = port
        self.rooms = rooms
        self.rng = rng
        self.record = record
        self.socket = None
        self.connection = 0
        self.joined = {}  # on this connection: room: (time of the first request, the hub's run at that time)
        self.seen = {}  # (room, user): the offset up to which the user has seen all, by receipts and messages
        self.positions = {}  # room: (epoch, offset)
        self.waiting = {}  # id: (command, time, the hub's run) without a reply yet, on this connection
        self.window = None  # the window of a drain
        self.is_settling = False
        self.serial = 0

    @property
    def life(self):
        """The run of the hub that the client is connected to."""
        return self.record.life

    @property
    def user(self):
        return self.name

    async def run(self):
        while True:
            try:
                await self.live()
            except OSError:
                pass  # there is no hub at the moment
            except Broken as error:
                self.record.complain(f"{self.name} was sent what isn't RFC 6455: {error}")
            low, high = self.window or RECONNECT_SECONDS
            await asyncio.sleep(self.rng.uniform(low, high))

    async def live(self):
        """One connection, from its handshake to its end."""
        socket = await WebSocket.connect(self.port)
        self.socket, self.window = socket, None
        self.connection += 1
        self.joined.clear()
        self.waiting.clear()
        self.is_welcome = False
        self.say({"op": "hello", "user": self.user, "device": self.device})
        tasks = [asyncio.create_task(work()) for work in (self.watch, self.rejoin, self.mark)]
        try:
            code = await socket.run(self.received)
        finally:
            for task in tasks:
                task.cancel()
            socket.abort()
            self.socket = None
        self.closed(code)

    def closed(self, code):
        self.record.count(f"closed {code}")
        if code not in CLOSES:
            self.record.complain(f"{self.name} was closed with {code}")

    def cut(self):
        if self.socket is not None:
            self.socket.abort()

    def say(self, command):
        if self.socket is not None:
            self.socket.send(json.dumps(command, ensure_ascii=False))

    def ask(self, command):
        self.serial += 1
        command = {**command, "id": f"{self.connection}-{self.serial}"}
        self.waiting[command["id"]] = (command, Record.now(), self.life)
        self.say(command)

    def ask_again(self, command):
        """Runs later, unless the connection has changed by then."""
        connection = self.connection

        def again():
            if self.connection == connection and self.socket is not None:
                self.ask(command)

        asyncio.get_running_loop().call_later(self.rng.uniform(*RETRY_SECONDS), again)

    async def watch(self):
        while True:
            await asyncio.sleep(1)
            for command, since, _ in list(self.waiting.values()):
                if Record.now() - since > REPLY_SECONDS_MAX:
                    what = f"{command['op']} in {command.get('room', 'no room')}"
                    self.record.complain(f"{self.name} has no reply to {what} after {REPLY_SECONDS_MAX:g} s")

    async def rejoin(self):
        """Rejoins rooms from an older position: history is read while messages arrive."""
        while True:
            await asyncio.sleep(self.rng.uniform(*REJOIN_SECONDS))
            if self.is_quiet:
                continue
            room = self.rng.choice(self.rooms)
            joining = any(command["op"] == "join" and command["room"] == room for command, *_ in self.waiting.values())
            if room in self.joined and not joining:
                self.join(room, back=self.rng.choice([0, self.rng.randint(0, BACK_MAX)]))

    async def mark(self):
        """Sends receipts, at the end in every room. Sometimes asks for the stored ones."""
        while True:
            await asyncio.sleep(self.rng.uniform(*MARK_SECONDS))
            if self.is_quiet or not self.is_welcome:
                continue
            for room in self.rooms if self.is_settling else [self.rng.choice(self.rooms)]:
                if room in self.joined:
                    op = "seen" if self.is_settling else self.rng.choice(["delivered", "seen"])
                    offset = self.positions[room][1]
                    self.record.say(room, self.name, offset, offset if op == "seen" else 0)
                    self.say({"op": op, "room": room, "offset": offset})
            if self.rng.random() < 0.1 and not any(command["op"] == "rooms" for command, *_ in self.waiting.values()):
                self.ask({"op": "rooms"})

    # Events

    def received(self, text):
        event = json.loads(text)
        handler = getattr(self, f"on_{event['op']}", None)
        if handler is not None:
            handler(event)

    def note(self, room, event):
        self.record.views.setdefault((self.name, room), []).append(event)

    def on_welcome(self, _):
        self.is_welcome = True
        for room in self.rooms:
            self.join(room)

    def join(self, room, back=0):
        command = {"op": "join", "room": room}
        if position := self.positions.get(room):
            command["since"] = {"epoch": position[0], "offset": max(0, position[1] - back)}
        else:
            command["limit"] = FIRST_PAGE
        self.ask(command)

    def on_joined(self, event):
        command, asked, life = self.waiting.pop(event["id"])
        since = command.get("since")
        room, epoch, offset = event["room"], event["epoch"], event["offset"]
        messages = tuple(map(Message.of, event["messages"]))
        position = (since["epoch"], since["offset"]) if since else None
        self.note(
            room, Joined(self.connection, position, epoch, offset, event["recovered"], messages, Record.now())
        )
        self.positions[room] = (epoch, offset)
        self.joined.setdefault(room, (asked, life))
        self.note_receipts("joined", room, event["receipts"], asked, life)
        for message in messages:
            self.saw(room, message.user, message.offset)
        if since:
            self.record.count("resumes")
        if since and not event["recovered"]:
            self.record.count("started over")
            if offset > 0:
                self.ask({"op": "history", "room": room, "before": offset + 1, "limit": FIRST_PAGE})

    def on_page(self, event):
        command, *_ = self.waiting.pop(event["id"])
        messages = tuple(map(Message.of, event["messages"]))
        loaded = Loaded(
            self.connection, command["before"], event["epoch"], messages, event["more"], event["offset"]
        )
        self.note(event["room"], loaded)

    def on_message(self, event):
        room, message = event["room"], Message.of(event)
        self.note(room, Delivered(self.connection, message, Record.now(), event.get("epoch")))
        self.saw(room, message.user, message.offset)  # a user has seen their own messages
        # Around a join, live messages may repeat those of its answer.
        if room in self.joined and message.offset == self.positions[room][1] + 1:
            epoch = self.positions[room][0]
            if event.get("epoch", epoch) == epoch:  # otherwise the conversation's history has started over
                self.positions[room] = (epoch, message.offset)

    on_edited = on_deleted = on_reaction = on_message

    def on_receipt(self, event):
        room = event["room"]
        asked, life = self.joined.get(room, (Record.now(), self.life))
        self.note_receipts("receipt", room, event["receipts"], asked, life)

    def note_receipts(self, how, room, entries, asked, life):
        receipts = tuple(map(Receipt.of, entries))
        for receipt in receipts:
            self.saw(room, receipt.user, receipt.seen)
        epoch, head = self.positions[room]
        self.record.receipts.append(
            Told(how, self.name, room, epoch, head, receipts, asked, Record.now(), life, self.node)
        )

    def on_rooms(self, event):
        _, asked, _ = self.waiting.pop(event["id"])
        self.note_rooms(event, asked)

    def note_rooms(self, event, asked):
        """A room that isn't listed is one in which the user has no receipt."""
        entries = {entry["room"]: entry for entry in event["rooms"]}
        for room in self.rooms:
            entry = entries.get(room, {"delivered": 0, "seen": 0})
            epoch, head = self.positions.get(room, ("", 0))
            receipt = Receipt(self.name, entry["delivered"], entry["seen"])
            self.record.receipts.append(
                Told(
                    "rooms", self.name, room, entry.get("epoch", epoch), entry.get("offset", head), (receipt,), asked,
                    Record.now(), self.record.life, self.node,
                )
            )

    def saw(self, room, user, offset):
        self.seen[room, user] = max(offset, self.seen.get((room, user), 0))

    def knows(self, seen):
        """Whether the client knows these receipts: {(room, user): offset}."""
        return all(room not in self.rooms or self.seen.get((room, user), 0) >= seen[room, user] for room, user in seen)

    def on_ping(self, _):
        self.say({"op": "pong"})

    def on_drain(self, event):
        after = event["reconnectAfterMs"]
        self.window = (after["min"] / 1000, after["max"] / 1000)

    def on_error(self, event):
        code = event["code"]
        self.record.count(code)
        command, *_ = self.waiting.pop(event.get("id"), (None,))
        if code not in ("unavailable", "conflict"):
            self.record.complain(f"{self.name} got the error {code}: {event['message']}")
        elif command is not None and command["op"] == "join":
            room, connection = command["room"], self.connection
            asyncio.get_running_loop().call_later(
                self.rng.uniform(*RETRY_SECONDS), lambda: self.connection == connection and self.join(room)
            )
        elif command is not None:
            self.ask_again({key: value for key, value in command.items() if key != "id"})

    def has_seen(self, heads):
        return all(self.positions.get(room, ("", 0))[1] >= heads.get(room, 0) for room in self.rooms)


class Publisher(Client):
    """Also sends, edits, deletes and reacts to messages. Repeats each until it is acknowledged, and some once more."""

    makes_changes = True

    def __init__(self, name, port, rooms, rng, record):
        super().__init__(name, port, rooms, rng, record)
        self.unacknowledged = {}  # id: (room, the time of the last attempt)
        self.acknowledged = []  # some (room, id), to be repeated
        self.seen = {}  # room: (offset, user) of the newest messages

    async def publish(self, pace):
        """Sends until it is cancelled: single messages, and sometimes bursts."""
        while True:
            await asyncio.sleep(self.rng.uniform(0.5, 1.5) * pace)
            if self.rng.random() < 0.02 and self.acknowledged:
                self.send(*self.rng.choice(self.acknowledged))
            for _ in range(WINDOW if self.rng.random() < 0.02 else 1):
                if len(self.unacknowledged) >= WINDOW:
                    break
                self.publish_one()

    def publish_one(self):
        id, room = f"{self.rng.getrandbits(128):032x}", self.rng.choice(self.rooms)
        request = self.request(room) if self.rng.random() < 0.3 and self.makes_changes else None
        text = self.text() if request is None or request["op"] == "edit" else None
        self.record.sent[room, self.name, id] = Sent(text, Record.now(), times=0, request=request)
        self.unacknowledged[id] = (room, 0.0)
        self.send(room, id)

    def request(self, room):
        """A change request for a seen message, rarely for a deleted one. None if there is no such message."""
        seen = self.seen.get(room, [])
        own = [offset for offset, user in seen if user == self.name]
        op = self.rng.choice(["react", "react", "react", "react", "edit", "edit", "delete"])
        if op != "react":
            return {"op": op, "offset": self.rng.choice(own)} if own else None
        if not seen:
            return None
        request = {"op": op, "offset": self.rng.choice(seen)[0], "reaction": self.rng.choice(REACTIONS)}
        return {**request, "remove": True} if self.rng.random() < 0.3 else request

    def on_message(self, event):
        super().on_message(event)
        seen = self.seen.setdefault(event["room"], [])
        if "of" not in event and (event["offset"], event["from"]) not in seen:
            seen.append((event["offset"], event["from"]))
            del seen[:-WISHED_MAX]

    on_edited = on_deleted = on_reaction = on_message

    def text(self):
        size = self.rng.choice([4, 40, 40, 200, 200, 200, 1500])
        return "".join(self.rng.choices("abcdefghijkl mnop \"\\\n<é…😀", k=size)).strip() or "."

    def send(self, room, id):
        if self.socket is None or room not in self.joined:
            return  # sent after the next join
        sent = self.record.sent[room, self.name, id]
        sent.times += 1
        if id in self.unacknowledged:
            self.unacknowledged[id] = (room, Record.now())
        command = {**(sent.request or {"op": "send"}), "id": id, **self.destination(room, sent)}
        self.say(command if sent.text is None else {**command, "text": sent.text})

    def destination(self, room, sent):
        return {"room": room}

    async def watch(self):
        """Repeats messages that have had no reply for long."""
        watching = asyncio.create_task(super().watch())
        try:
            while True:
                await asyncio.sleep(0.5)
                for id, (room, last) in list(self.unacknowledged.items()):
                    if Record.now() - last > RESEND_SECONDS:
                        self.send(room, id)
        finally:
            watching.cancel()

    def on_joined(self, event):
        is_there = event["room"] in self.joined
        super().on_joined(event)
        if is_there:
            return
        for id, (room, _) in list(self.unacknowledged.items()):
            if room == event["room"]:
                self.send(room, id)

    def on_ack(self, event):
        room, id = event["room"], event["id"]
        if event.get("unchanged"):
            self.record.count("unchanged")
            self.unacknowledged.pop(id, None)
            return
        duplicate = event.get("duplicate", False)
        if self.record.sent[room, self.name, id].request:
            self.record.count("changes")
        self.record.acks.append(
            Ack(room, self.name, id, event["epoch"], event["offset"], event["at"], duplicate, Record.now(), self.node)
        )
        if duplicate:
            self.record.count("duplicates")
        self.unacknowledged.pop(id, None)
        if self.rng.random() < 0.2:
            self.acknowledged.append((room, id))

    def on_error(self, event):
        id = event.get("id")
        if id not in self.unacknowledged:
            if event["code"] in ("unavailable", "conflict") and id not in self.waiting:
                self.record.count(event["code"])  # for a message that was acknowledged before
                return
            return super().on_error(event)
        self.record.count(event["code"])
        room = self.unacknowledged[id][0]
        if event["code"] == "not_found" and self.record.sent[room, self.name, id].request:
            del self.unacknowledged[id]  # the target was deleted in the meantime
            return
        if event["code"] not in ("unavailable", "conflict"):
            self.record.complain(f"{self.name} got the error {event['code']} for a message: {event['message']}")
        connection = self.connection

        def again():
            if self.connection == connection and id in self.unacknowledged:
                self.send(self.unacknowledged[id][0], id)

        asyncio.get_running_loop().call_later(self.rng.uniform(*RETRY_SECONDS), again)


class Reader(Client):
    """Reads the histories at the end of a round."""

    def __init__(self, port, rooms, rng, record, name="reader"):
        super().__init__(name, port, rooms, rng, record)
        self.replies = {}

    def received(self, text):
        event = json.loads(text)
        if event["op"] == "ping":
            self.on_ping(event)
        elif event["op"] == "welcome" or "id" in event:
            future = self.replies.pop(event.get("id"), None)
            if future is not None and not future.done():
                future.set_result(event)

    async def reply(self, command):
        """Returns the answer. Retries while the store starts."""
        while True:
            self.serial += 1
            id = None if command["op"] == "hello" else f"r-{self.serial}"
            future = self.replies[id] = asyncio.get_running_loop().create_future()
            self.say(command if id is None else {**command, "id": id})
            event = await future
            if event["op"] != "error":
                return event
            if event["code"] != "unavailable":
                raise Broken(f"{command['op']} is answered by {event['code']}: {event['message']}")
            await asyncio.sleep(0.1)

    @contextlib.asynccontextmanager
    async def connected(self):
        self.socket = await WebSocket.connect(self.port)
        running = asyncio.create_task(self.socket.run(self.received))
        try:
            await self.reply({"op": "hello", "user": self.name, "device": "one"})
            yield
        finally:
            running.cancel()
            self.socket.abort()

    async def read_rooms(self):
        """The user's receipts."""
        async with self.connected():
            asked = Record.now()
            self.note_rooms(await self.reply({"op": "rooms"}), asked)

    async def read(self):
        """Each room's epoch and head, and its messages from both ends."""
        found = {}
        async with self.connected():
            for room in self.rooms:
                asked = Record.now()
                joined = await self.reply({"op": "join", "room": room})
                self.positions[room] = (joined["epoch"], joined["offset"])
                self.note_receipts("joined", room, joined["receipts"], asked, self.record.life)
                found[room] = (
                    joined["epoch"],
                    joined["offset"],
                    await self.pages(room, "after", joined["epoch"]),
                    await self.pages(room, "before", joined["epoch"]),
                )
        return found

    async def pages(self, room, direction, epoch):
        """All messages, from the end if `before`."""
        messages, place = [], {"after": 0} if direction == "after" else {}
        while True:
            limit = self.rng.choice([7, 100, 500])
            page = await self.reply({"op": "history", "room": room, "limit": limit, **place})
            part = list(map(Message.of, page["messages"]))
            if page["epoch"] != epoch:
                self.record.complain(f"a page of {room} has the epoch {page['epoch']}, and its joined had {epoch}")
            messages = messages + part if direction == "after" else part + messages
            if not page["more"]:
                return messages
            if not part:
                raise Broken(f"a page of {room} is empty and says that there is more")
            place = {direction: part[-1].offset if direction == "after" else part[0].offset}
