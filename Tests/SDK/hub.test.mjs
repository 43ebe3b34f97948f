// The SDK against a real hub, which is also killed, drained, disconnected and stalled.
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { copyFileSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Hub, Proxy, SECRET, client, token, until, withCleanup, within } from "./support/gohubd.mjs";
import { WebSocket } from "./support/websocket.mjs";
import { codeOf, texts } from "./support/world.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const web = join(root, "Sources/GoHubWeb/SDK");

/** Starts a hub. `join(user)` connects a client, which is closed after the test. */
async function begin(defer, { store, settings, proxied = false } = {}) {
    const hub = await new Hub(store, settings).start();
    defer(() => hub.close());
    const proxy = proxied ? await new Proxy(hub).start() : null;
    if (proxy) defer(() => proxy.close());
    const url = proxy?.url ?? hub.url;
    const join = (user, options) => {
        const made = client(url, user, options);
        defer(() => made.close());
        made.connect();
        return made;
    };
    return { hub, proxy, url, join };
}

test("two users exchange messages, changes, receipts, typing and presence", () => withCleanup(async (defer) => {
    const { join } = await begin(defer);
    const [alice, bob] = [join("alice"), join("bob")];
    const [hers, his] = await within(Promise.all([alice.join("lobby"), bob.join("lobby")]), "joining");
    await until(hers, "members", () => hers.count === 2);
    assert.deepEqual([...hers.members.keys()], ["alice", "bob"]);

    const sent = await hers.send("hi <b>bob</b>");
    await until(his, "message", () => his.offset >= sent.offset);
    assert.deepEqual([his.messages[0].text, his.messages[0].from, his.messages[0].id], ["hi <b>bob</b>", "alice", sent.id]);
    his.seen();
    await until(hers, "receipts", () => hers.seenBy(sent.offset).includes("bob"));

    his.typing();
    await until(hers, "typing", () => hers.typingUsers.includes("bob"));
    await his.send("hello", { replyTo: sent.offset });
    await until(hers, "message", () => hers.offset >= 2);
    assert.deepEqual([hers.typingUsers, hers.messages[1].replyTo], [[], sent.offset]);

    await hers.edit(1, "hi, bob");
    await his.react(1, "👍");
    assert.equal((await his.react(1, "👍")).unchanged, true);
    await until(his, "update", () => his.messages[0].reactions.length === 1 && his.messages[0].text === "hi, bob");
    assert.deepEqual(his.messages[0].reactions, [{ reaction: "👍", count: 1, by: ["bob"] }]);
    assert.equal(await codeOf(his.edit(1, "mine now")), "forbidden");
    assert.equal(await codeOf(his.edit(99, "nothing there")), "not_found");
    await hers.delete(1);
    await until(his, "update", () => his.messages[0].deletedAt !== undefined);
    assert.equal(his.messages[0].text, "");

    await his.send("psst", { ephemeral: true });
    await until(hers, "message", () => texts(hers).includes("psst"));
    await his.leave();
    await until(hers, "members", () => hers.count === 1);
}));

test("slash commands, moderation, and their errors", () => withCleanup(async (defer) => {
    const { join } = await begin(defer);
    const [alice, bob] = [join("alice"), join("bob")];
    const [hers, his] = await within(Promise.all([alice.join("lobby"), bob.join("lobby")]), "joining");
    assert.equal((await hers.send("/ping")).text, "pong");
    assert.deepEqual((await hers.send("/who")).members.map(({ user }) => user), ["alice", "bob"]);
    await hers.send("/me waves");
    await hers.send("/not a command", { literal: true });
    await until(his, "message", () => his.offset >= 2);
    assert.deepEqual(texts(his), ["* alice waves", "/not a command"]);
    assert.equal(await codeOf(hers.send("/nothing")), "not_found");
    assert.equal(hers.messages[2].status, "failed");

    await hers.send("/join side");
    assert.equal(alice.room("side").status, "joined");
    await alice.room("side").send("/leave");
    assert.equal(alice.room("side"), undefined);

    await hers.send("/mute bob 1");
    await assert.rejects(his.send("muted"), (error) => error.code === "forbidden" && error.retryAfterMs > 0);
    await hers.send("/kick bob");
    await until(bob, "left", () => his.status === "left");
    assert.equal(await codeOf(his.send("gone")), "left");
}));

test("after a lost connection fifty rooms continue, and a message written to each meanwhile is stored once", () => withCleanup(async (defer) => {
    const { proxy, url, join } = await begin(defer, { proxied: true });
    const [alice, bob] = [join("alice"), join("bob")];
    const names = Array.from({ length: 50 }, (_, index) => `room-${index}`);
    const joinAll = (hub) => within(Promise.all(names.map((name) => hub.join(name))), "joining");
    const [hers, his] = [await joinAll(alice), await joinAll(bob)];
    for (const room of his) await within(room.send("before"), "sending");
    proxy.cut();
    await until(alice, "state", () => alice.state.name !== "connected");
    const sending = hers.map((room) => room.send("meanwhile"));
    const replies = await within(Promise.all(sending), "the replies");
    assert.ok(replies.every(({ kind, offset }) => kind === "stored" && offset === 2), JSON.stringify(replies));
    for (const room of [...hers, ...his]) {
        await until(room, "change", () => room.messages.length === 2);
        assert.deepEqual(texts(room), ["before", "meanwhile"], `${room.name} of ${url}`);
    }
}));

test("a user's next device follows the same rooms, with their unread counts", () => withCleanup(async (defer) => {
    const { join } = await begin(defer);
    const [alice, bob] = [join("alice"), join("bob")];
    const [hers, his] = await within(Promise.all([alice.join("lobby"), bob.join("lobby")]), "joining");
    await within(his.send("before"), "sending");
    await until(hers, "message", () => hers.offset === 1);
    hers.seen();
    await until(his, "receipts", () => his.seenBy(1).includes("alice"));
    alice.close();
    for (let number = 0; number < 20; number++) await within(his.send(`meanwhile ${number}`), "sending");
    const again = join("alice");
    await within(again.connect(), "connecting");
    await within(again.follow({ history: 5 }), "following");
    const room = await within(again.join("lobby"), "joining");
    await until(room, "change", () => room.unread === 20);
    assert.equal(room.messages.length, 5);
    await within(his.send("news"), "sending");
    await until(room, "message", () => room.unread === 21);
    room.seen();
    await until(his, "receipts", () => his.seenBy(22).includes("alice"));
    assert.equal(room.unread, 0);
}));

test("a direct conversation opens by its first message, and counts unread messages", () => withCleanup(async (defer) => {
    const { join } = await begin(defer);
    const [alice, bob] = [join("we:ird"), join("bob")];
    await within(alice.connect(), "connecting");
    const his = await within(bob.direct("we:ird"), "opening");
    await his.send("psst");
    await until(alice, "message", () => alice.openRooms[0]?.messages.length === 1);
    const [hers] = alice.openRooms;
    assert.deepEqual([hers.peer, texts(hers)], ["bob", ["psst"]]);
    // The hub's list may lag behind the newest messages.
    const counted = async () => {
        for (;;) for (const summary of await alice.rooms()) return summary;
    };
    const summary = await within(counted(), "the room being counted");
    assert.deepEqual([summary.room, summary.unread, summary.last.text], [hers.name, 1, "psst"]);
    hers.seen();
    await until(his, "receipts", () => his.seenBy(1).includes("we:ird"));
}));

test("history is fetched in pages, with edits and deletions applied", () => withCleanup(async (defer) => {
    const { join } = await begin(defer);
    const writer = await within(join("writer").join("lobby"), "joining");
    for (let number = 1; number <= 30; number++) await writer.send(`number ${number}`);
    await writer.edit(3, "number three");
    await writer.delete(4);
    const room = await within(join("reader").join("lobby", { history: 5 }), "joining");
    assert.deepEqual([texts(room), room.hasOlder], [["number 28", "number 29", "number 30"], true]);
    while (await room.loadOlder(10));
    assert.equal(room.messages.length, 30);
    assert.deepEqual([room.message(1).text, room.message(3).text, room.message(4).text], ["number 1", "number three", ""]);
    const page = await room.history({ after: 10, limit: 5 });
    assert.deepEqual([page.first, page.last, page.more], [11, 15, true]);
}));

/**
 * Every client sends `count` messages to every room during `ordeal`. Afterwards all clients must have received the same
 * messages in the same order.
 */
async function everybodySays(clients, roomNames, count, ordeal) {
    const rooms = await within(Promise.all(clients.map((one) => Promise.all(roomNames.map((name) => one.join(name))))), "joining");
    const seen = rooms.map((own) => own.map((room) => {
        const offsets = [];
        room.on("message", ({ offset }) => offsets.push(offset));
        return offsets;
    }));
    const sending = [];
    for (const [who, own] of rooms.entries()) {
        for (const room of own) for (let number = 0; number < count; number++) sending.push(room.send(`${who}:${number}`));
    }
    await ordeal();
    const replies = await within(Promise.all(sending), "all being stored");
    const total = clients.length * count;
    assert.equal(new Set(replies.map(({ room, offset }) => `${room} ${offset}`)).size, total * roomNames.length, "each message has its own offset");
    for (const [index] of roomNames.entries()) {
        const [first] = rooms;
        for (const [who, own] of rooms.entries()) {
            const room = own[index];
            await until(room, "change", () => room.offset >= total);
            assert.deepEqual(texts(room), texts(first[index]), "all clients have the same messages in the same order");
            assert.deepEqual(seen[who][index], Array.from({ length: total }, (_, at) => at + 1), "each message was delivered once, in order");
            for (const [other] of rooms.entries()) {
                const said = texts(room).filter((text) => text.startsWith(`${other}:`));
                assert.deepEqual(said, Array.from({ length: count }, (_, number) => `${other}:${number}`));
            }
        }
    }
}

test("after kills of a hub on SQLite under load, nothing is lost, repeated or out of order", () => withCleanup(async (defer) => {
    const settings = { "rates.userPerSecond": 1_000, "rates.userBurst": 1_000, "rates.connectionPerSecond": 0 };
    const { hub, join } = await begin(defer, { store: "sqlite", settings, proxied: true });
    const clients = ["alice", "bob", "carol"].map((user) => join(user));
    const storedTo = (share) => until(clients[0], "message", () => clients[0].room("lobby").offset >= share * 120);
    await everybodySays(clients, ["lobby", "side"], 40, async () => {
        for (const share of [0.1, 0.4, 0.7]) {
            await storedTo(share);
            await hub.kill();
            await hub.start();
        }
    });
}));

test("after repeated losses of connections within a frame, nothing is lost, repeated or out of order", () => withCleanup(async (defer) => {
    const settings = { "rates.userPerSecond": 1_000, "rates.userBurst": 1_000, "rates.connectionPerSecond": 0 };
    const { proxy, join } = await begin(defer, { settings, proxied: true });
    const clients = ["alice", "bob", "carol", "dave"].map((user) => join(user));
    let bytes = 0;
    await everybodySays(clients, ["lobby"], 50, async () => {
        // The first connections are cut at once, each later one after 777 bytes more than the one before.
        proxy.cutAfter = () => (proxy.accepted > 16 ? Infinity : 3_000 + (bytes += 777));
        proxy.cut();
    });
    assert.ok(proxy.accepted > 12, `${proxy.accepted} connections`);
}));

test("the watchdog detects a dead link", () => withCleanup(async (defer) => {
    const { proxy, join } = await begin(defer, { settings: { "limits.heartbeatMs": 500 }, proxied: true });
    // The clock runs four times as fast: 10.5 s of silence take 2.6 s, in which the hub sends five pings.
    const begun = Date.now();
    const environment = {
        now: () => begun + (Date.now() - begun) * 4, setTimeout: (callback, delayMs) => setTimeout(callback, delayMs / 4),
    };
    const alice = join("alice", { environment });
    const bob = join("bob", { environment });
    const [hers, his] = await within(Promise.all([alice.join("lobby"), bob.join("lobby")]), "joining");
    const states = [];
    alice.on("state", ({ name, reason }) => states.push(reason ?? name));
    proxy.stall();
    const sending = hers.send("into the void");
    await within(sending, "the message being stored");
    assert.deepEqual(states, ["no sign of life", "connecting", "connected"]);
    await until(his, "message", () => texts(his).includes("into the void"));
    assert.equal(his.messages.length, 1);
}));

test("clients of a draining hub reconnect once it has restarted", () => withCleanup(async (defer) => {
    const settings = { "drain.closeOverMs": 200, "drain.reconnectOverMs": 300, "drain.deadlineMs": 5_000 };
    const { hub, join } = await begin(defer, { store: "sqlite", settings, proxied: true });
    const alice = join("alice");
    const room = await within(alice.join("lobby"), "joining");
    const states = [];
    alice.on("state", ({ name, code }) => states.push(code ?? name));
    await room.send("before");
    await hub.stop();
    const sending = room.send("while it is away");
    await hub.start();
    assert.equal((await within(sending, "being stored")).offset, 2);
    assert.deepEqual(states.slice(0, 2), ["draining", 1012]);
    assert.deepEqual(texts(room), ["before", "while it is away"]);
}));

test("a killed hub with the store in memory has another epoch: the view is reset, and continues", () => withCleanup(async (defer) => {
    const { hub, join } = await begin(defer, { proxied: true });
    const room = await within(join("alice").join("lobby"), "joining");
    await room.send("forgotten");
    let resets = 0;
    room.on("reset", () => (resets += 1));
    await hub.kill();
    await hub.start();
    const { offset } = await within(room.send("remembered"), "being stored");
    await until(room, "change", () => room.offset >= 1);
    assert.deepEqual([offset, resets, texts(room)], [1, 1, ["remembered"]]);
}));

test("an expired token is replaced, refresh keeps the connection, and an invalid token closes the client", () => withCleanup(async (defer) => {
    const settings = { "auth.secret": SECRET, "auth.leewaySeconds": 0 };
    const { hub, url } = await beginWithSecret(defer, settings);
    const reasons = [];
    const lives = [1, 3_600];
    const alice = client(url, null, { token: ({ reason }) => (reasons.push(reason), token("alice", lives.shift() ?? 3_600)) });
    defer(() => alice.close());
    const room = await within((alice.connect(), alice.join("lobby")), "joining");
    const codes = [];
    alice.on("state", ({ code }) => code && codes.push(code));
    await until(alice, "state", () => codes.includes(4003) && alice.state.name === "connected");
    assert.deepEqual(reasons, ["connect", "expired"]);
    await within(room.send("still here"), "being stored");
    await alice.refresh();
    assert.deepEqual([reasons[2], alice.state.name], ["refresh", "connected"]);

    const forger = client(url, null, { token: () => `${token("alice").slice(0, -4)}AAAA` });
    defer(() => forger.close());
    assert.equal(await codeOf(within(forger.connect(), "an answer")), "closed");
    assert.equal(forger.state.cause, "unauthorized");

    const guest = client(url, null, { token: () => token("guest", 60, { rooms: [{ match: "hall", can: ["read"] }] }) });
    defer(() => guest.close());
    guest.connect();
    assert.equal(await codeOf(within(guest.join("lobby"), "an answer")), "forbidden");
    const hall = await within(guest.join("hall"), "joining");
    assert.equal(await codeOf(hall.send("may I?")), "forbidden");
    assert.ok(hub.port);
}));

/** Starts a hub whose token secret is passed in its environment. */
async function beginWithSecret(defer, { "auth.secret": secret, ...settings }) {
    process.env.GOHUB_AUTH_SECRET = secret;
    try {
        return await begin(defer, { settings });
    } finally {
        delete process.env.GOHUB_AUTH_SECRET;
    }
}

test("a second connection of a device replaces the first one, which stays closed", () => withCleanup(async (defer) => {
    const { join } = await begin(defer);
    const first = join("alice", { device: "same" });
    await within(first.connect(), "connecting");
    const second = join("alice", { device: "same" });
    await within(second.connect(), "connecting");
    await until(first, "state", () => first.state.name === "closed");
    assert.equal(first.state.cause, "replaced");
}));

test("commands in the storage of one page are sent once by the next page", () => withCleanup(async (defer) => {
    const { hub, proxy, url, join } = await begin(defer, { store: "sqlite", proxied: true });
    const items = new Map();
    const outbox = {
        getItem: (key) => items.get(key) ?? null, setItem: (key, value) => items.set(key, value), removeItem: (key) => items.delete(key),
    };
    const page = client(url, "alice", { device: "tab", outbox });
    defer(() => page.close());
    const room = await within((page.connect(), page.join("lobby")), "joining");
    await hub.kill();
    room.send("first").catch(() => {});
    room.send("second").catch(() => {});
    // The page disappears without `close`; the next page has the contents of its storage.
    const left = new Map(items);
    page.close();
    for (const [key, value] of left) items.set(key, value);
    await hub.start();
    proxy.cut();
    const next = join("alice", { device: "tab", outbox });
    await until(next, "message", () => next.room("lobby")?.offset >= 2);
    assert.deepEqual([texts(next.room("lobby")), items.size], [["first", "second"], 0]);
}));

test("messages refused for the user's rate are repeated until they are stored", () => withCleanup(async (defer) => {
    const settings = { "rates.connectionPerSecond": 20, "rates.connectionBurst": 20, "rates.userPerSecond": 10, "rates.userBurst": 5 };
    const { join } = await begin(defer, { settings });
    let refused = 0;
    class Counting extends WebSocket {
        constructor(url, protocols) {
            super(url, protocols);
            // The SDK sets its listener later; `hear` calls it.
            let listen = null;
            const hear = (event) => {
                if (JSON.parse(event.data).code === "rate_limited") refused += 1;
                listen?.(event);
            };
            Object.defineProperty(this, "onmessage", { get: () => hear, set: (listener) => (listen = listener) });
        }
    }
    const alice = join("alice", { environment: { WebSocket: Counting } });
    const room = await within(alice.join("lobby"), "joining");
    await within(Promise.all(Array.from({ length: 20 }, (_, number) => room.send(`${number}`))), "being stored");
    await until(room, "change", () => room.offset >= 20);
    assert.deepEqual(texts(room), Array.from({ length: 20 }, (_, number) => `${number}`));
    assert.ok(refused > 0, "the hub's rate limit for the user was reached");
}));

test("the example in Docs/SDK.md runs", () => withCleanup(async (defer) => {
    const { url } = await beginWithSecret(defer, { "auth.secret": SECRET });
    const [, example] = /```js\n([^]*?)```/.exec(readFileSync(join(root, "Docs/SDK.md"), "utf8"));
    const directory = mkdtempSync(join(tmpdir(), "gohub-example-"));
    defer(() => rmSync(directory, { recursive: true }));
    for (const name of readdirSync(web).filter((file) => /^gohub.*\.js$/.test(file))) copyFileSync(join(web, name), join(directory, name));
    writeFileSync(join(directory, "package.json"), '{"type":"module"}');
    // The only addition: the example exports its client, so that the test can close it.
    writeFileSync(join(directory, "example.js"), `${example}\nexport { hub };\n`);

    // The parts of a page that the example uses.
    const list = { children: [], replaceChildren: (...children) => (list.children = children) };
    const [form, field] = [new EventTarget(), { value: "" }];
    const elements = { ol: list, form, input: field };
    const parts = { hidden: false, title: "", querySelector: (name) => elements[name], createElement: () => ({}) };
    const document = Object.assign(new EventTarget(), parts);
    const page = { WebSocket, crypto: webcrypto, document, location: { href: `${url}/` }, fetch: async () => ({ text: async () => token("alice") }) };
    const before = Object.fromEntries(Object.keys(page).map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)]));
    for (const [name, value] of Object.entries(page)) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    defer(() => {
        for (const [name, descriptor] of Object.entries(before)) {
            delete globalThis[name];
            if (descriptor) Object.defineProperty(globalThis, name, descriptor);
        }
    });

    const { hub } = await within(import(pathToFileURL(join(directory, "example.js"))), "the example's start");
    defer(() => hub.close());
    const room = hub.room("lobby");
    const shown = () => list.children.map(({ textContent, className }) => [textContent, className]);
    assert.equal(document.title, "connected");
    field.value = "hello";
    form.dispatchEvent(new Event("submit"));
    await until(room, "change", () => list.children[0]?.className === "sending");
    assert.deepEqual([shown(), field.value], [[["alice: hello", "sending"]], ""]);
    await until(room, "change", () => list.children[0]?.className === "sent" && room.offset === 1);
    const bob = client(url, null, { token: () => token("bob") });
    defer(() => bob.close());
    const his = await within((bob.connect(), bob.join("lobby")), "joining");
    await his.send("<b>hi</b>");
    await until(room, "change", () => list.children.length === 2);
    assert.deepEqual(shown(), [["alice: hello", "sent"], ["bob: <b>hi</b>", "sent"]]);
    await until(his, "receipts", () => his.seenBy(2).includes("alice"));
}));

test("the hub serves the SDK's files unchanged to allowed origins", () => withCleanup(async (defer) => {
    const origin = "https://chat.example.com";
    const { hub } = await begin(defer, { settings: { origins: origin } });
    for (const name of readdirSync(web).filter((file) => file.startsWith("gohub"))) {
        const response = await fetch(`${hub.url}/${name}`, { headers: { origin } });
        assert.equal(response.headers.get("access-control-allow-origin"), origin);
        assert.equal(response.status, 200, name);
        assert.equal(response.headers.get("content-type"), name.endsWith(".js") ? "text/javascript; charset=utf-8" : "text/plain; charset=utf-8");
        const isSame = (await response.text()) === readFileSync(join(web, name), "utf8");
        assert.ok(isSame, `${name} differs: build gohubd`);
    }
}));
