// Tokens: fetched when needed, refreshed before they expire, not sent again once refused, and never in a URL.
import assert from "node:assert/strict";
import { test } from "node:test";
import { World, codeOf, joined, record, settle } from "./support/world.mjs";

/** A token callback that gives the answers in order; the last one is repeated. */
function tokens(...answers) {
    const requests = [];
    const token = (request) => {
        requests.push(request);
        const answer = answers.length > 1 ? answers.shift() : answers[0];
        return typeof answer === "function" ? answer() : answer;
    };
    return { token, requests, reasons: () => requests.map(({ reason }) => reason) };
}

test("a token is fetched before the connection, and sent only in hello", async () => {
    const world = new World();
    const { token, reasons } = tokens(Promise.resolve("one"));
    const { peer } = await world.connected({ token, user: undefined });
    assert.deepEqual([peer.hello, peer.url.includes("one"), peer.protocols], [{ op: "hello", token: "one", device: "d1" }, false, ["gohub.v1"]]);
    assert.deepEqual(reasons(), ["connect"]);
});

test("a reconnection reuses the last token if the hub accepted it and it is valid for more than a minute", async () => {
    for (const [lifeMs, expected] of [[65_000, "one"], [61_000, "two"], [undefined, "one"]]) {
        const world = new World();
        const { token, reasons } = tokens("one", "two");
        const { hub, peer } = await world.connected({ token }, { expiresAt: lifeMs && world.time + lifeMs });
        await peer.drop(1006);
        await world.advance(2_000);
        await world.welcome();
        assert.deepEqual([world.peer.hello.token, reasons().length], [expected, expected === "one" ? 1 : 2]);
        await world.peer.drop(4500);
        hub.connect();
        await settle();
        assert.equal(reasons().length, expected === "one" ? 2 : 3, "another token is fetched after a final close");
    }
    const world = new World();
    const { token, reasons } = tokens("one", "two");
    world.hub({ token }).connect();
    await settle();
    await world.peer.drop(1006);
    await world.advance(2_000);
    assert.deepEqual(reasons(), ["connect", "connect"], "a token that the hub has not accepted is not reused");
});

test("a live connection gets a new token before the old one expires", async () => {
    // The lead is a minute, or a quarter of the remaining time if shorter. Jitter up to doubles it. Refreshes are at
    // least 10 s apart.
    const cases = [[3_600_000, 0, 3_540_000], [3_600_000, 0.5, 3_510_000], [40_000, 0, 30_000], [40_000, 0.5, 25_000], [12_000, 0, 10_000]];
    for (const [lifeMs, luck, expected] of cases) {
        const world = new World();
        world.luck = luck;
        const { token, reasons } = tokens("one", "two", "three");
        const { peer } = await world.connected({ token }, { expiresAt: world.time + lifeMs });
        const wait = async (ms) => {
            for (let left = ms; left > 0; left -= 10_000) {
                await world.advance(Math.min(left, 10_000));
                await peer.say({ op: "pong" });
            }
        };
        await wait(expected - 1);
        assert.ok(!peer.hears("refresh"), `${lifeMs}`);
        await wait(1);
        const { id, token: said } = peer.take("refresh");
        assert.deepEqual([said, reasons()], ["two", ["connect", "refresh"]]);
        await peer.say({ op: "refreshed", id, expiresAt: world.time + 40_000 });
        await wait(luck === 0 ? 29_999 : 24_999);
        assert.ok(!peer.hears("refresh"));
        await wait(1);
        assert.equal(peer.take("refresh").token, "three");
    }
});

test("a token without an expiry is never refreshed", async () => {
    const world = new World();
    const { token, requests } = tokens("one");
    const { peer } = await world.connected({ token });
    for (let hour = 0; hour < 3_600; hour += 30) {
        await world.advance(30_000);
        await peer.say({ op: "ping" });
    }
    assert.equal(requests.length, 1);
});

test("the expiry is compared with the hub's clock, not the local one", async () => {
    const world = new World();
    world.luck = 0;
    const { token } = tokens("one", "two");
    const { hub, peer } = await world.connected({ token }, { serverTime: world.time - 7_200_000, expiresAt: world.time - 7_200_000 + 40_000 });
    assert.equal(hub.serverNow, world.time - 7_200_000);
    await world.advance(29_999);
    assert.ok(!peer.hears("refresh"));
    await world.advance(1);
    assert.ok(peer.hears("refresh"));
});

test("a failing callback is reported, and called again with backoff", async () => {
    const failures = [
        () => Promise.reject(new Error("the server is away")), () => {
            throw new Error("at once");
        },
        () => Promise.resolve(""), () => Promise.resolve(undefined),
    ];
    for (const failure of failures) {
        const world = new World();
        const { token } = tokens(failure, failure, "one");
        const hub = world.hub({ token });
        const errors = record(hub, "tokenerror");
        hub.connect();
        await settle();
        assert.deepEqual([hub.state.name, world.peers.length, errors.length], ["reconnecting", 0, 1]);
        assert.deepEqual([errors[0][1].code, errors[0][1].retryable], ["token_failed", true]);
        await world.advance(hub.state.nextAttemptAt - world.time);
        const delayMs = hub.state.nextAttemptAt - world.time;
        assert.ok(delayMs > 2_000 && delayMs <= 4_000, "the second delay is longer");
        await world.advance(delayMs);
        await world.welcome();
        assert.equal(world.peer.hello.token, "one");
    }
});

test("a callback without a result times out after 15 s, and its signal is aborted", async () => {
    const world = new World();
    const { token, requests } = tokens(() => new Promise(() => {}));
    const hub = world.hub({ token });
    hub.connect();
    await world.advance(14_999);
    assert.deepEqual([hub.state.name, requests[0].signal.aborted], ["connecting", false]);
    await world.advance(1);
    assert.deepEqual([hub.state.name, requests[0].signal.aborted], ["reconnecting", true]);
    hub.close();
});

test("close aborts the token callback, and ignores its result", async () => {
    const world = new World();
    let give;
    const { token, requests } = tokens(() => new Promise((resolve) => (give = resolve)));
    const hub = world.hub({ token });
    hub.connect();
    await settle();
    hub.close();
    assert.ok(requests[0].signal.aborted);
    give("late");
    await settle();
    assert.deepEqual([world.peers.length, hub.state.cause, world.timerCount], [0, "ended", 0]);
});

test("after 4003 the client reconnects with another token, never with the same one", async () => {
    const world = new World();
    const { token, reasons } = tokens("old", "old", "new");
    const { hub, peer } = await world.connected({ token });
    const errors = record(hub, "tokenerror");
    await peer.say({ op: "error", code: "unauthorized", message: "the token has expired" });
    await peer.drop(4003, "token expired");
    assert.deepEqual([hub.state.name, hub.state.code], ["reconnecting", 4003]);
    await world.advance(2_000);
    assert.deepEqual([world.peers.length, errors.length, hub.state.name], [1, 1, "reconnecting"]);
    await world.advance(4_000);
    await world.welcome();
    assert.deepEqual([world.peer.hello.token, reasons()], ["new", ["connect", "expired", "expired"]]);
});

test("a token that the hub rejects closes the client; the next connect fetches another one", async () => {
    const world = new World();
    const { token } = tokens("forged", "right");
    const hub = world.hub({ token });
    const connecting = hub.connect();
    await settle();
    world.peer.open();
    await world.peer.say({ op: "error", code: "unauthorized", message: "the token's signature is wrong" });
    await world.peer.drop(4501);
    assert.deepEqual([await codeOf(connecting), hub.state.cause], ["closed", "unauthorized"]);
    await world.advance(600_000);
    assert.equal(world.peers.length, 1);
    hub.connect();
    await world.welcome();
    assert.equal(world.peer.hello.token, "right");
});

test("a failed refresh is reported and retried; the connection stays open", async () => {
    const world = new World();
    world.luck = 0;
    const { token, reasons } = tokens("one", () => Promise.reject(new Error("away")), "other user's", "two");
    const { hub, peer } = await world.connected({ token }, { expiresAt: world.time + 40_000 });
    const errors = record(hub, "tokenerror");
    await world.advance(30_000);
    assert.deepEqual([errors.length, peer.hears("refresh"), hub.state.name], [1, false, "connected"]);
    await world.advance(4_000);
    await peer.say({ op: "ping" });
    await world.advance(6_000);
    await peer.say({ op: "error", id: peer.take("refresh").id, code: "unauthorized", message: "another user's token" });
    assert.deepEqual([errors[1][1].code, hub.state.name], ["unauthorized", "connected"]);
    await world.advance(10_000);
    assert.deepEqual([peer.take("refresh").token, reasons().length], ["two", 4]);
});

test("a refresh never sends the current token again", async () => {
    const world = new World();
    world.luck = 0;
    const { token } = tokens("one", "one", "two");
    const { hub, peer } = await world.connected({ token }, { expiresAt: world.time + 40_000 });
    const errors = record(hub, "tokenerror");
    await world.advance(30_000);
    assert.deepEqual([errors.length, peer.hears("refresh")], [1, false]);
    const refreshing = hub.refresh();
    await settle();
    const { id, token: said } = peer.take("refresh");
    await peer.say({ op: "refreshed", id });
    await refreshing;
    assert.equal(said, "two");
});

test("the page can call refresh; a room that the new token permits is joined", async () => {
    const world = new World();
    const { token } = tokens("one", "two");
    const { hub, peer } = await world.connected({ token });
    const joining = hub.join("secret");
    await settle();
    await peer.say({ op: "error", id: peer.take("join").id, code: "forbidden", message: "no" });
    assert.equal(await codeOf(joining), "forbidden");
    const refreshing = [hub.refresh(), hub.refresh()];
    await settle();
    const [refresh, ...others] = peer.takeAll("refresh");
    assert.deepEqual([refresh.token, others], ["two", []]);
    await peer.say({ op: "refreshed", id: refresh.id });
    await Promise.all(refreshing);
    await peer.say(joined(peer.take("join").id, { room: "secret" }));
    assert.equal(hub.room("secret").status, "joined");
});

test("refresh rejects without a connection, without a callback, and when the connection is lost", async () => {
    const world = new World();
    const { token } = tokens("one", "two");
    const hub = world.hub({ token });
    assert.equal(await codeOf(hub.refresh()), "disconnected");
    const { hub: guest } = await world.connected();
    assert.equal(await codeOf(guest.refresh()), "token_failed");
    hub.connect();
    await world.welcome();
    const refreshing = codeOf(hub.refresh());
    await settle();
    await world.peer.drop(1006);
    assert.equal(await refreshing, "disconnected");
});

test("a room that a refreshed token no longer permits is left", async () => {
    const world = new World();
    const { hub, peer, room } = await world.inRoom();
    const events = record(hub, "left");
    await peer.say({ op: "left", room: "lobby", reason: "Your token does not grant access to this room." });
    assert.deepEqual(events, [["left", { room, reason: "Your token does not grant access to this room." }]]);
});
