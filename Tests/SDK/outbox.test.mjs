// Sending: ids, order, repeats, limits, rates, pending messages in the view, and the outbox after a reload.
import assert from "node:assert/strict";
import { test } from "node:test";
import { World, ack, codeOf, joined, message, record, settle, texts, told, LIMITS } from "./support/world.mjs";

const statuses = (room) => room.messages.map(({ status, text }) => [text, status]);

/** Drops the connection, reconnects, and answers the joins as recovered. Returns the new peer. */
async function backAgain(world, hub, fields = {}) {
    await world.peer.drop(1006);
    hub.connect();
    const peer = await world.welcome();
    for (const { id, room } of peer.takeAll("join")) await peer.say(joined(id, { room, recovered: true, ...fields }));
    return peer;
}

class MemoryStorage {
    items = new Map();
    getItem(key) {
        return this.items.get(key) ?? null;
    }
    setItem(key, value) {
        this.items.set(key, String(value));
    }
    removeItem(key) {
        this.items.delete(key);
    }
}

// Sending

test("a sent message is in the view at once, and is replaced by the hub's", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom({ offset: 1 });
    const events = record(room, "pending", "message");
    const sending = room.send("hi", { replyTo: 1 });
    const [, pending] = room.messages;
    assert.deepEqual([pending.status, pending.isOwn, pending.text, pending.replyTo], ["sending", true, "hi", 1]);
    await settle();
    const command = peer.take("send");
    assert.match(command.id, /^[0-9a-f]{32}$/);
    assert.deepEqual(command, { op: "send", id: pending.id, room: "lobby", text: "hi", replyTo: 1 });
    await peer.say(ack(command, 2));
    const reply = await sending;
    assert.deepEqual([reply.kind, reply.id, reply.offset, reply.epoch], ["stored", command.id, 2, "e1"]);
    assert.deepEqual(statuses(room), [["text 1", "sent"], ["hi", "sent"]]);
    await peer.say(told(2, { id: command.id, from: "alice", text: "hi" }));
    assert.deepEqual(statuses(room), [["text 1", "sent"], ["hi", "sent"]]);
    assert.deepEqual(events.map(([type, { status }]) => [type, status]), [["pending", "sending"], ["pending", "sent"], ["message", "sent"]]);
});

test("a delivery before the ack counts as the ack; the same id of another user is another message", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom();
    const sending = room.send("hi");
    await settle();
    const { id } = peer.take("send");
    await peer.say(told(1, { id, text: "copied id" }));
    assert.deepEqual(statuses(room), [["copied id", "sent"], ["hi", "sending"]]);
    await peer.say(told(2, { id, from: "alice", text: "hi" }));
    assert.deepEqual([(await sending).offset, statuses(room)], [2, [["copied id", "sent"], ["hi", "sent"]]]);
    await peer.say(ack({ id, room: "lobby" }, 2));
    assert.equal(room.messages.length, 2);
});

test("a refused message is shown as failed, and can be resent with its id or discarded", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom();
    const sending = room.send("hi");
    await settle();
    const { id } = peer.take("send");
    await peer.say({ op: "error", id, code: "forbidden", message: "you are muted", retryAfterMs: 60_000 });
    await assert.rejects(sending, { code: "forbidden", message: "you are muted", retryable: true, retryAfterMs: 60_000 });
    assert.deepEqual([statuses(room), room.messages[0].error.code], [[["hi", "failed"]], "forbidden"]);
    const again = room.resend(id);
    await settle();
    assert.equal(peer.take("send").id, id);
    assert.deepEqual(statuses(room), [["hi", "sending"]]);
    await peer.say({ op: "error", id, code: "forbidden", message: "you are muted" });
    assert.equal(await codeOf(again), "forbidden");
    room.discard(id);
    assert.deepEqual([room.messages, await codeOf(room.resend(id))], [[], "not_found"]);
});

test("empty texts, large texts and a full outbox are refused locally", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom({ hub: { outboxCommandsMax: 2, outboxBytesMax: 1_000 } });
    const codes = await Promise.all([room.send(""), room.send("ü".repeat(4_097)), room.edit(1, ""), room.edit(1, "x".repeat(8_193))].map(codeOf));
    assert.deepEqual(codes, ["bad_request", "too_large", "bad_request", "too_large"]);
    assert.equal(await codeOf(room.send(`/me ${"x".repeat(70_000)}`)), "too_large", "the size of the whole command is limited too");
    assert.equal(await codeOf(room.send("x".repeat(1_000))), "outbox_full");
    room.send("one");
    const two = room.send("2".repeat(500));
    assert.deepEqual([await codeOf(room.send("three")), texts(room)], ["outbox_full", ["one", "2".repeat(500)]]);
    await settle();
    await peer.say(ack(peer.take("send"), 1));
    assert.equal(await Promise.race([codeOf(room.send("four")), settle()]), undefined, "a command fits again");
    await peer.say(ack(peer.take("send"), 2));
    assert.equal((await two).offset, 2);
    assert.equal(await Promise.race([codeOf(room.send("5".repeat(500))), settle()]), undefined, "the bytes fit again");
});

test("a view keeps at most 100 failed messages", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom();
    for (let number = 0; number < 102; number++) {
        room.send(`${number}`);
        await settle();
        await peer.say({ op: "error", id: peer.take("send").id, code: "forbidden", message: "no" });
        await world.advance(1_000);
        if (number % 20 === 0) await peer.say({ op: "ping" });
    }
    assert.deepEqual([room.messages.length, room.messages[0].text], [100, "2"]);
});

test("an ephemeral message is sent at most once, and fails without a connection", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom();
    const said = room.send("psst", { ephemeral: true });
    const lost = room.send("lost", { ephemeral: true });
    await settle();
    const [first] = peer.takeAll("send");
    assert.equal(first.ephemeral, true);
    await peer.say({ op: "ack", id: first.id, room: "lobby", at: 5 });
    assert.deepEqual([(await said).offset, room.messages], [undefined, []]);
    await peer.drop(1006);
    assert.deepEqual([await codeOf(lost), await codeOf(room.send("no", { ephemeral: true }))], ["disconnected", "disconnected"]);
});

test("edit, delete and react are sent with ids, and resolve to the replies", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom({ offset: 1 });
    const promises = [room.edit(1, "/new"), room.delete(1), room.react(1, "👍"), room.react(1, "👍", { remove: true })];
    const expected = [
        { op: "edit", room: "lobby", offset: 1, text: "/new" }, { op: "delete", room: "lobby", offset: 1 },
        { op: "react", room: "lobby", offset: 1, reaction: "👍" }, { op: "react", room: "lobby", offset: 1, reaction: "👍", remove: true },
    ];
    for (const [index, { op, ...fields }] of expected.entries()) {
        await settle();
        const { id, ...command } = peer.take(op);
        assert.deepEqual(command, { op, ...fields });
        if (index < 3) await peer.say(ack({ id, room: "lobby" }, index + 2));
        else await peer.say({ op: "ack", id, room: "lobby", at: 5, unchanged: true });
    }
    const replies = await Promise.all(promises);
    assert.deepEqual(replies.map(({ offset, unchanged }) => [offset, unchanged]), [[2, undefined], [3, undefined], [4, undefined], [undefined, true]]);
});

test("an aborted signal fails a message, and the next one is sent", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom();
    const controller = new AbortController();
    const first = room.send("first", { signal: controller.signal });
    room.send("second");
    await settle();
    controller.abort();
    assert.equal(await codeOf(first), "aborted");
    await settle();
    assert.deepEqual(peer.takeAll("send").map(({ text }) => text), ["first", "second"], "the next message is sent");
    assert.deepEqual(statuses(room), [["first", "failed"], ["second", "sending"]]);
    assert.equal(await codeOf(room.send("never", { signal: AbortSignal.abort() })), "aborted");
});

// Order and repeats

test("messages of one room are sent one at a time, rooms in parallel", async () => {
    const world = new World();
    const { hub, peer, room } = await world.inRoom();
    hub.join("other");
    await settle();
    await peer.say(joined(peer.take("join").id, { room: "other" }));
    for (const text of ["a", "b"]) {
        room.send(text);
        hub.room("other").send(text);
    }
    await settle();
    const first = peer.takeAll("send");
    assert.deepEqual(first.map(({ room, text }) => [room, text]), [["lobby", "a"], ["other", "a"]]);
    await peer.say({ op: "error", id: first[0].id, code: "unavailable", message: "the store is away", retryAfterMs: 5_000 });
    await peer.say(ack(first[1], 1));
    assert.deepEqual(peer.takeAll("send").map(({ room, text }) => [room, text]), [["other", "b"]]);
    await world.advance(5_000);
    const again = peer.take("send");
    assert.deepEqual([again.id, again.text], [first[0].id, "a"], "no message has overtaken it");
    await peer.say(ack(again, 1));
    assert.equal(peer.take("send").text, "b");
});

test("after a reconnect, commands without a reply are repeated once the room is joined: same ids, same order", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom();
    const first = room.send("first");
    await settle();
    const { id } = peer.take("send");
    const edit = room.edit(1, "changed");
    await peer.drop(1006);
    const second = room.send("while away");
    await world.advance(2_000);
    await world.welcome();
    assert.deepEqual(world.peer.heard.map(({ op }) => op), ["join"]);
    await world.peer.say(joined(world.peer.take("join").id, { offset: 1, recovered: true, messages: [message(1)] }));
    const again = world.peer.take("send");
    assert.equal(again.id, id);
    await world.peer.say(ack(again, 1, { duplicate: true }));
    assert.equal((await first).duplicate, true);
    await world.peer.say(ack(world.peer.take("edit"), 2));
    await world.peer.say(ack(world.peer.take("send"), 3));
    assert.deepEqual([(await edit).offset, (await second).offset], [2, 3]);
});

test("a message that the recovery delivers is not repeated", async () => {
    const world = new World();
    const { hub, peer, room } = await world.inRoom();
    const sending = room.send("stored, but its ack was lost");
    await settle();
    const { id } = peer.take("send");
    await backAgain(world, hub, { offset: 1, messages: [message(1, { id, from: "alice" })] });
    assert.equal((await sending).offset, 1);
    assert.ok(!world.peer.hears("send"));
    assert.equal(room.messages.length, 1);
});

test("a command without a reply for 20 s is repeated", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom();
    room.send("hi");
    await settle();
    const { id } = peer.take("send");
    await world.advance(15_000);
    await peer.say({ op: "ping" });
    await world.advance(4_999);
    assert.ok(!peer.hears("send"));
    await world.advance(1);
    assert.equal(peer.take("send").id, id);
});

test("an acknowledged message is removed from the view when the room's epoch changes", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom();
    const sending = room.send("hi");
    await settle();
    await peer.say(ack(peer.take("send"), 1));
    await sending;
    await peer.drop(4002);
    await world.advance(2_000);
    await world.welcome();
    await world.peer.say(joined(world.peer.take("join").id, { epoch: "e2" }));
    assert.deepEqual(room.messages, []);
});

test("a message fails after 23 hours", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom();
    const sending = room.send("hi");
    await world.observe("offline");
    await world.advance(23 * 3_600_000 - 1);
    assert.equal(room.messages[0].status, "sending");
    await world.advance(1);
    assert.equal(await codeOf(sending), "timeout");
    assert.equal(room.messages[0].status, "failed");
    assert.ok(peer);
});

// Rates

test("rate_limited without an id: all unanswered commands are repeated after the delay, and nothing is sent before", async () => {
    const world = new World();
    const { hub, peer, room } = await world.inRoom();
    room.send("hi");
    const asking = room.who();
    const errors = record(hub, "error");
    await settle();
    const [send, who] = [peer.take("send"), peer.take("who")];
    peer.takeAll("delivered");
    await peer.say({ op: "error", code: "rate_limited", message: "Too many commands. Slow down.", retryAfterMs: 700 });
    room.history();
    room.typing();
    await world.advance(699);
    assert.deepEqual(peer.heard, []);
    await world.advance(1);
    assert.deepEqual([peer.take("send").id, peer.take("who").id], [send.id, who.id]);
    assert.ok(peer.hears("history"));
    await peer.say({ op: "members", id: who.id, room: "lobby", members: [], count: 0 });
    assert.deepEqual([(await asking).count, errors], [0, []]);
});

test("receipts have no reply, so they are repeated after rate_limited", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom({ offset: 3 });
    room.seen(2);
    await world.advance(1_000);
    assert.deepEqual([peer.takeAll("seen").length, peer.takeAll("delivered").length], [1, 1]);
    await peer.say({ op: "error", code: "rate_limited", message: "Too many commands. Slow down.", retryAfterMs: 50 });
    await world.advance(1_000);
    assert.deepEqual([peer.take("seen").offset, peer.take("delivered").offset], [2, 3]);
});

test("rate_limited delays a receipt, and fails an ephemeral message", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom({ offset: 3 });
    await world.advance(1_000);
    peer.takeAll("delivered");
    const sending = codeOf(room.send("psst", { ephemeral: true }));
    await peer.say({ op: "error", code: "rate_limited", message: "Too many commands. Slow down.", retryAfterMs: 5_000 });
    assert.equal(await sending, "rate_limited", "the hub may or may not have read it");
    peer.takeAll("send");
    room.seen();
    await world.advance(4_999);
    assert.deepEqual(peer.heard, []);
    await world.advance(1_001);
    assert.equal(peer.take("seen").offset, 3);
    assert.ok(!peer.hears("send"));
});

test("joins are sent before other requests", async () => {
    const world = new World();
    const hub = world.hub();
    hub.rooms().catch(() => {});
    hub.join("lobby");
    hub.connect();
    const peer = await world.welcome();
    assert.deepEqual(peer.heard.map(({ op }) => op), ["join", "rooms"]);
});

test("the client respects the limits in the hub's welcome", async () => {
    const world = new World();
    const hub = world.hub();
    hub.connect();
    const room = (hub.join("lobby"), hub.room("lobby"));
    const sending = codeOf(room.send("x".repeat(2_000)));
    const peer = await world.welcome({ limits: { ...LIMITS, messageBytes: 1_000, textBytes: 500 } });
    await peer.say(joined(peer.take("join").id));
    assert.equal(await sending, "too_large");
    assert.ok(!peer.hears("send"));
    assert.equal(await codeOf(room.send("x".repeat(501))), "too_large");
});

test("while timers are suspended, an event from the hub runs the overdue ones", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom({ offset: 1 });
    room.send("first");
    room.send("second");
    await settle();
    const { id } = peer.take("send");
    await peer.say({ op: "error", code: "rate_limited", message: "Too many commands. Slow down.", retryAfterMs: 700 });
    world.sleep(1_000);
    await peer.say({ op: "ping" });
    assert.equal(peer.take("send").id, id);
    assert.ok(peer.hears("delivered"));
    await peer.say(ack({ id, room: "lobby" }, 2));
    assert.equal(peer.take("send").text, "second", "the next message does not wait for a timer");
});

test("rate_limited with an id delays that message, not other requests", async () => {
    const world = new World();
    const { peer, room } = await world.inRoom();
    room.send("hi");
    await settle();
    const { id } = peer.take("send");
    await peer.say({ op: "error", id, code: "rate_limited", message: "The room's message rate is too high. Try again shortly.", retryAfterMs: 500 });
    const asking = room.who();
    await settle();
    await peer.say({ op: "members", id: peer.take("who").id, room: "lobby", members: [], count: 0 });
    await asking;
    await world.advance(500);
    assert.equal(peer.take("send").id, id);
});

test("the client stays below the rate in the hub's welcome", async () => {
    const world = new World();
    const { hub, peer } = await world.connected({}, { limits: { ...LIMITS, commandsPerMinute: 600, commandsBurst: 20 } });
    for (let room = 0; room < 40; room++) hub.join(`room-${room}`);
    await settle();
    const said = [];
    const answer = async () => {
        const joins = peer.takeAll("join");
        said.push(joins.length);
        for (const { id, room } of joins) await peer.say(joined(id, { room }));
    };
    await answer();
    assert.deepEqual(said, [10], "half of the burst: other devices may share the address");
    await world.advance(1_000);
    await answer();
    assert.ok(said[1] >= 9 && said[1] <= 10, `ten a second: ${said}`);
    for (let second = 0; second < 10; second++) {
        await world.advance(1_000);
        await answer();
    }
    assert.equal(said.reduce((sum, count) => sum + count), 40);
    assert.ok(said.every((count) => count <= 10), `${said}`);
});

test("at most commandsInFlight commands are in flight", async () => {
    const world = new World();
    const { hub, peer } = await world.connected({}, { limits: { ...LIMITS, commandsInFlight: 4, commandsPerMinute: 0 } });
    for (let room = 0; room < 10; room++) hub.join(`room-${room}`);
    await settle();
    const joins = peer.takeAll("join");
    assert.equal(joins.length, 4);
    await peer.say(joined(joins[0].id, { room: joins[0].room }));
    assert.equal(peer.takeAll("join").length, 1);
});

test("300 messages sent at once are stored once each and in order", async () => {
    const world = new World();
    const { hub, room } = await world.inRoom();
    const said = Array.from({ length: 300 }, (_, index) => `number ${index}`);
    const sending = Promise.all(said.map((text) => room.send(text)));
    const stored = [];
    const entry = ({ id, text }, index) => message(index + 1, { id, from: "alice", text });
    const missed = () => ({ offset: stored.length, messages: stored.map(entry).slice(room.offset) });
    const answer = async () => {
        for (const command of world.peer.takeAll("send")) {
            const known = stored.findIndex(({ id }) => id === command.id);
            if (known < 0) stored.push(command);
            const offset = (known < 0 ? stored.length : known + 1);
            // Some of the hub's replies are lost.
            if (known < 0 && stored.length % 7 === 0) continue;
            await world.peer.say(ack(command, offset), told(offset, { id: command.id, from: "alice", text: command.text }));
        }
    };
    for (let step = 0; step < 3_000 && stored.length < 300; step++) {
        await answer();
        if (step % 50 === 49) await backAgain(world, hub, missed());
        await world.advance(50);
    }
    await backAgain(world, hub, missed());
    const replies = await sending;
    assert.deepEqual(stored.map(({ text }) => text), said);
    assert.deepEqual(replies.map(({ offset }) => offset), said.map((_, index) => index + 1));
    assert.deepEqual(texts(room), said);
});

// Reloads

test("with a storage, the outbox survives a reload for the same user and device", async () => {
    const world = new World();
    const storage = new MemoryStorage();
    const { peer, room } = await world.inRoom({ hub: { outbox: storage } });
    room.send("first");
    room.send("second", { replyTo: 1 });
    await settle();
    const { id } = peer.take("send");
    // Another page takes over the storage.
    const { hub, peer: next } = await world.connected({ outbox: storage });
    const again = hub.room("lobby");
    await next.say(joined(next.take("join").id));
    assert.deepEqual(statuses(again), [["first", "sending"], ["second", "sending"]]);
    const first = next.take("send");
    assert.deepEqual([first.id, first.text], [id, "first"]);
    await next.say(ack(first, 1, { duplicate: true }), told(1, { id, from: "alice", text: "first" }));
    const second = next.take("send");
    assert.equal(second.replyTo, 1);
    await next.say(told(2, { id: second.id, from: "alice", text: "second" }));
    assert.deepEqual([statuses(again), [...storage.items]], [[["first", "sent"], ["second", "sent"]], []]);
});

test("commands of an earlier page are sent before those of this page", async () => {
    const world = new World();
    const storage = new MemoryStorage();
    const { room } = await world.inRoom({ hub: { outbox: storage } });
    room.send("older");
    world.sleep(1_000);
    const hub = world.hub({ outbox: storage });
    hub.join("lobby");
    hub.room("lobby").send("newer");
    hub.connect();
    const peer = await world.welcome();
    await peer.say(joined(peer.take("join").id));
    const { id, text } = peer.take("send");
    assert.equal(text, "older");
    await peer.say(ack({ id, room: "lobby" }, 1));
    assert.equal(peer.take("send").text, "newer");
});

test("stored commands of another user, device or hub are never sent, nor expired or damaged ones", async () => {
    const world = new World();
    const storage = new MemoryStorage();
    const { room } = await world.inRoom({ hub: { outbox: storage } });
    room.send("alice's");
    await settle();
    const [[key, value]] = storage.items;
    const cases = [
        ["another user", value, {}, { user: "mallory" }], ["another tenant", value, {}, { tenant: "other" }],
        ["another device", value, { device: "d2" }, {}], ["another hub", value, { url: "https://other.example.com" }, {}],
        ["torn", value.slice(0, -5), {}, {}], ["no list", '{"owner":1}', {}, {}], ["no record", "7", {}, {}],
        ["no command", value.replace('"send"', '"hello"'), {}, {}], ["of the future", value.replace(/"since":\d+/, '"since":9e15'), {}, {}],
    ];
    for (const [name, stored, options, welcome] of cases) {
        storage.items = new Map([[key, stored]]);
        const { hub, peer } = await world.connected({ outbox: storage, ...options }, welcome);
        assert.deepEqual([hub.openRooms, peer.heard], [[], []], name);
        hub.close();
    }
    storage.items = new Map([[key, value]]);
    await world.advance(24 * 3_600_000);
    const { hub } = await world.connected({ outbox: storage });
    assert.deepEqual(hub.openRooms, [], "too old");
});

test("close clears the storage; a full storage is reported, and no command is lost", async () => {
    const world = new World();
    const storage = new MemoryStorage();
    const { hub, peer, room } = await world.inRoom({ hub: { outbox: storage } });
    room.send("one");
    assert.equal(storage.items.size, 1);
    const errors = record(hub, "error");
    storage.setItem = () => {
        throw new Error("quota");
    };
    room.send("two");
    assert.equal(errors[0][1].code, "unavailable");
    await settle();
    await peer.say(ack(peer.take("send"), 1));
    assert.equal(peer.take("send").text, "two");
    hub.close();
    assert.equal(storage.items.size, 0);
});

test("after the hub closes the session, commands wait until the page connects again", async () => {
    const world = new World();
    const { hub, peer, room } = await world.inRoom();
    const sending = room.send("hi");
    await settle();
    const { id } = peer.take("send");
    await peer.drop(4500);
    assert.deepEqual([hub.state.name, statuses(room)], ["closed", [["hi", "sending"]]]);
    hub.connect();
    await world.welcome();
    await world.peer.say(joined(world.peer.take("join").id, { recovered: true }));
    assert.equal(world.peer.take("send").id, id);
    await world.peer.say(ack({ id, room: "lobby" }, 1));
    assert.equal((await sending).offset, 1);
});

test("commands before the first connection wait for it", async () => {
    const world = new World();
    const hub = world.hub();
    const joining = hub.join("lobby");
    const sending = hub.room("lobby").send("early");
    hub.connect();
    const peer = await world.welcome();
    await peer.say(joined(peer.take("join").id));
    await joining;
    await peer.say(ack(peer.take("send"), 1));
    assert.equal((await sending).offset, 1);
});
