// Files: uploads in parts, with failures and lost connections; links, downloads, and messages with files.
import assert from "node:assert/strict";
import { test } from "node:test";
import { FileHub, cryptoOf, fileOf, refusal, until } from "./support/files.mjs";
import { World, ack, codeOf, change, message, record, settle, told, uncaughtIn } from "./support/world.mjs";

const PART = 262_144;
const never = () => new Promise(() => {});
const forbidden = () => refusal(403, "forbidden", "no");
const lost = () => {
    throw new TypeError("Failed to fetch");
};

/** A client in the lobby, and the hub's HTTP side. */
async function inLobby(intercept, options = {}, welcome = {}) {
    const world = new World();
    const files = new FileHub(intercept);
    files.now = () => world.time;
    const environment = { fetch: files.fetch, crypto: cryptoOf(), ...options.environment };
    const joined = await world.inRoom({ hub: { ...options, environment }, ...welcome });
    return { world, files, ...joined };
}

/** Drops the connection and reconnects. */
async function backAgain(world, hub) {
    await world.peer.drop(1006);
    hub.connect();
    await world.welcome();
}

const stored = (files) => [...files.uploads.values()].filter(({ isFile }) => isFile);

// Parts, order and progress

test("a file is sent with its hash, in parts that each start where the last one ended", async () => {
    const { room, files, world } = await inLobby(() => void world?.sleep(1_000));
    const file = fileOf(2 * PART + 5);
    const states = [];
    const progress = [];
    const upload = room.upload(file, { alt: "a cat", onProgress: ({ sentBytes }) => progress.push(sentBytes) });
    upload.on("state", ({ state }) => states.push(state));
    assert.deepEqual([upload.state, upload.name, upload.size, upload.alt], ["checking", "cat.png", file.size, "a cat"]);
    const info = await upload.finished;
    const [{ id, bytes, room: name, type }] = stored(files);
    assert.deepEqual(info, { id, name: "cat.png", type: "image/png", size: file.size, width: 3, height: 2, placeholder: "LEHV6nWB2yk8", preview: true });
    assert.deepEqual([Buffer.compare(Buffer.from(bytes), Buffer.from(file.bytes)), name, type], [0, "lobby", "image/png"]);
    assert.deepEqual(files.said, ["POST files", `PATCH uploads/${id} @0`, `PATCH uploads/${id} @${PART}`, `PATCH uploads/${id} @${2 * PART}`]);
    assert.match(files.requests[0].query.sha256, /^[0-9a-f]{64}$/);
    assert.deepEqual(files.requests.map(({ headers }) => headers.get("upload-complete")), ["?0", "?0", "?0", "?1"]);
    assert.deepEqual(states, ["sending", "done"]);
    assert.deepEqual(progress, [0, PART, 2 * PART, file.size]);
    assert.equal(upload.file, info);
});

test("parts grow while they are fast, and shrink while they are slow", async () => {
    let ms = 100;
    const { room, files, world } = await inLobby(({ method }) => void (method === "PATCH" && world.sleep(ms)));
    const upload = room.upload(fileOf(8 * PART));
    upload.on("progress", ({ sentBytes }) => (ms = sentBytes >= 3 * PART ? 3_000 : 100));
    await upload.finished;
    const lengths = files.requests.filter(({ method }) => method === "PATCH").map(({ body }) => body.length / PART);
    assert.deepEqual(lengths, [1, 2, 4, 1]);
    const slow = await inLobby(({ method }) => void (method === "PATCH" && slow.world.sleep(30_000)));
    await slow.room.upload(fileOf(2 * PART)).finished;
    assert.deepEqual(slow.files.requests.slice(1).map(({ body }) => body.length), [PART, PART / 2, PART / 4, PART / 4]);
});

test("speed and remaining time are reported during the upload, smoothed", async () => {
    let ms = 1_000;
    const { room, world } = await inLobby(({ method }) => void (method === "PATCH" && world.sleep(ms)));
    const upload = room.upload(fileOf(4 * PART));
    const told = [];
    upload.on("progress", () => {
        told.push([upload.bytesPerSecond && Math.round(upload.bytesPerSecond), upload.secondsLeft]);
        if (upload.sentBytes) ms = 2_000;
    });
    assert.deepEqual([upload.bytesPerSecond, upload.secondsLeft], [null, null]);
    await upload.finished;
    // The moving average has a time constant of 4 s. The second part, at half the speed, takes 2 s: its weight is
    // 1 - exp(-2 / 4).
    const second = Math.round(PART - (PART / 2) * (1 - Math.exp(-0.5)));
    assert.deepEqual(told.slice(0, 3), [[null, null], [PART, 3], [second, Math.ceil((2 * PART) / second)]]);
    assert.equal(upload.bytesPerSecond, null);
});

test("an empty file is sent as one empty part", async () => {
    const { room, files } = await inLobby();
    assert.equal((await room.upload(fileOf(0)).finished).size, 0);
    assert.deepEqual(files.requests.map(({ method, headers }) => [method, headers.get("upload-complete")]), [["POST", "?0"], ["PATCH", "?1"]]);
});

test("two uploads run at a time, the others wait in order", async () => {
    const held = [];
    const { room, files } = await inLobby(({ method }) => (method === "POST" ? new Promise((resolve) => held.push(resolve)) : undefined));
    const uploads = [1, 2, 3, 4].map((number) => room.upload(fileOf(10, { name: `${number}.png` })));
    await until(() => held.length === 2);
    await settle();
    assert.deepEqual(uploads.map(({ state }) => state), ["checking", "checking", "waiting", "waiting"]);
    held[0]();
    await until(() => held.length === 3);
    assert.deepEqual(uploads.map(({ state }) => state), ["done", "checking", "checking", "waiting"]);
    uploads[1].pause();
    await until(() => held.length === 4);
    for (const resolve of held) resolve();
    await Promise.all([uploads[2].finished, uploads[3].finished]);
    assert.deepEqual(files.requests.filter(({ method }) => method === "POST").map(({ query }) => query.name), ["1.png", "2.png", "3.png", "4.png"]);
    assert.equal(uploads[1].state, "paused");
});

test("a file over 16 MiB is sent without a hash, and so is any file without SubtleCrypto", async () => {
    const { room, files } = await inLobby(({ method }) => (method === "POST" ? refusal(403, "forbidden", "no") : undefined));
    const large = { ...fileOf(1), size: 16_777_217 };
    assert.equal(await codeOf(room.upload(large).finished), "forbidden");
    const bare = await inLobby(undefined, { environment: { crypto: { getRandomValues: cryptoOf().getRandomValues } } });
    await bare.room.upload(fileOf(5)).finished;
    assert.deepEqual([files.requests[0].query.sha256, bare.files.requests[0].query.sha256], [undefined, undefined]);
});

// Authorization

test("the token is sent in the header, never in a URL; without a token the query has the user", async () => {
    const { room, files } = await inLobby(undefined, { token: () => "a.b.c" });
    await room.upload(fileOf(5)).finished;
    assert.deepEqual(files.requests.map(({ headers, query }) => [headers.get("authorization"), query.user]), [["Bearer a.b.c", undefined], ["Bearer a.b.c", undefined]]);
    assert.ok(!files.requests.some(({ path, query }) => JSON.stringify([path, query]).includes("a.b.c")));
    const open = await inLobby();
    await open.room.upload(fileOf(5)).finished;
    assert.deepEqual(open.files.requests.map(({ headers, query }) => [headers.get("authorization"), query.user]), [[null, "alice"], [null, "alice"]]);
});

test("a refused token is refreshed over the connection, and the request repeated once", async () => {
    let count = 0;
    const isOld = ({ headers }) => headers.get("authorization") === "Bearer token 1";
    const { room, peer, files } = await inLobby((request) => (isOld(request) ? refusal(401, "unauthorized", "over") : undefined), { token: () => `token ${++count}` });
    const upload = room.upload(fileOf(5));
    await until(() => peer.hears("refresh"));
    const { id, token } = peer.take("refresh");
    assert.equal(token, "token 2");
    await peer.say({ op: "refreshed", id });
    await upload.finished;
    assert.deepEqual(files.requests.map(({ headers }) => headers.get("authorization").slice(-1)), ["1", "2", "2"]);
});

test("a second refusal fails the upload; without another token the upload is retried later", async () => {
    let count = 0;
    const { room, peer, world } = await inLobby(() => refusal(401, "unauthorized", "never"), { token: () => `token ${++count}` });
    const upload = room.upload(fileOf(5));
    await until(() => peer.hears("refresh"));
    await peer.say({ op: "refreshed", id: peer.take("refresh").id });
    assert.equal(await codeOf(upload.finished), "unauthorized");
    const same = await inLobby(() => refusal(401, "unauthorized", "never"), { token: () => "the same" });
    const errors = record(same.hub, "tokenerror");
    const other = same.room.upload(fileOf(5));
    await until(() => other.error);
    assert.deepEqual([other.state, other.error.code, errors.length], ["waiting", "token_failed", 1]);
    assert.ok(other.nextAttemptAt > same.world.time);
    assert.ok(world);
});

// Failures

test("a lost request is retried after a delay, from the hub's offset", async () => {
    let failures = 0;
    const { room, files, world } = await inLobby((request) => {
        if (request.method === "PATCH" && failures++ === 0) return files.takePart(request, 1_000);
        if (request.method === "HEAD" && failures++ === 1) return lost();
    });
    const upload = room.upload(fileOf(5_000));
    await until(() => upload.error);
    assert.deepEqual([upload.state, upload.error.code, upload.nextAttemptAt], ["waiting", "disconnected", world.time + 1_250]);
    await world.advance(1_249);
    assert.equal(files.requests.length, 2);
    await world.advance(1);
    await until(() => upload.error);
    assert.equal(upload.nextAttemptAt, world.time + 2_250, "the ceiling doubles");
    await world.advance(2_250);
    await upload.finished;
    const [{ id }] = stored(files);
    assert.deepEqual(files.said.slice(1), [`PATCH uploads/${id} @0`, `HEAD uploads/${id}`, `HEAD uploads/${id}`, `PATCH uploads/${id} @1000`]);
    assert.deepEqual([upload.error, upload.nextAttemptAt], [null, null]);
});

test("progress resets the delay of retries", async () => {
    let count = 0;
    const { room, world } = await inLobby(({ method }) => {
        if (method === "PATCH") world.sleep(1_000);
        return [2, 3, 6].includes(++count) ? lost() : undefined;
    });
    const upload = room.upload(fileOf(2 * PART));
    const delays = [];
    upload.on("state", () => upload.nextAttemptAt && delays.push(upload.nextAttemptAt - world.time));
    for (let turn = 0; turn < 3; turn++) {
        await until(() => upload.state === "waiting" || upload.state === "done");
        await world.advance(2_250);
    }
    await upload.finished;
    assert.deepEqual(delays, [1_250, 2_250, 1_250]);
});

test("a new connection ends the wait for the next attempt", async () => {
    let isLost = true;
    const { hub, room, files, world } = await inLobby(() => void (isLost && lost()));
    const uploads = [1, 2, 3].map((number) => room.upload(fileOf(5, { name: `${number}` })));
    await until(() => uploads.every(({ error }) => error));
    await world.peer.drop(1006);
    isLost = false;
    files.intercept = never;
    hub.connect();
    await world.welcome();
    assert.deepEqual(uploads.map(({ state, nextAttemptAt }) => [state, nextAttemptAt]), [["checking", null], ["checking", null], ["waiting", null]]);
});

test("a file that another page has completed is found", async () => {
    const { room, files } = await inLobby(({ method }) => {
        if (method === "PATCH") for (const known of files.uploads.values()) known.isFile = true;
    });
    const { id } = await room.upload(fileOf(5)).finished;
    assert.deepEqual(files.said, ["POST files", `PATCH uploads/${id} @0`, `GET files/${id}/info`]);
});

test("retry starts the next attempt at once", async () => {
    let failures = 0;
    const { room, world } = await inLobby(() => void (failures++ < 3 && lost()));
    const upload = room.upload(fileOf(5));
    for (let attempt = 0; attempt < 3; attempt++) {
        await until(() => upload.state === "waiting");
        upload.retry();
    }
    await upload.finished;
    assert.equal(world.time, 1_800_000_000_000);
});

test("an upload waits for the hub's retry-after", async () => {
    let count = 0;
    const { room, world } = await inLobby(() => (count++ ? undefined : refusal(503, "unavailable", "later", { "retry-after": "7" })));
    const upload = room.upload(fileOf(5));
    await until(() => upload.error);
    assert.deepEqual([upload.error.message, upload.nextAttemptAt], ["later", world.time + 7_000 + 1_250]);
    await world.advance(8_250);
    await upload.finished;
});

test("a request without a response for a minute is aborted, and parts become smaller", async () => {
    let isSilent = true;
    const { room, files, world } = await inLobby(({ method }) => (method === "PATCH" && isSilent ? new Promise(() => {}) : undefined));
    const upload = room.upload(fileOf(PART));
    await until(() => files.requests.length === 2);
    // The hub's pings keep the WebSocket connection open.
    for (let beat = 0; beat < 3; beat++) await world.advance(20_000), await world.peer.say({ op: "ping" });
    assert.equal(upload.error?.code, "timeout");
    assert.ok(files.requests[1].signal.aborted);
    isSilent = false;
    await world.advance(3_000);
    await upload.finished;
    assert.deepEqual(files.requests.filter(({ method }) => method === "PATCH").slice(1).map(({ body }) => body.length), [PART / 2, PART / 2]);
});

test("a wrong offset is corrected at once, a limited number of times", async () => {
    const { room, files } = await inLobby();
    const upload = room.upload(fileOf(3 * PART));
    upload.on("progress", () => {
        // Meanwhile another page of the same user has sent more.
        const [known] = files.uploads.values();
        if (known.bytes.length === PART) known.bytes = [...fileOf(PART + 77).bytes];
    });
    await upload.finished;
    const [{ id, bytes }] = stored(files);
    assert.deepEqual(files.said.slice(1, 4), [`PATCH uploads/${id} @0`, `PATCH uploads/${id} @${PART}`, `PATCH uploads/${id} @${PART + 77}`]);
    assert.equal(Buffer.compare(Buffer.from(bytes), Buffer.from(fileOf(3 * PART).bytes)), 0);
    const mad = await inLobby(({ method }) => (method === "PATCH" ? refusal(409, "conflict", "no", { "upload-offset": "0" }) : undefined));
    const other = mad.room.upload(fileOf(5));
    await until(() => other.error);
    assert.deepEqual([other.state, other.error.code, mad.files.requests.length], ["waiting", "conflict", 6]);
});

test("an upload waits when another client has taken it over", async () => {
    let count = 0;
    const { room, files, world } = await inLobby(({ method }) => (method === "PATCH" && count++ === 0 ? refusal(409, "conflict", "taken up anew") : undefined));
    const upload = room.upload(fileOf(5));
    await until(() => upload.error);
    assert.deepEqual([upload.state, upload.error.message], ["waiting", "taken up anew"]);
    await world.advance(20_000);
    await upload.finished;
    assert.equal(files.requests[2].method, "HEAD");
});

test("an upload that the hub no longer knows starts again, once", async () => {
    const { room, files, world } = await inLobby(({ method }) => void (method === "PATCH" && world.sleep(1_000)));
    const upload = room.upload(fileOf(2 * PART));
    upload.on("progress", ({ sentBytes }) => sentBytes === PART && files.requests.length === 2 && files.uploads.clear());
    await upload.finished;
    assert.deepEqual(files.said.map((said) => said.replace(/\/\w+/, "")), ["POST files", "PATCH uploads @0", `PATCH uploads @${PART}`, "POST files", "PATCH uploads @0", `PATCH uploads @${PART}`]);
    const forgetful = await inLobby(({ method }) => void (method === "PATCH" && forgetful.world.sleep(1_000)));
    const again = forgetful.room.upload(fileOf(2 * PART));
    again.on("progress", ({ sentBytes }) => sentBytes === PART && forgetful.files.uploads.clear());
    assert.deepEqual([await codeOf(again.finished), forgetful.files.requests.length], ["not_found", 6]);
    const never = await inLobby(({ method }) => (method === "PATCH" ? refusal(404, "not_found", "There is no such file.") : undefined));
    assert.equal(await codeOf(never.room.upload(fileOf(5)).finished), "not_found");
    assert.deepEqual(never.files.requests.map(({ method }) => method), ["POST", "PATCH", "POST", "PATCH"]);
});

test("the file is found if only the last response was lost", async () => {
    let count = 0;
    const { room, files, world } = await inLobby(async (request) => {
        if (request.method !== "PATCH" || count++) return undefined;
        const [known] = files.uploads.values();
        known.bytes = [...request.body];
        known.isFile = true;
        return lost();
    });
    const upload = room.upload(fileOf(5));
    await until(() => upload.error);
    await world.advance(20_000);
    assert.equal((await upload.finished).id, stored(files)[0].id);
    assert.deepEqual(files.requests.map(({ method }) => method), ["POST", "PATCH", "HEAD", "GET"]);
});

test("a file over the size limit is too_large, over the user's quota quota_exceeded", async () => {
    const { room, files } = await inLobby();
    files.bytesMax = 10;
    await assert.rejects(room.upload(fileOf(11)).finished, { code: "too_large", message: "That is too much.", retryable: false });
    files.userBytesMax = 5;
    assert.equal(await codeOf(room.upload(fileOf(6)).finished), "quota_exceeded");
    assert.deepEqual(files.requests.map(({ method }) => method), ["POST", "POST"], "no byte is sent");
});

test("corrupted bytes, a changed file and an invalid response have their own error codes", async () => {
    const wrong = await inLobby((request) => void (request.method === "PATCH" && request.body.fill(0)));
    assert.equal(await codeOf(wrong.room.upload(fileOf(5)).finished), "hash_mismatch");
    const { room } = await inLobby();
    const moved = { ...fileOf(5), slice: () => ({ arrayBuffer: () => Promise.reject(new DOMException("", "NotReadableError")) }) };
    assert.equal(await codeOf(room.upload(moved).finished), "unreadable");
    assert.equal(await codeOf(room.upload({ ...fileOf(5), size: 6 }).finished), "unreadable");
    for (const headers of [{}, { location: "/v1/uploads/abc" }, { location: "https://example.com/v1/elsewhere/abc", "upload-offset": "0" }, { location: "/v1/uploads/abc", "upload-offset": "6" }]) {
        const mad = await inLobby(() => new Response(null, { status: 201, headers }));
        const upload = mad.room.upload(fileOf(5));
        await until(() => upload.error);
        assert.deepEqual([upload.state, upload.error.code, mad.files.requests.length], ["waiting", "internal", 1]);
    }
    assert.throws(() => room.upload("a path"), TypeError);
});

test("retry after hash_mismatch sends the whole file again", async () => {
    let isWrong = true;
    const { room, files } = await inLobby((request) => void (request.method === "PATCH" && isWrong && request.body.fill(0)));
    const upload = room.upload(fileOf(5));
    assert.equal(await codeOf(upload.finished), "hash_mismatch");
    assert.deepEqual([upload.state, upload.isOver], ["failed", true]);
    isWrong = false;
    upload.retry();
    assert.equal((await upload.finished).size, 5);
    assert.equal(stored(files).length, 1);
});

test("the signal also cancels a retried upload", async () => {
    const { room, files } = await inLobby(({ method }) => (method === "PATCH" ? forbidden() : undefined));
    const controller = new AbortController();
    const upload = room.upload(fileOf(5), { signal: controller.signal });
    assert.equal(await codeOf(upload.finished), "forbidden");
    files.intercept = never;
    upload.retry();
    controller.abort();
    assert.deepEqual([await codeOf(upload.finished), upload.state], ["aborted", "cancelled"]);
    const other = new AbortController();
    const failed = (await inLobby(forbidden)).room.upload(fileOf(5), { signal: other.signal });
    assert.equal(await codeOf(failed.finished), "forbidden");
    other.abort();
    failed.retry();
    assert.deepEqual([await codeOf(failed.finished), failed.state], ["aborted", "cancelled"]);
});

test("retry is refused where a new upload would be", async () => {
    for (const [code, end] of [["left", ({ room }) => room.leave()], ["closed", ({ hub }) => hub.close()]]) {
        const page = await inLobby(forbidden);
        const upload = page.room.upload(fileOf(5));
        assert.equal(await codeOf(upload.finished), "forbidden");
        end(page);
        upload.retry();
        assert.deepEqual([upload.state, await codeOf(upload.finished)], ["failed", code]);
        assert.equal(page.files.requests.length, 1);
    }
    const { room, files } = await inLobby(forbidden);
    const upload = room.upload(fileOf(5));
    assert.equal(await codeOf(upload.finished), "forbidden");
    files.intercept = never;
    for (let number = 0; number < 200; number++) room.upload(fileOf(1, { name: `${number}` }));
    upload.retry();
    assert.equal(await codeOf(upload.finished), "outbox_full");
});

test("a retried upload does not affect another upload of the same file", async () => {
    const { room, files } = await inLobby(({ method }) => (method === "PATCH" ? forbidden() : undefined));
    const [first, third] = [room.upload(fileOf(5)), room.upload(fileOf(5, { name: "dog.png" }))];
    assert.deepEqual([await codeOf(first.finished), await codeOf(third.finished)], ["forbidden", "forbidden"]);
    const held = [];
    files.intercept = ({ method }) => (method === "PATCH" ? new Promise((resolve) => held.push(resolve)) : undefined);
    const second = room.upload(fileOf(5));
    await until(() => held.length === 1);
    first.retry();
    await until(() => held.length === 2);
    assert.equal(files.uploads.size, 3, "each has its own upload on the hub");
    for (const resolve of held) resolve();
    const [one, other] = await Promise.all([first.finished, second.finished]);
    assert.notEqual(one.id, other.id);
    // Cancelling a failed upload does not delete the hub's upload that another one uses.
    files.intercept = ({ method }) => (method === "PATCH" ? new Promise(() => {}) : undefined);
    const fourth = room.upload(fileOf(5, { name: "dog.png" }));
    await until(() => fourth.state === "sending");
    third.cancel();
    await settle();
    assert.ok(!files.requests.some(({ method }) => method === "DELETE"));
});

test("an upload without progress for 23 hours fails", async () => {
    const { room, world } = await inLobby(lost);
    const upload = room.upload(fileOf(5));
    await until(() => upload.error);
    world.sleep(23 * 3_600_000 + 1);
    upload.on("state", () => {});
    await world.peer.say({ op: "ping" });
    await until(() => upload.state === "failed");
    assert.equal(upload.error.code, "disconnected");
});

// Pause, cancel, and the connection

test("pause aborts the request, and resume continues from the hub's offset", async () => {
    let isHeld = true;
    const { room, files } = await inLobby(({ method }) => (method === "PATCH" && isHeld ? new Promise(() => {}) : undefined));
    const upload = room.upload(fileOf(5));
    await until(() => files.requests.length === 2);
    upload.pause();
    await settle();
    assert.deepEqual([upload.state, files.requests[1].signal.aborted], ["paused", true]);
    [...files.uploads.values()][0].bytes = [...fileOf(5).bytes.slice(0, 2)];
    isHeld = false;
    upload.resume();
    await upload.finished;
    const [{ id }] = stored(files);
    assert.deepEqual(files.said.slice(2), [`HEAD uploads/${id}`, `PATCH uploads/${id} @2`]);
});

test("a progress listener may pause or cancel the upload", async () => {
    for (const [what, state] of [["pause", "paused"], ["cancel", "cancelled"]]) {
        const { room, files } = await inLobby();
        const upload = room.upload(fileOf(3 * PART));
        upload.on("progress", ({ sentBytes }) => sentBytes === PART && upload[what]());
        await until(() => upload.state === state);
        for (let turn = 0; turn < 20; turn++) await settle();
        assert.deepEqual([upload.state, files.requests.filter(({ method }) => method === "PATCH").length], [state, 1]);
    }
});

test("an aborted signal cancels the upload, and deletes it on the hub", async () => {
    const { room, files } = await inLobby(({ method }) => (method === "PATCH" ? new Promise(() => {}) : undefined));
    const controller = new AbortController();
    const upload = room.upload(fileOf(5), { signal: controller.signal });
    await until(() => files.requests.length === 2);
    controller.abort();
    assert.equal(await codeOf(upload.finished), "aborted");
    await until(() => files.uploads.size === 0);
    assert.deepEqual([upload.state, files.requests[2].method], ["cancelled", "DELETE"]);
    upload.resume();
    upload.retry();
    assert.equal(room.upload(fileOf(5), { signal: controller.signal }).state, "cancelled");
    await settle();
    assert.deepEqual([upload.state, files.requests.length], ["cancelled", 3]);
});

test("an upload cancelled while the hub creates it is deleted once its id is known", async () => {
    for (const isPaused of [false, true]) {
        let answer;
        const held = new Promise((resolve) => (answer = resolve));
        const { room, files } = await inLobby(({ method }) => (method === "POST" ? held : undefined));
        const upload = room.upload(fileOf(5));
        await until(() => files.requests.length === 1);
        if (isPaused) upload.pause();
        else upload.cancel();
        answer();
        if (isPaused) {
            await until(() => files.uploads.size === 1);
            for (let turn = 0; turn < 5; turn++) await settle();
            assert.equal(upload.state, "paused");
            upload.cancel();
        }
        await until(() => files.requests.length === 2);
        await until(() => files.uploads.size === 0);
        assert.deepEqual([files.requests.map(({ method }) => method), upload.state], [["POST", "DELETE"], "cancelled"]);
    }
});

test("discard deletes a file that the upload created, unless another upload uses it", async () => {
    const { room, files } = await inLobby();
    const upload = room.upload(fileOf(5));
    const { id } = await upload.finished;
    const same = room.upload(fileOf(5));
    assert.equal((await same.finished).id, id);
    same.discard();
    await settle();
    assert.deepEqual([same.state, same.file, files.uploads.size], ["cancelled", null, 1]);
    upload.cancel();
    assert.equal(upload.state, "done", "cancel keeps a completed upload");
    files.intercept = never;
    const begun = room.upload(fileOf(5));
    upload.discard();
    await settle();
    assert.equal(upload.state, "cancelled");
    assert.ok(!files.requests.some(({ method }) => method === "DELETE"));
    begun.cancel();
    files.intercept = () => undefined;
    const other = room.upload(fileOf(6));
    const made = await other.finished;
    other.discard();
    await until(() => !files.uploads.has(made.id));
    assert.equal(files.said.at(-1), `DELETE files/${made.id}`);
    assert.equal(await codeOf(room.send("", { files: [other] })), "bad_request");
});

test("without a connection an upload waits, and continues on the next one", async () => {
    let isHeld = true;
    const { hub, room, files, world } = await inLobby(({ method }) => (method === "PATCH" && isHeld ? new Promise(() => {}) : undefined));
    const upload = room.upload(fileOf(5));
    await until(() => files.requests.length === 2);
    await world.observe("offline");
    assert.deepEqual([upload.state, upload.error, files.requests[1].signal.aborted], ["waiting", null, true]);
    const another = room.upload(fileOf(6, { name: "later" }));
    await world.advance(60_000);
    assert.deepEqual([another.state, files.requests.length], ["waiting", 2]);
    isHeld = false;
    await world.observe("online");
    hub.connect();
    await world.welcome();
    await Promise.all([upload.finished, another.finished]);
    assert.equal(files.requests[2].method, "HEAD");
});

test("a paused upload stays paused after a reconnect", async () => {
    const { hub, room, files, world } = await inLobby();
    const upload = room.upload(fileOf(5));
    upload.pause();
    const count = files.requests.length;
    await backAgain(world, hub);
    await settle();
    assert.deepEqual([upload.state, files.requests.length], ["paused", count]);
    upload.resume();
    await upload.finished;
});

test("leaving the room, closing the client and a change of user fail uploads", async () => {
    for (const [code, end] of [["left", ({ room }) => room.leave()], ["closed", ({ hub }) => hub.close()], ["left", async ({ world, hub }) => {
        await world.peer.drop(1006);
        hub.connect();
        await world.welcome({ user: "bob" });
    }]]) {
        const page = await inLobby(never);
        const upload = page.room.upload(fileOf(5));
        end(page);
        assert.deepEqual([await codeOf(upload.finished), upload.state], [code, "failed"]);
    }
    const { hub, room, world } = await inLobby(never);
    hub.close();
    assert.equal(room.upload(fileOf(5)).error.code, "closed");
    assert.equal(world.timerCount, 0);
});

test("at most 200 uploads are unfinished", async () => {
    const { room } = await inLobby(() => new Promise(() => {}));
    const uploads = Array.from({ length: 201 }, (_, number) => room.upload(fileOf(1, { name: `${number}` })));
    assert.deepEqual([uploads[199].error, uploads[200].error.code], [null, "outbox_full"]);
    uploads[0].cancel();
    assert.equal(room.upload(fileOf(1)).error, null);
});

// The same file

test("the same file in the same room is the same upload, also after a reload", async () => {
    const first = await inLobby();
    const { id, query } = { query: (await first.room.upload(fileOf(9)).finished, first.files.requests[0].query), ...stored(first.files)[0] };
    assert.ok(Buffer.byteLength(query.id) <= 64 && /^[\x21-\x7e]+$/.test(query.id));
    const next = await inLobby();
    next.files.uploads = first.files.uploads;
    assert.equal((await next.room.upload(fileOf(9)).finished).id, id);
    assert.deepEqual(next.files.requests.map(({ method }) => method), ["POST"]);
    const half = await inLobby();
    half.files.begun({ key: query.id, room: "lobby", name: "cat.png", size: 9, type: "image/png", bytes: [...fileOf(9).bytes.slice(0, 4)] });
    await half.room.upload(fileOf(9)).finished;
    assert.match(half.files.said[1], /@4$/);
});

test("another name, size or time is another upload; so is a blob, and the second of two at a time", async () => {
    const { room, files } = await inLobby(({ method }) => (method === "PATCH" ? new Promise(() => {}) : undefined));
    const ids = new Set();
    const sources = [fileOf(9), fileOf(9), fileOf(9, { name: "dog.png" }), fileOf(8), fileOf(9, { lastModified: 1 }), { ...fileOf(9), lastModified: undefined }];
    for (const source of sources) {
        const upload = room.upload(source);
        await until(() => upload.state === "sending");
        ids.add(files.requests.findLast(({ method }) => method === "POST").query.id);
        upload.pause();
    }
    assert.equal(ids.size, sources.length);
});

test("an id that belongs to another file is replaced by a random one", async () => {
    const probe = await inLobby();
    await probe.room.upload(fileOf(9)).finished;
    const { room, files } = await inLobby();
    files.begun({ key: probe.files.requests[0].query.id, room: "lobby", name: "other", size: 1 });
    await room.upload(fileOf(9)).finished;
    assert.match(files.requests[1].query.id, /^[0-9a-f]{32}$/);
});

// Links and downloads

test("a link is requested once, reused until shortly before its expiry, and renewed on request", async () => {
    const { hub, room, files, world } = await inLobby();
    const { id } = await room.upload(fileOf(9)).finished;
    files.requests = [];
    const [one, same] = await Promise.all([hub.fileURL(id), hub.fileURL(id, { isDownload: true })]);
    assert.match(one, new RegExp(`^https://hub.example.com/v1/files/${id}\\?.*signature=`));
    assert.deepEqual([same, files.requests.length], [`${one}&download`, 1]);
    world.sleep(3_600_000 - 120_001);
    assert.equal(await hub.fileURL(id), one);
    world.sleep(1);
    assert.notEqual(await hub.fileURL(id), one);
    assert.notEqual(await hub.fileURL(id, { isRenewed: true }), one);
    assert.equal(files.requests.length, 3);
});

test("an invalid link from the hub is refused, and so is an invalid id", async () => {
    for (const answer of [{ url: "https://example.com/v1/files/x", expiresAt: 9e15 }, { url: "/v1/files/abc?x", expiresAt: 9e15 }, { url: "/v1/files/other?x" }, {}]) {
        const { hub } = await inLobby(() => new Response(JSON.stringify(answer)));
        assert.equal(await codeOf(hub.fileURL("other")), "internal");
    }
    const { hub, files } = await inLobby();
    assert.deepEqual(await Promise.all([codeOf(hub.fileURL("../x")), codeOf(hub.download("a/b")), codeOf(hub.fileURL("gone"))]), ["bad_request", "bad_request", "not_found"]);
    assert.equal(files.requests.length, 1);
});

test("a download is the whole file, a preview or the first bytes, up to a maximum size", async () => {
    const { hub, room, files } = await inLobby(({ path }) => (path.endsWith("/preview") ? new Response("small") : undefined));
    const file = fileOf(5_000);
    const { id } = await room.upload(file).finished;
    const progress = [];
    const whole = await hub.download(id, { onProgress: (one) => progress.push(one) });
    assert.deepEqual([whole.type, Buffer.compare(Buffer.from(await whole.arrayBuffer()), Buffer.from(file.bytes))], ["image/png", 0]);
    assert.deepEqual(progress.at(-1), { bytes: 5_000, total: 5_000 });
    assert.equal(await (await hub.download(id, { isPreview: true })).text(), "small");
    assert.equal((await hub.download(id, { firstBytes: 100 })).size, 100);
    assert.equal(files.requests.at(-1).headers.get("range"), "bytes=0-99");
    assert.equal(await codeOf(hub.download(id, { bytesMax: 4_999 })), "too_large");
    const empty = await room.upload(fileOf(0, { name: "empty" })).finished;
    assert.equal((await hub.download(empty.id, { firstBytes: 100 })).size, 0);
    files.intercept = () => new Response(new Uint8Array(300));
    assert.equal((await hub.download(id, { firstBytes: 100 })).size, 100, "a hub without ranges sends the whole file");
});

test("an error thrown by onProgress is uncaught, and the download continues", async () => {
    const { hub, room } = await inLobby();
    const { id } = await room.upload(fileOf(9)).finished;
    let whole;
    const onProgress = () => {
        throw new Error("the page's");
    };
    const uncaught = await uncaughtIn(async () => (whole = await hub.download(id, { onProgress })));
    assert.deepEqual([whole.size, uncaught], [9, ["the page's"]]);
});

test("an upload waits while the user has too many uploads in progress", async () => {
    let isBusy = true;
    const busy = () => refusal(429, "rate_limited", "You have 16 uploads in progress.", { "retry-after": "10" });
    const { room, world } = await inLobby(({ method }) => (method === "POST" && isBusy ? busy() : undefined));
    const upload = room.upload(fileOf(5));
    await until(() => upload.error);
    assert.deepEqual([upload.state, upload.error.code, upload.error.retryAfterMs], ["waiting", "rate_limited", 10_000]);
    isBusy = false;
    await world.advance(20_000);
    assert.equal((await upload.finished).size, 5);
});

test("a slow download continues while bytes arrive, and times out without them", async () => {
    let source;
    const { hub, world } = await inLobby(() => new Response(new ReadableStream({ start: (controller) => (source = controller) })));
    const slow = hub.download("some");
    await until(() => source);
    for (let part = 0; part < 4; part++) {
        await world.advance(20_000);
        await world.peer.say({ op: "ping" });
        source.enqueue(new Uint8Array(3));
        for (let turn = 0; turn < 5; turn++) await settle();
    }
    source.close();
    assert.equal((await slow).size, 12);
    const dead = codeOf(hub.download("some"));
    await settle();
    for (let beat = 0; beat < 3; beat++) await world.advance(20_000), await world.peer.say({ op: "ping" });
    assert.equal(await dead, "timeout");
});

test("a link requested before a change of user is not kept for the new user", async () => {
    let answer;
    const { hub, room, files, world } = await inLobby(({ path }) => {
        if (path.endsWith("/url") && !answer) return new Promise((resolve) => (answer = resolve));
    });
    const { id } = await room.upload(fileOf(9)).finished;
    const asked = hub.fileURL(id);
    await until(() => answer);
    await world.peer.drop(1006);
    hub.connect();
    await world.welcome({ user: "bob" });
    const theirs = await hub.fileURL(id);
    answer();
    assert.notEqual(await asked, theirs);
    assert.equal(await hub.fileURL(id), theirs);
    assert.equal(files.requests.filter(({ path }) => path.endsWith("/url")).length, 2);
});

test("links are dropped when the user changes", async () => {
    const { hub, room, files, world } = await inLobby();
    const { id } = await room.upload(fileOf(9)).finished;
    const link = await hub.fileURL(id);
    await world.peer.drop(1006);
    hub.connect();
    await world.welcome({ user: "bob" });
    assert.notEqual(await hub.fileURL(id), link);
    assert.equal(files.requests.at(-1).query.user, "alice", "in development mode the query has the page's user");
});

test("names and users with spaces and special characters reach the hub unchanged", async () => {
    const names = [
        "report final.pdf", "a+b.txt", "100%25.txt", "50% & more = fun?#.txt", "it's \"quoted\".txt", "a/b\\c.txt", "na\u00efve.txt",
        "\u{1F408} cat \u{1F469}\u200d\u{1F4BB}.png", "\u0645\u0644\u0641 \u05e7\u05d5\u05d1\u05e5.pdf", "x".repeat(200) + " y.txt",
    ];
    for (const user of ["Alice Smith", "a+b", "50%", "\u{1F408}"]) {
        const { room, files } = await inLobby(undefined, { user });
        for (const name of names) await room.upload(fileOf(9, { name })).finished;
        await room.upload(fileOf(9, { name: "half \ud800.txt" })).finished;
        assert.deepEqual(stored(files).map(({ name }) => name), [...names, "half \ufffd.txt"]);
        assert.ok(files.requests.every(({ query }) => query.user === user), user);
    }
});

// Messages

test("a message is sent with file ids and descriptions, and shows its files at once", async () => {
    const { room, peer } = await inLobby();
    const upload = room.upload(fileOf(9));
    assert.equal(await codeOf(room.send("", { files: [upload] })), "bad_request", "the upload is not done yet");
    const file = await upload.finished;
    upload.alt = "a cat";
    const sending = room.send("", { files: [upload, { id: "other" }] });
    assert.deepEqual(room.messages[0].files, [{ ...file, alt: "a cat" }, { id: "other" }]);
    await settle();
    const command = peer.take("send");
    assert.deepEqual([command.text, command.files], ["", [{ id: file.id, alt: "a cat" }, { id: "other" }]]);
    await peer.say(ack(command, 1), told(1, { id: command.id, from: "alice", text: "", files: [{ ...file, alt: "a cat" }] }));
    await sending;
    assert.deepEqual(room.messages[0].files, [{ ...file, alt: "a cat" }]);
});

test("messages have the files that the hub lists, and none once deleted", async () => {
    const { hub, peer, room } = await inLobby();
    const files = [{ id: "f1", name: "a.txt", type: "text/plain", size: 3 }];
    await peer.say(told(1, { files }), told(2));
    assert.deepEqual(room.messages.map((one) => one.files), [files, []]);
    assert.ok(Object.isFrozen(room.messages[0].files[0]));
    await peer.say(change("edited", 3, 1, { text: "other" }));
    assert.deepEqual(room.messages[0].files, files);
    await peer.say(change("deleted", 4, 1));
    assert.deepEqual(room.messages[0].files, []);
    const page = room.history();
    await settle();
    await peer.say({ op: "page", id: peer.take("history").id, room: "lobby", epoch: "e1", offset: 4, messages: [message(2, { files })], more: false });
    assert.deepEqual((await page).messages[0].files, files);
    assert.equal(hub.state.name, "connected");
});

test("a message has at most ten files with descriptions of 1,000 bytes; a command has none", async () => {
    const { room, peer } = await inLobby();
    const many = Array.from({ length: 11 }, (_, number) => ({ id: `f${number}` }));
    const codes = [room.send("", { files: many }), room.send("", { files: [{ id: "f", alt: "ü".repeat(501) }] }), room.send("/w bob look", { files: [{ id: "f" }] })];
    assert.deepEqual(await Promise.all(codes.map(codeOf)), ["too_large", "too_large", "bad_request"]);
    assert.throws(() => (room.upload(fileOf(1)).alt = "ü".repeat(501)), { code: "too_large" });
    room.send("/w", { files: [{ id: "f" }], literal: true });
    await settle();
    assert.equal(peer.take("send").text, "//w");
});

test("a pending message with files survives a reload", async () => {
    const items = new Map();
    const outbox = { getItem: (key) => items.get(key) ?? null, setItem: (key, value) => items.set(key, value), removeItem: (key) => items.delete(key) };
    const { room } = await inLobby(undefined, { outbox });
    room.send("", { files: [{ id: "f1", alt: "a cat", name: "cat.png" }] });
    await settle();
    const next = await inLobby(undefined, { outbox });
    assert.deepEqual(next.room.messages.map(({ files, status }) => [files, status]), [[[{ id: "f1", alt: "a cat" }], "sending"]]);
    await settle();
    assert.deepEqual(next.peer.take("send").files, [{ id: "f1", alt: "a cat" }]);
});
