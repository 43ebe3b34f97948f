// Rooms: joining, order and gaps, recovery, changes, pages, direct conversations, members, receipts, typing.
import assert from "node:assert/strict";
import { test } from "node:test";
import { LIMITS, World, ack, codeOf, change, joined, message, record, settle, texts, told } from "./support/world.mjs";

const textsOf = (events, type) => events.filter(([name]) => name === type).map(([, { text }]) => text);

// Joining

test("join requests the newest messages, and fills the room from the reply", async () => {
    const world = new World();
    const { hub, peer } = await world.connected();
    const joining = hub.join("lobby", { history: 20 });
    await settle();
    const room = hub.room("lobby");
    assert.deepEqual([room.status, hub.openRooms], ["joining", [room]]);
    const command = peer.take("join");
    assert.deepEqual([command.limit, command.since], [20, undefined]);
    const people = [{ user: "alice", name: "Alice A." }, { user: "bob" }];
    const receipts = [{ user: "bob", delivered: 42, seen: 41 }];
    const messages = [message(41), message(42, { name: "Bob B.", replyTo: 41, edited: 43, editedAt: 7 })];
    await peer.say(joined(command.id, { offset: 43, messages, members: people, count: 2, receipts }));
    assert.equal(await joining, room);
    assert.deepEqual([room.status, room.epoch, room.offset, room.hasOlder, room.count], ["joined", "e1", 43, true, 2]);
    assert.deepEqual([...room.members.values()], people);
    assert.deepEqual([...room.receipts], [["bob", { delivered: 42, seen: 42 }]], "a message implies that its sender has seen it");
    const [first, second] = room.messages;
    assert.deepEqual(first, {
        id: "m41", room: "lobby", offset: 41, from: "bob", name: "bob", isOwn: false, at: 1_800_000_000_041, text: "text 41",
        reactions: [], files: [], status: "sent",
    });
    assert.deepEqual([second.name, second.replyTo, second.editedAt, room.message(42)], ["Bob B.", 41, 7, second]);
    assert.equal(await hub.join("lobby"), room, "join resolves at once for a joined room");
    assert.ok(!peer.hears("join"));
});

test("a refused room has the hub's error, and another join tries again", async () => {
    const world = new World();
    const { hub, peer } = await world.connected();
    const joining = hub.join("secret");
    const sending = hub.room("secret").send("hi");
    await settle();
    await peer.say({ op: "error", id: peer.take("join").id, code: "forbidden", message: "Your token does not grant access to this room." });
    assert.deepEqual([await codeOf(joining), await codeOf(sending)], ["forbidden", "forbidden"]);
    const room = hub.room("secret");
    assert.deepEqual([room.status, room.error.code, room.error.retryable], ["refused", "forbidden", false]);
    assert.equal(await codeOf(room.send("again")), "forbidden");
    const again = hub.join("secret");
    await settle();
    await peer.say(joined(peer.take("join").id, { room: "secret" }));
    assert.equal((await again).status, "joined");
});

test("a join that fails temporarily is repeated after the hub's delay", async () => {
    for (const code of ["unavailable", "rate_limited", "conflict"]) {
        const world = new World();
        const { hub, peer } = await world.connected();
        const joining = hub.join("lobby");
        await settle();
        const { id } = peer.take("join");
        await peer.say({ op: "error", id, code, message: "not now", retryAfterMs: 3_000 });
        await world.advance(2_999);
        assert.ok(!peer.hears("join"));
        await world.advance(1);
        await peer.say(joined(peer.take("join").id));
        assert.equal((await joining).status, "joined");
    }
});

test("a join that times out continues in the background", async () => {
    const world = new World();
    const { hub, peer } = await world.connected();
    const joining = hub.join("lobby", { timeoutMs: 5_000 });
    await world.advance(5_000);
    assert.equal(await codeOf(joining), "timeout");
    await peer.say(joined(peer.take("join").id));
    assert.equal(hub.room("lobby").status, "joined");
});

test("an invalid room name is refused locally", async () => {
    const world = new World();
    const { hub, peer } = await world.connected();
    for (const name of ["", "Lobby", "-x", "a b", "x".repeat(65)]) assert.equal(await codeOf(hub.join(name)), "bad_request");
    assert.deepEqual([hub.openRooms, peer.heard], [[], []]);
});

test("leave sends a command, and fails the room's pending commands", async () => {
    const world = new World();
    const { hub, peer, room } = await world.inRoom();
    const events = record(hub, "left");
    const sending = room.send("too late");
    const leaving = room.leave();
    await settle();
    assert.deepEqual([room.status, hub.room("lobby"), events.length], ["left", undefined, 1]);
    assert.equal(await codeOf(sending), "left");
    await peer.say({ op: "left", id: peer.take("leave").id, room: "lobby" });
    await leaving;
    assert.deepEqual([await codeOf(room.send("x")), await codeOf(room.history())], ["left", "left"]);
});

test("a leave followed at once by a join ends in the room", async () => {
    const world = new World();
    const { hub, peer, room } = await world.inRoom();
    room.leave();
    const joining = hub.join("lobby");
    await settle();
    assert.deepEqual(peer.heard.map(({ op }) => op).filter((op) => op !== "delivered"), ["leave", "join"]);
    const [leave, join] = [peer.take("leave"), peer.take("join")];
    await peer.say({ op: "left", id: leave.id, room: "lobby" }, joined(join.id));
    const again = await joining;
    assert.notEqual(again, room);
    assert.deepEqual([again.status, hub.room("lobby")], ["joined", again]);
});

test("a kick reports its reason, and the room is not rejoined after a reconnect", async () => {
    const world = new World();
    const { hub, peer, room } = await world.inRoom();
    const events = record(room, "left", "status");
    await peer.say({ op: "left", room: "lobby", reason: "alice was kicked by bob" });
    assert.deepEqual(events, [["status", "left"], ["left", { reason: "alice was kicked by bob" }]]);
    await peer.drop(1006);
    await world.advance(2_000);
    await world.welcome();
    assert.deepEqual([hub.openRooms, world.peer.heard], [[], []]);
});

test("a room that was left before the reply to its join is left again after the reply", async () => {
    const world = new World();
    const { hub, peer } = await world.connected();
    hub.join("lobby");
    await settle();
    const { id } = peer.take("join");
    const leaving = hub.room("lobby").leave();
    await settle();
    // The hub had not completed the join yet.
    await peer.say({ op: "error", id: peer.take("leave").id, code: "not_found", message: "you aren't in this room" });
    await leaving;
    await peer.say(joined(id));
    assert.equal(hub.room("lobby"), undefined);
    await peer.say({ op: "left", id: peer.take("leave").id, room: "lobby" });
    assert.deepEqual([hub.state.name, hub.openRooms], ["connected", []]);
});

// Order, loss and recovery

test("a room takes the next offset, and ignores earlier ones", async () => {
    const world = new World();
    const { hub, peer, room } = await world.inRoom({ offset: 1 });
    const events = record(room, "message");
    const everywhere = record(hub, "message");
    await peer.say(told(2), told(2), told(1), told(3));
    assert.deepEqual(texts(room), ["text 1", "text 2", "text 3"]);
    assert.deepEqual(textsOf(events, "message"), ["text 2", "text 3"]);
    assert.deepEqual(everywhere.map(([, { room, message }]) => [room.name, message.offset]), [["lobby", 2], ["lobby", 3]]);
});

test("a gap causes a join with since; entries received meanwhile are set aside", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom({ offset: 1 });
    const events = record(room, "message", "status");
    await peer.say(told(4), told(5));
    assert.deepEqual([texts(room), room.status], [["text 1"], "joined"]);
    const join = peer.take("join");
    assert.deepEqual(join.since, { epoch: "e1", offset: 1 });
    assert.ok(!peer.hears("join"), "one join at a time");
    await peer.say(told(6), joined(join.id, { offset: 5, recovered: true, messages: [2, 3, 4, 5].map((at) => message(at)) }));
    assert.deepEqual(textsOf(events, "message"), [2, 3, 4, 5, 6].map((at) => `text ${at}`));
    assert.equal(room.offset, 6);
    assert.ok(!events.some(([type]) => type === "status"));
});

test("after a reconnect every room continues at its offset, with nothing lost, repeated or out of order", async () => {
    const world = new World();
    const { hub, peer, room } = await world.inRoom({ offset: 3 });
    hub.join("other");
    await settle();
    await peer.say(joined(peer.take("join").id, { room: "other", epoch: "e7", offset: 9, messages: [message(9)] }));
    const events = record(room, "message", "reset");
    await peer.drop(1006);
    await world.advance(2_000);
    await world.welcome();
    const joins = world.peer.takeAll("join");
    assert.deepEqual(joins.map(({ room, since }) => [room, since]), [
        ["lobby", { epoch: "e1", offset: 3 }], ["other", { epoch: "e7", offset: 9 }],
    ]);
    await world.peer.say(told(6), joined(joins[0].id, { offset: 5, recovered: true, messages: [message(4), message(5)] }));
    assert.deepEqual(events.map(([type, event]) => [type, event?.offset]), [["message", 4], ["message", 5], ["message", 6]]);
    assert.deepEqual([room.status, texts(room).length], ["joined", 6]);
});

// Many rooms in one join

const TOGETHER = { ...LIMITS, roomsPerJoin: 100 };
const roomNames = (count, length = 0) => Array.from({ length: count }, (_, index) => `room-${index}`.padEnd(length, "x"));
/** The rooms that joins request, in both forms: one room, or a list. */
const entriesOf = (commands) => commands.flatMap(({ rooms, op, ...entry }) => rooms ?? [entry]);

test("after a reconnect one join requests all rooms from their offsets, and each room has its own reply", async () => {
    const world = new World();
    const { hub, peer } = await world.connected({}, { limits: TOGETHER });
    const names = roomNames(20);
    const joining = names.map((name) => hub.join(name, { history: 10 }));
    await settle();
    const [first, ...more] = peer.takeAll("join");
    assert.deepEqual([first.id, first.room, more], [undefined, undefined, []]);
    assert.deepEqual(first.rooms.map(({ room, limit }) => [room, limit]), names.map((name) => [name, 10]));
    await peer.say(...first.rooms.map(({ id, room }, index) => joined(id, { room, offset: index, messages: [] })));
    await Promise.all(joining);
    await peer.drop(1006);
    await world.advance(2_000);
    await world.welcome({ limits: TOGETHER });
    const { rooms } = world.peer.take("join");
    assert.ok(!world.peer.hears("join"));
    assert.deepEqual(rooms.map(({ room, since, limit }) => [room, since, limit]),
        names.map((name, index) => [name, { epoch: "e1", offset: index }, undefined]));
    assert.equal(new Set(rooms.map(({ id }) => id)).size, 20);
    await world.peer.say({ op: "error", id: rooms[3].id, code: "forbidden", message: "no" },
        ...rooms.filter((_, index) => index !== 3).map(({ id, room, since }) => joined(id, { room, offset: since.offset, recovered: true })));
    assert.deepEqual(names.map((name) => hub.room(name).status), names.map((_, index) => (index === 3 ? "refused" : "joined")));
});

test("without roomsPerJoin, each room has its own join", async () => {
    const world = new World();
    const { hub, peer } = await world.connected();
    for (const name of roomNames(5)) hub.join(name).catch(() => {});
    await settle();
    assert.deepEqual(peer.takeAll("join").map(({ room, rooms }) => [room, rooms]), roomNames(5).map((name) => [name, undefined]));
});

test("a join stays within the limits of rooms, bytes and commands", async () => {
    const cases = [
        [{ ...TOGETHER, roomsPerJoin: 8 }, 20, [8, 8, 4]], [{ ...TOGETHER, roomsPerJoin: 8 }, 17, [8, 8, 1]],
        // The SDK counts less than 130 bytes for an entry here.
        [{ ...TOGETHER, messageBytes: 700 }, 12, [5, 5, 2]],
        // A join of 12 rooms costs 4 commands, which is half of the burst.
        [{ ...TOGETHER, commandsBurst: 8, commandsPerMinute: 6_000 }, 30, [12, 12, 6]],
    ];
    for (const [limits, count, expected] of cases) {
        const world = new World();
        const { hub, peer } = await world.connected({}, { limits });
        for (const name of roomNames(count, 50)) hub.join(name).catch(() => {});
        await settle();
        await world.advance(1_000);
        const joins = peer.takeAll("join");
        assert.deepEqual(joins.map(({ rooms }) => rooms?.length ?? 1), expected, JSON.stringify(limits));
        assert.ok(joins.every((join) => JSON.stringify(join).length <= limits.messageBytes));
        assert.deepEqual(entriesOf(joins).map(({ room }) => room), roomNames(count, 50));
    }
});

test("a join of several rooms takes its cost from the command budget", async () => {
    const world = new World();
    // Half of the burst, 30, is spent at once: 26 for the join of 100 rooms, and then 4 sends.
    const { hub, peer } = await world.connected({}, { limits: { ...TOGETHER, commandsPerMinute: 60 } });
    const rooms = roomNames(100);
    for (const name of rooms) hub.join(name).catch(() => {});
    await settle();
    const { rooms: asked } = peer.take("join");
    assert.equal(asked.length, 100);
    await peer.say(...asked.map(({ id, room }) => joined(id, { room })));
    for (const name of rooms) hub.room(name).send("hi").catch(() => {});
    await settle();
    assert.equal(peer.takeAll("send").length, 4);
});

test("a leave between joins keeps its place in the order", async () => {
    const world = new World();
    const { hub, peer } = await world.connected({}, { limits: TOGETHER });
    const joining = hub.join("b");
    await settle();
    await peer.say(joined(peer.take("join").id, { room: "b" }));
    await joining;
    hub.join("a").catch(() => {});
    hub.room("b").leave();
    hub.join("b").catch(() => {});
    hub.join("c").catch(() => {});
    await settle();
    assert.deepEqual(peer.heard.map(({ op, room, rooms }) => [op, room ?? rooms.map((entry) => entry.room)]),
        [["join", "a"], ["leave", "b"], ["join", ["b", "c"]]]);
});

// Following

const summary = (room, fields = {}) => ({ room, epoch: "e1", offset: 0, delivered: 0, seen: 0, unread: 0, ...fields });

/** Calls `follow`, and answers the request for the list of rooms. */
async function following(hub, peer, ...rooms) {
    const promise = hub.follow({ history: 2 });
    await settle();
    await peer.say({ op: "rooms", id: peer.take("rooms").id, rooms, more: false });
    return promise;
}

test("follow joins the listed rooms together, and direct conversations with unread messages", async () => {
    const world = new World();
    const { hub, peer } = await world.connected({}, { limits: TOGETHER });
    const last = (at) => ({ last: message(1, { at }) });
    const told = await following(hub, peer, summary("dm:alice:bob", { offset: 1, unread: 1 }), summary("dm:alice:eve", { offset: 3, seen: 3 }),
        summary("old", last(1)), summary("new", last(9)), summary("empty"));
    assert.equal(told.length, 5);
    assert.deepEqual(entriesOf(peer.takeAll("join")).map(({ room, limit }) => [room, limit]),
        [["new", 2], ["old", 2], ["dm:alice:bob", 2], ["empty", 2]]);
    assert.deepEqual(hub.openRooms.map(({ name }) => name), ["new", "old", "dm:alice:bob", "empty"]);
});

test("follow joins at most limits.rooms rooms: those with the newest messages", async () => {
    const world = new World();
    const { hub, peer } = await world.connected({}, { limits: { ...TOGETHER, rooms: 3 } });
    hub.join("here").catch(() => {});
    hub.direct("bob").catch(() => {});
    await settle();
    peer.takeAll("join");
    const rooms = [1, 2, 3, 4].map((at) => summary(`room-${at}`, { last: message(1, { at }) }));
    await following(hub, peer, ...rooms, summary("here"));
    await settle();
    assert.deepEqual(entriesOf(peer.takeAll("join")).map(({ room }) => room), ["room-4", "room-3"]);
});

test("unread starts from the hub's count before the view, and is kept up to date", async () => {
    const world = new World();
    const { hub, peer } = await world.connected({ messagesMax: 4 });
    await following(hub, peer, summary("lobby", { offset: 100, delivered: 100, seen: 40, unread: 60 }));
    await settle();
    const room = hub.room("lobby");
    // Message 101 was stored after the hub had made the list.
    const messages = [message(100), message(101)];
    await peer.say(joined(peer.take("join").id, { offset: 101, messages, receipts: [{ user: "alice", delivered: 100, seen: 40 }] }));
    assert.equal(room.unread, 61);
    await peer.say(told(102), told(103, { from: "bob" }), told(104));
    assert.deepEqual([room.unread, room.messages.length], [64, 4], "messages dropped from the view stay unread");
    room.trim(1);
    assert.equal(room.unread, 64);
    const loading = room.loadOlder(2);
    await settle();
    const page = { op: "page", id: peer.take("history").id, room: "lobby", epoch: "e1", offset: 104 };
    await peer.say({ ...page, messages: [message(102), message(103)], more: true });
    await loading;
    assert.equal(room.unread, 64, "messages loaded into the view are not counted twice");
    await peer.say({ op: "receipt", room: "lobby", receipts: [{ user: "alice", delivered: 104, seen: 101 }] });
    assert.equal(room.unread, 3, "read on another device");
    room.seen();
    assert.equal(room.unread, 0);
    await peer.say(told(105));
    assert.equal(room.unread, 1);
});

test("a list of an earlier state or another epoch changes nothing, a newer one raises seen", async () => {
    const world = new World();
    const { hub, peer, room } = await world.inRoom({ offset: 3 });
    room.seen(2);
    await following(hub, peer, summary("lobby", { offset: 3, delivered: 1, seen: 1, unread: 2 }));
    assert.equal(room.unread, 1);
    await following(hub, peer, summary("lobby", { epoch: "e0", offset: 90, delivered: 80, seen: 80, unread: 10 }));
    assert.deepEqual([room.unread, room.receipts.get("alice").seen], [1, 2]);
    await following(hub, peer, summary("lobby", { offset: 3, delivered: 3, seen: 3, unread: 0 }));
    assert.deepEqual([room.unread, room.receipts.get("alice").seen], [0, 3], "as in a large room, which has no receipts");
});

test("a room left without a connection is left on the next one, and not followed", async () => {
    const world = new World();
    const { hub, peer, room } = await world.inRoom();
    await peer.drop(1006);
    await room.leave();
    await world.advance(2_000);
    const next = await world.welcome({ limits: TOGETHER });
    await following(hub, next, summary("lobby"));
    const join = next.take("join");
    assert.deepEqual([join.room, join.limit], ["lobby", undefined]);
    await next.say(joined(join.id));
    await next.say({ op: "left", id: next.take("leave").id, room: "lobby" });
    assert.deepEqual([hub.openRooms, next.hears("join")], [[], false]);
    await following(hub, next, summary("lobby"));
    await settle();
    assert.ok(next.hears("join"), "another device has joined it since");
});

test("a leave is repeated until the hub has received it, or the room is joined again", async () => {
    const world = new World();
    const { hub, peer, room } = await world.inRoom();
    const leaving = room.leave();
    await settle();
    peer.take("leave");
    await peer.drop(1006);
    await leaving;
    await world.advance(2_000);
    let next = await world.welcome();
    next.take("join");
    await next.drop(1006);
    await world.advance(4_000);
    next = await world.welcome();
    await next.say(joined(next.take("join").id));
    assert.ok(next.hears("leave"), "one leave, however often the connection was lost");
    await next.drop(1006);
    hub.join("lobby").catch(() => {});
    await world.advance(4_000);
    next = await world.welcome();
    for (const { id } of next.takeAll("join")) await next.say(joined(id));
    assert.deepEqual([hub.room("lobby").status, next.hears("leave")], ["joined", false]);
});

// Commands behind a join

test("with roomsPerJoin, commands are sent right behind a join, without its reply", async () => {
    const world = new World();
    const { hub, peer } = await world.connected({}, { limits: TOGETHER });
    hub.join("lobby").catch(() => {});
    const room = hub.room("lobby");
    const sending = [room.send("one"), room.send("two")];
    const history = room.history({ limit: 5 });
    await settle();
    assert.deepEqual(peer.heard.map(({ op }) => op), ["join", "send", "history"], "sends of a room go one at a time");
    const [join, one, page] = [peer.take("join"), peer.take("send"), peer.take("history")];
    await peer.say(joined(join.id), ack(one, 1), { op: "page", id: page.id, room: "lobby", epoch: "e1", offset: 1, messages: [], more: false });
    const two = peer.take("send");
    await peer.say({ ...told(1), id: one.id, from: "alice", text: "one" }, ack(two, 2), { ...told(2), id: two.id, from: "alice", text: "two" });
    assert.deepEqual((await Promise.all(sending)).map(({ offset }) => offset), [1, 2]);
    assert.deepEqual((await history).messages, []);
    assert.deepEqual(texts(room), ["one", "two"]);
});

test("commands behind a temporarily refused join wait for the next join, and keep their order and ids", async () => {
    const world = new World();
    const { hub, peer } = await world.connected({}, { limits: TOGETHER });
    hub.join("lobby").catch(() => {});
    const room = hub.room("lobby");
    const sending = [room.send("one"), room.send("two")];
    const asking = room.who();
    await settle();
    const [join, one, who] = [peer.take("join"), peer.take("send"), peer.take("who")];
    const conflict = ({ id }) => ({ op: "error", id, code: "conflict", message: "Join the room first." });
    await peer.say({ op: "error", id: join.id, code: "unavailable", message: "not now", retryAfterMs: 2_000 }, conflict(one), conflict(who));
    assert.deepEqual(room.messages.map(({ status }) => status), ["sending", "sending"]);
    await world.advance(1_999);
    assert.deepEqual(peer.heard, []);
    await world.advance(1);
    const again = peer.take("join");
    assert.deepEqual(peer.heard, [], "once refused, commands wait for the reply to the join");
    await peer.say(joined(again.id));
    const repeated = peer.take("send");
    assert.deepEqual([repeated.id, repeated.text, peer.hears("who")], [one.id, "one", true]);
    await peer.say(ack(repeated, 1), { op: "members", id: peer.take("who").id, room: "lobby", members: [{ user: "alice" }], count: 1 });
    await peer.say(ack(peer.take("send"), 2));
    assert.deepEqual((await Promise.all(sending)).map(({ offset }) => offset), [1, 2]);
    assert.equal((await asking).count, 1);
});

test("commands behind a permanently refused join fail with the join's error", async () => {
    const world = new World();
    const { hub, peer } = await world.connected({}, { limits: TOGETHER });
    hub.join("secret").catch(() => {});
    const sending = hub.room("secret").send("hi");
    const errors = record(hub, "error");
    await settle();
    const [join, send] = [peer.take("join"), peer.take("send")];
    await peer.say({ op: "error", id: join.id, code: "forbidden", message: "Your token does not grant access to this room." },
        { op: "error", id: send.id, code: "conflict", message: "Join the room first." });
    assert.equal(await codeOf(sending), "forbidden");
    assert.deepEqual([hub.room("secret").messages[0].error.code, errors], ["forbidden", []]);
});

test("after a reconnect, waiting commands are sent right behind the joins", async () => {
    const world = new World();
    const { hub, peer } = await world.connected({}, { limits: TOGETHER });
    for (const name of ["a", "b"]) hub.join(name).catch(() => {});
    await settle();
    await peer.say(...peer.take("join").rooms.map(({ id, room }) => joined(id, { room })));
    await peer.drop(1006);
    for (const name of ["b", "a"]) hub.room(name).send(`to ${name}`);
    await world.advance(2_000);
    await world.welcome({ limits: TOGETHER });
    assert.deepEqual(world.peer.heard.map(({ op, text }) => text ?? op), ["join", "to b", "to a"]);
});

test("without recovery, the view is emptied and the newest messages are loaded", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom({ offset: 3, receipts: [{ user: "eve", delivered: 3, seen: 3 }] });
    const events = record(room, "reset", "message");
    await peer.drop(4002);
    await world.advance(2_000);
    await world.welcome();
    await world.peer.say(joined(world.peer.take("join").id, { epoch: "e2", offset: 90 }));
    assert.deepEqual([events, room.messages, room.epoch], [[["reset", undefined]], [], null]);
    const again = world.peer.take("join");
    assert.deepEqual([again.since, again.limit], [undefined, 50]);
    const messages = [message(91), message(92)];
    const receipts = [{ user: "eve", delivered: 1, seen: 0 }];
    await world.peer.say(told(92), joined(again.id, { epoch: "e2", offset: 92, messages, receipts }), told(93));
    assert.deepEqual(room.receipts.get("eve"), { delivered: 1, seen: 0 }, "receipts of the earlier epoch are dropped");
    assert.deepEqual([texts(room), room.epoch], [["text 91", "text 92", "text 93"], "e2"]);
    assert.deepEqual(events.slice(1).map(([, { offset }]) => offset), [92, 93], "only new messages cause an event");
});

test("entries beyond the number that can be set aside are requested again", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom({ offset: 1 });
    const far = Array.from({ length: 510 }, (_, index) => told(index + 3));
    await peer.say(...far);
    await peer.say(joined(peer.take("join").id, { offset: 2, recovered: true, messages: [message(2)] }));
    assert.equal(room.offset, 502);
    assert.deepEqual(peer.take("join").since, { epoch: "e1", offset: 502 });
});

test("a reply has no effect after its connection was lost", async () => {
    const world = new World();
    const { hub, peer } = await world.connected();
    hub.join("lobby");
    await settle();
    // `say` would wait: the callbacks of the reply's promise must run after the loss.
    peer.onmessage({ data: JSON.stringify(joined(peer.take("join").id)) });
    await peer.drop(1006);
    assert.equal(hub.room("lobby").status, "joining");
});

test("an ephemeral message is shown without an offset", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom();
    await peer.say({ op: "message", room: "lobby", id: "e", from: "bob", at: 5, text: "psst", ephemeral: true });
    assert.deepEqual([texts(room), room.offset, room.messages[0].ephemeral], [["psst"], 0, true]);
});

test("the view is bounded, and reports that there are older messages", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom({ hub: { messagesMax: 3 } });
    assert.equal(room.hasOlder, false);
    await peer.say(...[1, 2, 3, 4, 5].map((offset) => told(offset)));
    assert.deepEqual([texts(room), room.hasOlder], [["text 3", "text 4", "text 5"], true]);
    assert.equal(await codeOf(room.loadOlder()), "too_large");
    room.trim(1);
    assert.deepEqual(texts(room), ["text 5"]);
    const loading = room.loadOlder();
    await settle();
    const { before, limit, id } = peer.take("history");
    assert.deepEqual([before, limit], [5, 2]);
    await peer.say({ op: "page", id, room: "lobby", epoch: "e1", offset: 5, messages: [message(3), message(4)], more: true });
    assert.equal(await loading, true);
    assert.deepEqual(texts(room), ["text 3", "text 4", "text 5"]);
});

// Changes

test("changes take an offset, and update the message in the view", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom({ offset: 2 });
    const updates = record(room, "update", "message");
    const before = room.messages;
    await peer.say(change("edited", 3, 1, { text: "better" }));
    assert.deepEqual([before[0].text, room.messages[0].text, room.messages[0].editedAt], ["text 1", "better", 1_800_000_000_003]);
    assert.equal(room.messages[1], before[1], "an unchanged message is the same object");
    await peer.say(change("reaction", 4, 1, { reaction: "👍", count: 1 }), change("reaction", 5, 1, { from: "eve", reaction: "👍", count: 2 }));
    assert.deepEqual(room.messages[0].reactions, [{ reaction: "👍", count: 2, by: ["bob", "eve"] }]);
    await peer.say(change("reaction", 6, 1, { reaction: "👍", count: 1, removed: true }));
    assert.deepEqual(room.messages[0].reactions, [{ reaction: "👍", count: 1, by: ["eve"] }]);
    await peer.say(change("reaction", 7, 1, { from: "eve", reaction: "👍", count: 0, removed: true }));
    assert.deepEqual(room.messages[0].reactions, []);
    await peer.say(change("deleted", 8, 2), change("edited", 9, 2, { text: "never" }), change("pinned", 10, 1, { unknown: 1 }), told(11));
    assert.deepEqual([room.messages[1].text, room.messages[1].deletedAt > 0, room.offset], ["", true, 11]);
    assert.deepEqual(updates.map(([type]) => type), [...Array(6).fill("update"), "message"]);
});

test("a reaction names at most five users", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom({ offset: 1 });
    const users = ["b", "c", "d", "e", "f", "g"];
    await peer.say(...users.map((from, index) => change("reaction", index + 2, 1, { from, reaction: "🎉", count: index + 1 })));
    assert.deepEqual(room.messages[0].reactions, [{ reaction: "🎉", count: 6, by: ["b", "c", "d", "e", "f"] }]);
});

test("a message from a page includes the changes up to the page's offset", async () => {
    const world = new World();
    const entries = [
        message(1, { text: "newest", edited: 3, editedAt: 9, reactions: [{ reaction: "👍", count: 1, by: ["eve"] }] }),
        { op: "reaction", ...message(2, { of: 1, reaction: "👍", count: 9 }), text: undefined },
        { op: "edited", ...message(3, { of: 1, text: "newest" }) },
        { op: "mystery", offset: 4, id: "x", from: "bob", at: 1 },
    ];
    const { peer, room } = await world.inRoom({ messages: entries, offset: 4 });
    assert.deepEqual([texts(room), room.messages[0].reactions[0].count, room.offset], [["newest"], 1, 4]);
    await peer.say(change("reaction", 5, 1, { reaction: "👍", count: 2 }));
    assert.equal(room.messages[0].reactions[0].count, 2);
});

test("missed changes update the view; the missed edit of a deleted message has no text", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom({ offset: 2 });
    await peer.drop(1006);
    await world.advance(2_000);
    await world.welcome();
    const updates = record(room, "update");
    const missed = [
        { ...change("edited", 3, 1), room: undefined }, { ...change("deleted", 4, 1), room: undefined },
        { ...change("edited", 5, 2, { text: "as it is" }), room: undefined },
    ];
    await world.peer.say(joined(world.peer.take("join").id, { offset: 5, recovered: true, messages: missed }));
    assert.deepEqual([texts(room), room.offset], [["", "as it is"], 5]);
    assert.deepEqual(textsOf(updates, "update"), ["", "as it is"]);
    assert.ok(room.messages[0].deletedAt);
});

// Pages

test("loadOlder adds the page before the view, and applies only changes after the page's offset", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom({ messages: [message(10)], offset: 10 });
    const loading = room.loadOlder(2);
    assert.equal(room.loadOlder(2), loading, "one request at a time");
    await settle();
    const { id, before, limit } = peer.take("history");
    assert.deepEqual([before, limit], [10, 2]);
    await peer.say(change("edited", 11, 8, { text: "before the page was read" }), change("edited", 12, 9, { text: "after it" }));
    const messages = [message(8, { text: "before the page was read" }), message(9)];
    await peer.say({ op: "page", id, room: "lobby", epoch: "e1", offset: 11, messages, more: false });
    assert.equal(await loading, false);
    assert.deepEqual([texts(room), room.hasOlder], [["before the page was read", "after it", "text 10"], false]);
    await peer.say(change("deleted", 13, 8));
    assert.ok(room.message(8).deletedAt, "a loaded message is updated");
    assert.equal(await room.loadOlder(), false);
    assert.ok(!peer.hears("history"));
});

test("loadOlder skips pages that contain only changes", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom({ messages: [message(10)], offset: 10 });
    const loading = room.loadOlder();
    await settle();
    const changes = [{ ...change("deleted", 9, 1), room: undefined }];
    await peer.say({ op: "page", id: peer.take("history").id, room: "lobby", epoch: "e1", offset: 10, messages: changes, more: true });
    const { id, before } = peer.take("history");
    assert.equal(before, 9);
    await peer.say({ op: "page", id, room: "lobby", epoch: "e1", offset: 10, messages: [message(8)], more: true });
    assert.equal(await loading, true);
    assert.deepEqual(texts(room), ["text 8", "text 10"]);
});

test("a page of another epoch is not added", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom({ messages: [message(10)], offset: 10 });
    const loading = room.loadOlder();
    await settle();
    await peer.say({ op: "page", id: peer.take("history").id, room: "lobby", epoch: "e2", offset: 10, messages: [message(9)], more: true });
    await loading;
    assert.deepEqual(texts(room), ["text 10"]);
});

test("a page that no longer adjoins the view is not added", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom({ messages: [5, 6, 7].map((offset) => message(offset)), offset: 7 });
    const loading = room.loadOlder(2);
    await settle();
    room.trim(1);
    await peer.say({ op: "page", id: peer.take("history").id, room: "lobby", epoch: "e1", offset: 7, messages: [message(3), message(4)], more: true });
    assert.deepEqual([await loading, texts(room)], [true, ["text 7"]]);
});

test("a page fails if too many changes arrive during its request", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom({ offset: 1 });
    const asking = codeOf(room.history());
    await settle();
    await peer.say(...Array.from({ length: 1_001 }, (_, index) => change("edited", index + 2, 1, { text: `${index}` })));
    await peer.say({ op: "page", id: peer.take("history").id, room: "lobby", epoch: "e1", offset: 1, messages: [message(1)], more: false });
    assert.equal(await asking, "unavailable");
    assert.equal(room.message(1).text, "1000");
});

test("history fetches a page, and does not change the view", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom({ offset: 1 });
    const asking = room.history({ after: 3, limit: 9_999 });
    await settle();
    const { id, after, before, limit } = peer.take("history");
    assert.deepEqual([after, before, limit], [3, undefined, 500]);
    const messages = [message(4), { ...change("deleted", 5, 1), room: undefined }];
    await peer.say({ op: "page", id, room: "lobby", epoch: "e1", offset: 9, messages, more: true });
    const page = await asking;
    assert.deepEqual([page.messages.length, page.first, page.last, page.more], [1, 4, 5, true]);
    assert.deepEqual(texts(room), ["text 1"]);
});

test("a request is repeated after a reconnect, and ends by its timeout or signal", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom();
    const controller = new AbortController();
    const asking = codeOf(room.history({ timeoutMs: 10_000 }));
    const given = codeOf(room.who({ signal: controller.signal }));
    await settle();
    controller.abort();
    assert.equal(await given, "aborted");
    const { id } = peer.take("history");
    await peer.drop(1006);
    await world.advance(2_000);
    await world.welcome();
    assert.ok(!world.peer.hears("history"), "not before the room is joined");
    await world.peer.say(joined(world.peer.take("join").id, { recovered: true }));
    assert.equal(world.peer.take("history").id, id);
    await world.advance(10_000);
    assert.equal(await asking, "timeout");
});

// Direct conversations

test("a message in a new direct conversation opens it, and causes a message event", async () => {
    const world = new World();
    const { hub, peer } = await world.connected();
    const events = record(hub, "room", "message");
    const first = { ...told(5), room: "dm:alice:bob", epoch: "e9" };
    await peer.say(first);
    const join = peer.take("join");
    assert.deepEqual([join.room, join.limit], ["dm:alice:bob", 50]);
    const room = hub.room("dm:alice:bob");
    assert.deepEqual([room.peer, room.messages], ["bob", []]);
    const fields = { room: room.name, epoch: "e9", offset: 5, members: [], count: 0 };
    await peer.say(joined(join.id, { ...fields, messages: [message(4), message(5)] }), first);
    assert.deepEqual(texts(room), ["text 4", "text 5"]);
    assert.deepEqual(events.map(([type, { message }]) => [type, message?.offset]), [["room", undefined], ["message", 5]]);
});

test("an entry of another epoch resets a direct conversation", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom({ room: "dm:alice:bob", offset: 3 });
    const events = record(room, "reset");
    const begun = { ...told(1, { text: "anew" }), room: "dm:alice:bob", epoch: "e2" };
    await peer.say(begun);
    const join = peer.take("join");
    assert.deepEqual(join.since, { epoch: "e1", offset: 3 });
    await peer.say(joined(join.id, { room: room.name, epoch: "e2", offset: 1, recovered: false }));
    assert.equal(events.length, 1);
    const again = peer.take("join");
    await peer.say(joined(again.id, { room: room.name, epoch: "e2", offset: 1, messages: [message(1, { text: "anew" })] }), begun);
    assert.deepEqual(texts(room), ["anew"]);
});

test("an entry of another epoch during a join causes another join", async () => {
    const world = new World();
    const { hub, peer } = await world.connected();
    const name = "dm:alice:bob";
    hub.join(name);
    await settle();
    const anew = { ...told(1), room: name, epoch: "e2" };
    await peer.say(anew, joined(peer.take("join").id, { room: name, epoch: "e1", offset: 3, messages: [message(3)] }));
    assert.deepEqual(peer.take("join").since, { epoch: "e1", offset: 3 });
});

test("direct opens a conversation once the client's user is known; leaving it sends nothing", async () => {
    const world = new World();
    const hub = world.hub();
    hub.connect();
    const opening = hub.direct("zoe");
    const peer = await world.welcome({ user: "we:ird" });
    const join = peer.take("join");
    assert.equal(join.room, "dm:we%3Aird:zoe");
    await peer.say(joined(join.id, { room: join.room, members: [], count: 0 }));
    const room = await opening;
    assert.equal(room.peer, "zoe");
    await room.leave();
    assert.ok(!peer.hears("leave"));
    assert.deepEqual(hub.openRooms, []);
});

test("a change does not open a direct conversation", async () => {
    const world = new World();
    const { hub, peer } = await world.connected();
    await peer.say({ ...change("edited", 3, 1, { text: "x" }), room: "dm:alice:bob", epoch: "e" });
    assert.deepEqual([hub.openRooms, peer.heard], [[], []]);
});

test("rooms fetches all pages", async () => {
    const world = new World();
    const { hub, peer } = await world.connected();
    const asking = hub.rooms();
    const summary = (room, fields) => ({ room, epoch: "e", offset: 7, delivered: 7, seen: 5, unread: 2, ...fields });
    await settle();
    const first = peer.take("rooms");
    assert.deepEqual([first.limit, first.startAfter], [100, undefined]);
    await peer.say({ op: "rooms", id: first.id, rooms: [summary("a", { last: message(7) })], more: true });
    const second = peer.take("rooms");
    assert.equal(second.startAfter, "a");
    await peer.say({ op: "rooms", id: second.id, rooms: [summary("b")], more: false });
    const rooms = await asking;
    assert.deepEqual(rooms.map(({ room, unread, last }) => [room, unread, last?.text]), [["a", 2, "text 7"], ["b", 2, undefined]]);
});

// Members, receipts, typing

test("presence adds, replaces and removes members; who replaces them all", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom();
    const events = record(room, "members");
    const members = room.members;
    await peer.say({ op: "presence", room: "lobby", joined: [{ user: "bob" }, { user: "alice", name: "Al" }], left: ["eve"], count: 7 });
    assert.deepEqual([[...room.members.keys()], room.count, events.length, members.size], [["alice", "bob"], 7, 1, 1]);
    assert.equal(room.members.get("alice").name, "Al");
    const asking = room.who();
    await settle();
    await peer.say({ op: "members", id: peer.take("who").id, room: "lobby", members: [{ user: "bob" }], count: 1 });
    assert.deepEqual(await asking, { members: [{ user: "bob" }], count: 1 });
    assert.deepEqual([...room.members.keys()], ["bob"]);
});

test("delivered is sent automatically: only the newest offset, once a second", async () => {
    const world = new World();
    const { peer } = await world.inRoom({ offset: 3 });
    await world.advance(50);
    assert.deepEqual(peer.takeAll("delivered"), [{ op: "delivered", room: "lobby", offset: 3 }]);
    for (let offset = 4; offset < 24; offset++) {
        await peer.say(told(offset));
        await world.advance(100);
    }
    await world.advance(1_000);
    assert.deepEqual(peer.takeAll("delivered").map(({ offset }) => offset), [13, 23]);
    await world.advance(5_000);
    assert.ok(!peer.hears("delivered"), "nothing is sent without news");
});

test("seen includes delivered, takes effect at once, and never goes back", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom({ offset: 3 });
    assert.equal(room.unread, 3);
    room.seen(2);
    room.seen();
    room.seen(1);
    room.seen(99);
    assert.deepEqual([room.unread, room.receipts.get("alice")], [0, { delivered: 3, seen: 3 }]);
    await world.advance(1_000);
    assert.deepEqual(peer.heard.map(({ op, offset }) => [op, offset]), [["seen", 3]]);
});

test("receipts grow by events and by their users' messages; seenBy lists the users who have seen a message", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom({ offset: 3, receipts: [{ user: "eve", delivered: 2, seen: 1 }] });
    const grown = { op: "receipt", room: "lobby", receipts: [{ user: "eve", delivered: 3, seen: 3 }, { user: "alice", delivered: 3, seen: 2 }] };
    await peer.say(grown);
    assert.deepEqual(room.seenBy(3), ["eve"], "without the sender and one's own user");
    assert.equal(room.unread, 1, "another device of the user has seen it");
    await peer.say({ op: "receipt", room: "lobby", receipts: [{ user: "eve", delivered: 1, seen: 0 }] });
    assert.deepEqual(room.receipts.get("eve"), { delivered: 3, seen: 3 });
    await peer.say(told(4, { from: "carol" }));
    assert.deepEqual(room.receipts.get("carol"), { delivered: 4, seen: 4 });
    await peer.say(change("deleted", 5, 4, { from: "carol" }));
    assert.equal(room.receipts.get("carol").seen, 4, "a change does not raise receipts");
});

test("after a reconnect the client sends its user's receipt again, and keeps the higher offsets", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom({ offset: 3 });
    room.seen();
    await world.advance(1_000);
    await peer.drop(1006);
    await world.advance(2_000);
    await world.welcome();
    const receipts = [{ user: "alice", delivered: 2, seen: 1 }];
    await world.peer.say(joined(world.peer.take("join").id, { offset: 3, recovered: true, receipts }));
    await world.advance(1_000);
    assert.deepEqual(world.peer.take("seen").offset, 3);
    assert.equal(room.receipts.get("alice").seen, 3);
});

test("the higher offsets are kept for other users too, and for one's own user in a large room without receipts", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom({ offset: 3 });
    await peer.say(told(4, { from: "carol" }));
    room.seen();
    await peer.drop(1006);
    await world.advance(2_000);
    await world.welcome();
    const receipts = [{ user: "carol", delivered: 3, seen: 3 }];
    await world.peer.say(joined(world.peer.take("join").id, { offset: 4, recovered: true, receipts, count: 201 }));
    assert.deepEqual([...room.receipts], [["carol", { delivered: 4, seen: 4 }], ["alice", { delivered: 4, seen: 4 }]]);
    await world.peer.say(told(5, { from: "dave" }), told(6, { from: "alice" }));
    assert.deepEqual([...room.receipts.keys()], ["carol", "alice"]);
    assert.equal(room.receipts.get("alice").seen, 6);
});

test("typing ends with a stop, after 6 s, or with the user's message", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom();
    const events = record(room, "typing");
    const typing = (user, active = true) => ({ op: "typing", room: "lobby", user, active });
    await peer.say(typing("bob"), typing("eve"), typing("carol"), typing("alice"));
    assert.deepEqual(room.typingUsers, ["bob", "eve", "carol"]);
    await peer.say(typing("bob", false), { ...told(1), from: "eve" });
    assert.deepEqual([room.typingUsers, events.length], [["carol"], 5]);
    await world.advance(5_999);
    assert.deepEqual(room.typingUsers, ["carol"]);
    world.sleep(1);
    assert.deepEqual(room.typingUsers, [], "correct even while timers are suspended");
    await world.advance(0);
    assert.equal(events.length, 6);
    await peer.say(typing("bob"));
    await peer.drop(1006);
    assert.deepEqual(room.typingUsers, [], "empty without a connection");
});

test("getters return the same object while nothing has changed", async () => {
    const world = new World();
    const receipts = [{ user: "bob", delivered: 2, seen: 2 }, { user: "eve", delivered: 1, seen: 1 }];
    const { hub, peer, room } = await world.inRoom({ offset: 2, receipts });
    await peer.say({ op: "typing", room: "lobby", user: "bob", active: true });
    const read = {
        state: () => hub.state, limits: () => hub.limits, openRooms: () => hub.openRooms, room: () => hub.room("lobby"),
        messages: () => room.messages, message: () => room.message(2), members: () => room.members, receipts: () => room.receipts,
        typingUsers: () => room.typingUsers, seenBy: () => room.seenBy(2), seenByNobody: () => room.seenBy(99), error: () => room.error,
    };
    const changes = {
        state: () => world.peer.drop(1006), limits: () => world.advance(2_000).then(() => world.welcome()),
        openRooms: () => void hub.join("other").catch(() => {}),
        messages: () => peer.say(told(3)), message: () => peer.say(change("edited", 4, 2, { text: "better" })),
        members: () => peer.say({ op: "presence", room: "lobby", joined: [{ user: "eve" }], left: [], count: 2 }),
        receipts: () => peer.say({ op: "receipt", room: "lobby", receipts: [{ user: "eve", delivered: 2, seen: 2 }] }),
        typingUsers: () => world.advance(6_000), seenBy: () => peer.say({ op: "receipt", room: "lobby", receipts: [{ user: "carol", delivered: 2, seen: 2 }] }),
    };
    for (const [name, get] of Object.entries(read)) assert.equal(get(), get(), name);
    // Unrelated events leave every object identical.
    const before = Object.fromEntries(Object.entries(read).map(([name, get]) => [name, get()]));
    await peer.say({ op: "ping" }, { op: "typing", room: "lobby", user: "bob", active: true }, { op: "notice", room: "lobby", text: "hi" });
    await world.advance(1_000);
    for (const [name, get] of Object.entries(read)) assert.equal(get(), before[name], name);
    for (const name of ["typingUsers", "members", "receipts", "seenBy", "messages", "message", "openRooms", "state", "limits"]) {
        const earlier = read[name]();
        await changes[name]();
        assert.notEqual(read[name](), earlier, `${name} has changed`);
        assert.equal(read[name](), read[name](), name);
    }
});

test("typing is sent at most every 3 s, and ends after 6 s without a call, or with the message", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom();
    for (let key = 0; key < 40; key++) {
        room.typing();
        await world.advance(100);
    }
    assert.deepEqual(peer.takeAll("typing").map(({ active }) => active), [true, true]);
    await world.advance(6_000);
    assert.deepEqual(peer.takeAll("typing").map(({ active }) => active), [false]);
    room.typing();
    room.typing(false);
    room.typing(false);
    assert.deepEqual(peer.takeAll("typing").map(({ active }) => active), [true, false]);
    room.typing();
    room.send("done");
    await world.advance(10_000);
    assert.deepEqual(peer.takeAll("typing").map(({ active }) => active), [true]);
});

test("one change event covers all events of a task", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom();
    let changes = 0;
    room.on("change", () => (changes += 1));
    await peer.say(told(1), told(2), { op: "presence", room: "lobby", joined: [], left: [], count: 1 });
    assert.equal(changes, 1);
});

// Slash commands

test("a slash command resolves to the hub's reply", async () => {
    const world = new World();
    const { hub, peer, room } = await world.inRoom();
    const notices = record(hub, "notice");
    const said = async (text, reply) => {
        const answer = room.send(text);
        await settle();
        const { id } = peer.take("send");
        await peer.say({ id, room: "lobby", ...reply });
        return answer;
    };
    assert.deepEqual((await said("/ping", { op: "notice", text: "pong" })).text, "pong");
    assert.equal((await said("/who", { op: "members", members: [{ user: "bob" }], count: 1 })).count, 1);
    const whisper = await said("/w bob hi", { op: "ack", room: "dm:alice:bob", epoch: "e", offset: 1, at: 5 });
    assert.deepEqual([whisper.kind, whisper.room], ["stored", "dm:alice:bob"]);
    assert.deepEqual([room.messages, notices.map(([, { text }]) => text)], [[], ["pong"]]);
});

test("/join opens a room, /leave leaves it", async () => {
    const world = new World();
    const { hub, peer, room } = await world.inRoom();
    const entering = room.send("/join other");
    await settle();
    await peer.say(joined(peer.take("send").id, { room: "other", offset: 2, messages: [message(1), message(2)] }));
    assert.deepEqual([(await entering).kind, hub.room("other").status, texts(hub.room("other")).length], ["joined", "joined", 2]);
    assert.ok(!peer.hears("join"));
    const leaving = room.send("/leave other");
    await settle();
    await peer.say({ op: "left", id: peer.take("send").id, room: "other" });
    assert.deepEqual([(await leaving).kind, hub.room("other")], ["left", undefined]);
});

test("/join of a joined room adds new messages, requests missing ones, and resets the view for another epoch", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom({ offset: 3 });
    const events = record(room, "message", "reset");
    const join = async (fields) => {
        room.send("/join lobby");
        await settle();
        await peer.say(joined(peer.take("send").id, fields));
    };
    await join({ offset: 4, messages: [2, 3, 4].map((offset) => message(offset)) });
    assert.deepEqual(texts(room), [1, 2, 3, 4].map((offset) => `text ${offset}`));
    await join({ offset: 9, messages: [message(9)] });
    const { id, since } = peer.take("join");
    assert.deepEqual([since, texts(room).length], [{ epoch: "e1", offset: 4 }, 4]);
    await peer.say(joined(id, { offset: 9, recovered: true, messages: [5, 6, 7, 8, 9].map((offset) => message(offset)) }));
    await join({ offset: 2, epoch: "e2", messages: [message(1, { text: "anew" }), message(2)] });
    assert.deepEqual([texts(room), room.epoch, room.offset], [["anew", "text 2"], "e2", 2]);
    assert.deepEqual(events.map(([type, event]) => event?.offset ?? type), [4, 5, 6, 7, 8, 9, "reset"]);
});

test("a literal text is escaped, so that it is not a command", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom();
    room.send("/etc/hosts", { literal: true });
    await settle();
    const command = peer.take("send");
    assert.deepEqual([command.text, texts(room)], ["//etc/hosts", ["/etc/hosts"]]);
    await peer.say(ack(command, 1));
    assert.equal(room.messages[0].status, "sent");
});
