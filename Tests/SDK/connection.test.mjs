// The connection: states, reconnecting, watchdog, drain, network events, and suspended timers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { GoHubError, directRoom, otherUser } from "../../Sources/GoHubWeb/SDK/gohub.js";
import { World, codeOf, record, settle, told, uncaughtIn } from "./support/world.mjs";

const names = (states) => states.map(([, { name }]) => name);

test("connect sends hello with the device, and is connected after welcome", async () => {
    const world = new World();
    const hub = world.hub();
    assert.deepEqual([hub.state.name, hub.state.cause, hub.user], ["closed", "new", null]);
    const states = record(hub, "state");
    const connecting = hub.connect();
    await settle();
    assert.equal(hub.state.name, "connecting");
    assert.deepEqual([world.peer.url, world.peer.protocols], ["wss://hub.example.com/v1/ws", ["gohub.v1"]]);
    await world.welcome({ name: "Alice A." });
    await connecting;
    assert.deepEqual(world.peer.hello, { op: "hello", device: "d1", user: "alice" });
    assert.deepEqual(names(states), ["connecting", "connected"]);
    assert.deepEqual([hub.user, hub.displayName, hub.tenant, hub.limits.textBytes], ["alice", "Alice A.", "default", 8_192]);
});

test("only hello is sent before welcome", async () => {
    const world = new World();
    const hub = world.hub();
    hub.connect();
    const room = hub.join("lobby");
    await settle();
    world.peer.open();
    hub.room("lobby").send("early");
    await settle();
    assert.deepEqual(world.peer.heard.map(({ op }) => op), ["hello"]);
    hub.close();
    assert.equal(await codeOf(room), "closed");
});

test("the WebSocket URL is derived from the hub's URL", () => {
    const world = new World();
    const cases = [
        ["https://hub.example.com", "wss://hub.example.com/v1/ws"], ["http://localhost:8080/", "ws://localhost:8080/v1/ws"],
        ["https://example.com/chat/", "wss://example.com/chat/v1/ws"], ["wss://example.com/v1/ws", "wss://example.com/v1/ws"],
        [new URL("wss://example.com/ws?x=1#y"), "wss://example.com/ws?x=1"],
    ];
    for (const [url, expected] of cases) {
        world.hub({ url }).connect();
        assert.equal(world.peer.url, expected);
    }
    for (const url of ["ftp://example.com", "//", undefined]) assert.throws(() => world.hub({ url }), TypeError);
});

test("the constructor throws without WebSocket or crypto, and names the option to pass", () => {
    const world = new World();
    assert.throws(() => world.hub({ environment: { WebSocket: undefined } }), /WebSocket.*environment/);
    assert.throws(() => world.hub({ environment: { crypto: undefined } }), /crypto.*environment/);
});

test("reconnecting uses full jitter: from 0.5 s to a ceiling that doubles up to 10 s", async () => {
    for (const luck of [0, 0.5, 0.999]) {
        const world = new World();
        world.luck = luck;
        const hub = world.hub();
        hub.connect();
        for (const ceiling of [2_000, 4_000, 8_000, 10_000, 10_000, 10_000]) {
            await settle();
            await world.peer.drop(1006);
            assert.equal(hub.state.name, "reconnecting");
            const delayMs = hub.state.nextAttemptAt - world.time;
            assert.ok(Math.abs(delayMs - (500 + luck * (ceiling - 500))) < 1e-3, `${delayMs} of ${ceiling}`);
            const { length } = world.peers;
            await world.advance(delayMs - 1);
            assert.equal(world.peers.length, length);
            await world.advance(1);
            assert.equal(world.peers.length, length + 1);
        }
    }
});

test("the delay after a welcome is at most that of the second attempt; after 5 s of connection, that of the first", async () => {
    const world = new World();
    world.luck = 0.999_999;
    const { hub } = await world.connected();
    const delayAfter = async (lastsMs) => {
        for (let passed = 0; passed < lastsMs; passed += 10_000) {
            await world.advance(Math.min(10_000, lastsMs - passed));
            await world.peer.say({ op: "ping" });
        }
        await world.peer.drop(1006);
        const delayMs = hub.state.nextAttemptAt - world.time;
        await world.advance(delayMs);
        await world.welcome();
        return Math.round(delayMs / 1_000);
    };
    assert.deepEqual([await delayAfter(0), await delayAfter(0), await delayAfter(4_999)], [2, 4, 4]);
    assert.deepEqual([await delayAfter(5_000), await delayAfter(31_000)], [2, 2]);
    // Also after many failed attempts.
    for (let attempts = 0; attempts < 5; attempts++) {
        await world.peer.drop(1006);
        await world.advance(10_000);
    }
    await world.welcome();
    assert.equal(await delayAfter(1_000), 4);
});

test("the close code decides between reconnecting and closing", async () => {
    const outcomes = {
        1000: "ended", 1001: null, 1002: "refused", 1003: "refused", 1005: null, 1006: null, 1007: "refused",
        1009: "refused", 1011: null, 1012: null, 1013: null, 1014: null, 4000: null, 4001: null, 4002: null,
        4003: "unauthorized", 4004: null, 4005: null, 4321: null, 4500: "replaced", 4501: "unauthorized", 4502: "refused",
        4503: "refused", 4504: "removed", 4505: "refused", 4777: "refused",
    };
    for (const [code, cause] of Object.entries(outcomes)) {
        const world = new World();
        const { hub, peer } = await world.connected();
        await peer.drop(Number(code), "why");
        assert.equal(hub.state.name, cause ? "closed" : "reconnecting", code);
        assert.equal(hub.state.cause, cause ?? undefined, code);
        assert.deepEqual([hub.state.code, hub.state.reason], [Number(code), "why"]);
        await world.advance(60_000);
        assert.equal(world.peers.length > 1, cause === null, `${code}: ${world.peers.length} connections`);
        hub.close();
    }
});

test("the delay after 4004 is the last error's retryAfterMs plus jitter", async () => {
    const world = new World();
    world.luck = 0;
    const { hub, peer } = await world.connected();
    await peer.say({ op: "error", code: "rate_limited", message: "flooding", retryAfterMs: 10_000 });
    await peer.drop(4004);
    assert.equal(hub.state.nextAttemptAt - world.time, 10_500);
});

test("the reason for a refused token is the hub's error message", async () => {
    const world = new World();
    const hub = world.hub();
    const connecting = hub.connect();
    await settle();
    world.peer.open();
    await world.peer.say({ op: "error", code: "unauthorized", message: "the token's signature is wrong" });
    await world.peer.drop(4501, "token missing or wrong");
    assert.deepEqual([hub.state.cause, hub.state.reason], ["unauthorized", "the token's signature is wrong"]);
    await assert.rejects(connecting, (error) => error instanceof GoHubError && error.code === "closed");
});

test("a drain sets the state draining, and the client reconnects within the hub's window", async () => {
    const world = new World();
    world.luck = 0.5;
    const { hub, peer, room } = await world.inRoom();
    const states = record(hub, "state");
    await peer.say({ op: "drain", reconnectAfterMs: { min: 4_000, max: 4_500 } });
    assert.deepEqual([hub.state.name, room.status], ["draining", "joined"]);
    const sending = room.send("goes on");
    hub.join("another");
    await settle();
    assert.ok(!peer.hears("join"), "no join is sent to a draining hub");
    await peer.say({ ...told(1), from: "alice", id: peer.take("send").id });
    assert.equal((await sending).offset, 1);
    await peer.drop(1012);
    assert.deepEqual(names(states), ["draining", "reconnecting"]);
    assert.equal(hub.state.nextAttemptAt - world.time, 4_250);
    await world.advance(4_250);
    await world.welcome();
    assert.deepEqual(world.peer.takeAll("join").map(({ room }) => room), ["lobby", "another"]);
    await world.peer.drop(1006);
    assert.ok(hub.state.nextAttemptAt - world.time <= 4_000, "the window applies once");
});

test("ping is answered with pong", async () => {
    const world = new World();
    const { peer } = await world.connected();
    await peer.say({ op: "ping" });
    assert.deepEqual(peer.heard, [{ op: "pong" }]);
});

test("the watchdog ends a connection after the heartbeat and 10 s of silence; any message restarts it", async () => {
    const world = new World();
    const { hub, peer } = await world.connected({}, { heartbeatMs: 20_000 });
    await world.advance(29_000);
    await peer.say({ op: "something", unknown: true });
    await world.advance(29_999);
    assert.equal(hub.state.name, "connected");
    await world.advance(1);
    assert.deepEqual([hub.state.name, hub.state.reason], ["reconnecting", "no sign of life"]);
    assert.ok(peer.isClosedByClient);
});

test("a connection without a welcome within 15 s is closed", async () => {
    const world = new World();
    const hub = world.hub();
    hub.connect();
    await world.advance(14_999);
    assert.equal(hub.state.name, "connecting");
    await world.advance(1);
    assert.equal(hub.state.name, "reconnecting");
});

test("the state is current when read, even while timers are suspended", async () => {
    const world = new World();
    const { hub, peer } = await world.connected();
    world.sleep(34_999);
    assert.equal(hub.state.name, "connected");
    world.sleep(1);
    const states = record(hub, "state");
    assert.equal(hub.state.name, "reconnecting");
    assert.deepEqual(names(states), ["reconnecting"]);
    assert.ok(peer.isClosedByClient);
});

test("an overdue watchdog or reconnection runs when the page becomes active", async () => {
    const world = new World();
    const { hub } = await world.connected();
    world.sleep(3_600_000);
    await world.observe("awake");
    assert.equal(hub.state.name, "reconnecting");
    assert.equal(world.peers.length, 1);
    world.sleep(2_000);
    await world.observe("awake");
    assert.deepEqual([hub.state.name, world.peers.length], ["connecting", 2]);
});

test("a message after a suspension keeps the connection", async () => {
    const world = new World();
    const { hub, peer } = await world.connected();
    world.sleep(600_000);
    await peer.say({ op: "ping" });
    assert.equal(hub.state.name, "connected");
    assert.ok(peer.hears("pong"));
});

test("a clock that is set back does not delay the watchdog", async () => {
    const world = new World();
    const { hub, peer } = await world.connected();
    world.sleep(-86_400_000);
    await peer.say({ op: "ping" });
    await world.advance(35_000);
    assert.equal(hub.state.name, "reconnecting");
    assert.ok(Math.abs(hub.state.nextAttemptAt - world.time) <= 20_000, "nextAttemptAt is on the system's clock");
});

test("the state is offline within the system's event, and reconnecting once there is a network", async () => {
    const world = new World();
    const { hub, peer, room } = await world.inRoom();
    const seen = [];
    hub.on("state", ({ name }) => seen.push([name, room.status]));
    await world.observe("offline");
    assert.deepEqual(seen, [["offline", "joining"]]);
    assert.ok(peer.isClosedByClient);
    await world.advance(600_000);
    assert.equal(world.peers.length, 1);
    world.luck = 0.999_999;
    await world.observe("online");
    assert.equal(hub.state.name, "reconnecting");
    await world.advance(2_000);
    await world.welcome();
    assert.equal(hub.state.name, "connected");
});

test("a connection lost without a network leads to offline; connect still makes an attempt", async () => {
    const world = new World();
    const { hub, peer } = await world.connected();
    world.online = false;
    await peer.drop(1006);
    assert.equal(hub.state.name, "offline");
    const connecting = hub.connect();
    await world.welcome();
    await connecting;
    assert.equal(hub.state.name, "connected", "connect makes an attempt");
});

test("connect during the backoff tries at once, and keeps the count of attempts", async () => {
    const world = new World();
    world.luck = 0.999_999;
    const hub = world.hub();
    hub.connect();
    await settle();
    await world.peer.drop(1006);
    hub.connect();
    await settle();
    assert.equal(world.peers.length, 2);
    await world.peer.drop(1006);
    assert.equal(Math.round((hub.state.nextAttemptAt - world.time) / 1_000), 4);
});

test("connect rejects after its timeout or signal, and the client keeps trying", async () => {
    const world = new World();
    const hub = world.hub();
    const controller = new AbortController();
    const waits = [hub.connect({ timeoutMs: 100 }), hub.connect({ signal: controller.signal }), hub.connect()];
    await world.advance(100);
    controller.abort();
    assert.deepEqual([await codeOf(waits[0]), await codeOf(waits[1])], ["timeout", "aborted"]);
    await world.welcome();
    await waits[2];
    assert.equal(await codeOf(hub.connect({ signal: AbortSignal.abort() })), "resolved", "already connected");
});

test("close rejects all commands, and leaves no timer and no observer", async () => {
    const world = new World();
    const { hub, peer, room } = await world.inRoom();
    room.typing();
    const promises = [room.send("never"), room.history(), hub.rooms(), hub.join("another"), room.edit(1, "never")];
    await settle();
    const states = record(hub, "state");
    hub.close();
    assert.ok(peer.isClosedByClient);
    assert.deepEqual(names(states), ["closed"]);
    assert.equal(hub.state.cause, "ended");
    for (const promise of promises) assert.equal(await codeOf(promise), "closed");
    assert.equal(room.messages[0].status, "failed");
    for (const refused of [room.send("no"), hub.join("no"), hub.rooms(), room.history(), hub.direct("bob")]) {
        assert.equal(await codeOf(refused), "closed");
    }
    await world.advance(10_000);
    assert.deepEqual([world.timerCount, world.observerCount, world.peers.length], [0, 0, 1]);
});

test("after the hub closes the session, connect rejoins the rooms", async () => {
    const world = new World();
    const { hub, peer, room } = await world.inRoom({ offset: 2 });
    await peer.drop(4500);
    assert.deepEqual([hub.state.cause, room.status], ["replaced", "joining"]);
    hub.connect();
    await world.welcome();
    assert.deepEqual(world.peer.take("join").since, { epoch: "e1", offset: 2 });
});

test("a change of user removes the earlier user's rooms and commands", async () => {
    const world = new World();
    const { hub, peer, room } = await world.inRoom({ offset: 2 });
    const sending = room.send("alice's");
    await peer.drop(4500);
    hub.connect();
    await world.welcome({ user: "mallory" });
    assert.equal(room.status, "left");
    assert.deepEqual([hub.user, hub.openRooms, world.peer.heard], ["mallory", [], []]);
    assert.equal(await codeOf(sending), "left");
});

test("unknown events are ignored, and an event that cannot be handled causes a reconnection", async () => {
    for (const event of ["{", "[]", "null", "7", '{"op":7}', { op: "unheard-of" }, { op: "ack" }, { op: "page", id: "x" }]) {
        const world = new World();
        const { hub, peer } = await world.inRoom();
        await peer.say(event);
        assert.equal(hub.state.name, "connected", JSON.stringify(event));
    }
    for (const event of [{ op: "presence", room: "lobby" }, { op: "receipt", room: "lobby" }, { op: "message", room: 7, offset: 1 }]) {
        const world = new World();
        const { hub, peer } = await world.inRoom();
        const errors = record(hub, "error");
        await peer.say(event);
        assert.equal(hub.state.name, "reconnecting", JSON.stringify(event));
        assert.equal(errors[0][1].code, "internal");
    }
});

test("an error thrown by a listener is uncaught, and does not affect the client", async () => {
    const world = new World();
    const { hub, peer } = await world.connected();
    hub.on("state", () => {
        throw new Error("the page's");
    });
    const states = record(hub, "state");
    const uncaught = await uncaughtIn(() => peer.drop(1006));
    assert.deepEqual([names(states), uncaught], [["reconnecting"], ["the page's"]]);
});

test("a subscription ends by the function that on returns, or by its signal", async () => {
    const world = new World();
    const { hub, peer } = await world.connected();
    const heard = [];
    const controller = new AbortController();
    const off = hub.on("state", () => heard.push("first"));
    hub.on("state", () => heard.push("second"), { signal: controller.signal });
    await peer.say({ op: "drain" });
    off();
    controller.abort();
    await peer.drop(1012);
    assert.deepEqual(heard, ["first", "second"]);
    assert.throws(() => hub.on("state", "no function"), TypeError);
});

test("events of an abandoned connection are ignored", async () => {
    const world = new World();
    const { hub, peer } = await world.inRoom();
    world.sleep(60_000);
    await world.observe("awake");
    await peer.say(told(1));
    await peer.drop(4500);
    assert.equal(hub.state.name, "reconnecting");
    assert.deepEqual(hub.room("lobby").messages, []);
});

test("without a device, each instance creates its own", async () => {
    const world = new World();
    const hubs = [world.hub({ device: undefined }), world.hub({ device: undefined })];
    for (const hub of hubs) hub.connect();
    await settle();
    const [one, other] = hubs.map((hub) => hub.device);
    assert.match(one, /^web-[0-9a-f]{32}$/);
    assert.notEqual(one, other);
    hubs[0].connect();
    await world.peers[0].drop(1006);
    await world.advance(2_000);
    world.peer.open();
    assert.equal(world.peer.take("hello").device, one);
    for (const hub of hubs) hub.close();
});

test("the name of a direct room orders its users by UTF-8 bytes", () => {
    assert.equal(directRoom("we:ird", "alice"), "dm:alice:we%3Aird");
    assert.equal(directRoom("50%", "zoe"), "dm:50%25:zoe");
    assert.deepEqual([directRoom("abc", "ab"), directRoom("ab", "abc")], ["dm:ab:abc", "dm:ab:abc"]);
    // In UTF-16 the emoji's first code unit sorts before U+FF5E.
    assert.equal(directRoom("\u{1F600}", "\uFF5E"), "dm:\uFF5E:\u{1F600}");
    assert.equal(otherUser("dm:alice:we%3Aird", "alice"), "we:ird");
    assert.equal(otherUser("dm:50%25:zoe", "zoe"), "50%");
    assert.equal(otherUser("dm:alice:alice", "alice"), "alice");
    assert.equal(otherUser("lobby", "alice"), null);
});
