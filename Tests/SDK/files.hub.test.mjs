// Files against a real hub, which is also killed or disconnected during an upload.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";
import { writeFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { Hub, Proxy, SECRET, client, token, until, withCleanup, within } from "./support/gohubd.mjs";
import { codeOf } from "./support/world.mjs";

const MIB = 1_048_576;
const hashOf = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** A file as a page gets it from the user. The fixed time makes it the same file after a reload. */
function fileOf(bytes, name = "data.bin") {
    return Object.assign(new Blob([bytes]), { name, lastModified: 1_700_000_000_000 });
}

async function begin(defer, { store, settings } = {}) {
    const hub = await new Hub(store, settings).start();
    defer(() => hub.close());
    const proxy = await new Proxy(hub).start();
    defer(() => proxy.close());
    const enter = async (user, options) => {
        const made = client(proxy.url, user, options);
        defer(() => made.close());
        made.connect();
        return { hub: made, room: await within(made.join("lobby"), "joining") };
    };
    return { hub, proxy, enter };
}

/** Starts a hub that requires tokens. */
async function beginWithSecret(defer) {
    const directory = mkdtempSync(joinPath(tmpdir(), "gohub-sdk-files-"));
    defer(() => rmSync(directory, { recursive: true }));
    const secret = joinPath(directory, "secret");
    writeFileSync(secret, SECRET, { mode: 0o600 });
    return begin(defer, { settings: { "auth.secretFile": secret } });
}

test("a file is stored unchanged, and available by link, in whole and in part", () => withCleanup(async (defer) => {
    const { enter } = await begin(defer);
    const [alice, bob] = [await enter("alice"), await enter("bob")];
    const bytes = randomBytes(3 * MIB + 17);
    const upload = alice.room.upload(fileOf(bytes, "a/b\u202e.bin"));
    const file = await within(upload.finished, "the upload");
    assert.deepEqual([file.name, file.type, file.size], ["b.bin", "application/octet-stream", bytes.length]);
    const answer = await fetch(await bob.hub.fileURL(file.id));
    assert.equal(hashOf(new Uint8Array(await answer.arrayBuffer())), hashOf(bytes));
    const saved = await fetch(await bob.hub.fileURL(file.id, { isDownload: true }));
    assert.match(saved.headers.get("content-disposition"), /^attachment/);
    await saved.arrayBuffer();
    assert.equal(hashOf(new Uint8Array(await (await bob.hub.download(file.id)).arrayBuffer())), hashOf(bytes));
    const start = new Uint8Array(await (await bob.hub.download(file.id, { firstBytes: 2_048 })).arrayBuffer());
    assert.equal(hashOf(start), hashOf(bytes.subarray(0, 2_048)));
    assert.equal(await codeOf(bob.hub.fileURL("x".repeat(22))), "not_found");
    assert.equal((await within(alice.room.upload(fileOf(Buffer.alloc(0), "empty")).finished, "nothing")).size, 0);
}));

test("a hub killed during an upload keeps the bytes that it acknowledged, and the upload continues", () => withCleanup(async (defer) => {
    const { hub, enter } = await begin(defer, { store: "sqlite" });
    const alice = await enter("alice");
    const bytes = randomBytes(17 * MIB);
    const upload = alice.room.upload(fileOf(bytes));
    await until(upload, "progress", () => upload.sentBytes > MIB);
    await hub.kill();
    await until(upload, "state", () => upload.state === "waiting");
    const before = upload.sentBytes;
    await hub.start();
    const steps = [];
    upload.on("progress", () => steps.push(upload.sentBytes));
    const file = await within(upload.finished, "the upload");
    assert.ok(steps[0] >= before, `${steps[0]} after ${before}`);
    assert.equal(hashOf(new Uint8Array(await (await alice.hub.download(file.id)).arrayBuffer())), hashOf(bytes));
}));

test("an upload survives repeatedly lost connections without losing bytes", () => withCleanup(async (defer) => {
    const { proxy, enter } = await begin(defer);
    const alice = await enter("alice");
    const bytes = randomBytes(9 * MIB);
    const upload = alice.room.upload(fileOf(bytes));
    let cuts = 0;
    let cutAt = 0;
    upload.on("progress", () => {
        if (cuts >= 5 || upload.sentBytes <= cutAt) return;
        cuts += 1;
        cutAt = upload.sentBytes;
        setImmediate(() => proxy.cut());
    });
    const { id, size } = await within(upload.finished, "the upload");
    assert.deepEqual([cuts, size], [5, bytes.length]);
    await until(alice.hub, "state", () => alice.hub.state.name === "connected");
    assert.equal(hashOf(new Uint8Array(await (await alice.hub.download(id)).arrayBuffer())), hashOf(bytes));
}));

test("the next page resumes the upload of the same file, and finds the file once it is complete", () => withCleanup(async (defer) => {
    const { enter } = await begin(defer);
    const bytes = randomBytes(9 * MIB);
    const first = await enter("alice");
    const half = first.room.upload(fileOf(bytes));
    await until(half, "progress", () => half.sentBytes > 0);
    first.hub.close();
    assert.equal(await codeOf(half.finished), "closed");
    const next = await enter("alice");
    const rest = next.room.upload(fileOf(bytes));
    await until(rest, "progress", () => rest.sentBytes > 0);
    assert.ok(rest.sentBytes >= half.sentBytes, "it starts at the first page's offset or later");
    const { id } = await within(rest.finished, "the upload");
    assert.equal((await within(next.room.upload(fileOf(bytes)).finished, "the same again")).id, id);
    assert.notEqual((await within(next.room.upload(fileOf(bytes, "other name")).finished, "another")).id, id);
}));

test("a paused upload resumes, a cancelled one is aborted", () => withCleanup(async (defer) => {
    const { enter } = await begin(defer);
    const alice = await enter("alice");
    const upload = alice.room.upload(fileOf(randomBytes(5 * MIB)));
    await until(upload, "progress", () => upload.sentBytes > 0);
    upload.pause();
    upload.resume();
    await within(upload.finished, "the upload");
    const other = alice.room.upload(fileOf(randomBytes(5 * MIB), "other"));
    await until(other, "progress", () => other.sentBytes > 0);
    other.cancel();
    assert.equal(await codeOf(other.finished), "aborted");
}));

test("files over the size limit or the user's quota are refused", () => withCleanup(async (defer) => {
    const { enter } = await begin(defer, { settings: { "files.bytesMax": 10_000, "files.userBytesMax": 15_000 } });
    const alice = await enter("alice");
    assert.equal(await codeOf(alice.room.upload(fileOf(Buffer.alloc(10_001))).finished), "too_large");
    await within(alice.room.upload(fileOf(Buffer.alloc(10_000))).finished, "the upload");
    assert.equal(await codeOf(alice.room.upload(fileOf(Buffer.alloc(5_001), "more")).finished), "quota_exceeded");
}));

test("a file requires access to its room; a link works without a token", () => withCleanup(async (defer) => {
    const { enter, proxy } = await beginWithSecret(defer);
    const rooms = [{ match: "lobby", can: ["read", "write"] }];
    const alice = await enter("alice", { token: () => token("alice", 3_600, { rooms }) });
    const file = await within(alice.room.upload(fileOf(Buffer.from("for the lobby"))).finished, "the upload");
    const eve = client(proxy.url, "eve", { token: () => token("eve", 3_600, { rooms: [{ match: "other", can: ["read", "write"] }] }) });
    defer(() => eve.close());
    await within(eve.connect(), "connecting");
    assert.equal(await codeOf(eve.fileURL(file.id)), "not_found");
    assert.equal(await codeOf(eve.download(file.id)), "not_found");
    const url = await alice.hub.fileURL(file.id);
    assert.ok(!url.includes("eyJ"), "the link contains no token");
    assert.equal(await (await fetch(url)).text(), "for the lobby");
    assert.equal((await fetch(url.replace(/signature=./, "signature=_"))).status, 403);
}));

test("a file's name is the same in the upload's result, in messages and when saved", () => withCleanup(async (defer) => {
    const { enter } = await begin(defer);
    const [alice, bob] = [await enter("Alice Smith"), await enter("bob")];
    const conversation = await within(alice.hub.direct("bob"), "the conversation");
    // Docs/Files.md describes what the hub removes from names.
    const names = {
        "report final.pdf": "report final.pdf", "a+b c.txt": "a+b c.txt", "100%25 %2B.txt": "100%25 %2B.txt",
        "50% & more = fun#.txt": "50% & more = fun#.txt", "it's \"quoted\".txt": "it's quoted.txt", "a/b\\c d.txt": "c d.txt",
        "na\u00efve \u{1F408}.png": "na\u00efve \u{1F408}.png", "\u0645\u0644\u0641 \u05e7\u05d5\u05d1\u05e5.pdf": "\u0645\u0644\u0641 \u05e7\u05d5\u05d1\u05e5.pdf",
        "exe.\u202egpj": "exe.gpj", [`${"x".repeat(400)} y.txt`]: `${"x".repeat(251)}.txt`,
    };
    for (const [room, theirs] of [[alice.room, bob.room], [conversation, await within(bob.hub.direct("Alice Smith"), "the conversation")]]) {
        for (const [given, expected] of Object.entries(names)) {
            const upload = room.upload(fileOf(randomBytes(20), given));
            const file = await within(upload.finished, given);
            assert.equal(file.name, expected, "in the upload's result");
            const { offset } = await within(room.send("", { files: [upload] }), "sending");
            await until(theirs, "message", () => theirs.offset >= offset);
            assert.equal(theirs.message(offset).files[0].name, expected, "in the message");
            const saved = await fetch(await bob.hub.fileURL(file.id, { isDownload: true }));
            await saved.arrayBuffer();
            const name = /filename\*=UTF-8''(\S+)$/.exec(saved.headers.get("content-disposition"))[1];
            assert.equal(decodeURIComponent(name), expected, "saved as");
            assert.equal((await (await bob.hub.download(file.id)).arrayBuffer()).byteLength, 20);
        }
    }
}));
