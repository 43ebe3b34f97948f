// The example client of Docs/Protocol.md against a real hub: it must do what the document says.
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Hub, Proxy, SECRET, client, token, until, withCleanup, within } from "./support/gohubd.mjs";
import { WebSocket } from "./support/websocket.mjs";
import { texts } from "./support/world.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const [, source] = /^## Example$[^]*?^```js\n([^]*?)^```$/m.exec(readFileSync(join(root, "Docs/Protocol.md"), "utf8"));

/** A page that contains only the example. Records its callbacks, and the events of its connections. */
class Page {
    shown = [];
    clears = 0;
    refusals = [];
    ends = [];
    /** All events of the hub, on all connections. */
    heard = [];
    #listeners = new Set();
    #sockets = new Set();
    #isClosed = false;

    static async open(defer, url) {
        const page = new Page();
        const directory = mkdtempSync(join(tmpdir(), "gohub-example-"));
        defer(() => rmSync(directory, { recursive: true }));
        const globals = Object.keys(page.#globals(url)).join(", ");
        // Page globals that Node lacks are parameters here, so that two pages do not share them.
        const body = source.replaceAll(/^export /gm, "");
        const file = join(directory, "example.mjs");
        writeFileSync(file, `export default function ({ ${globals} }) {\n${body}\nreturn { connect, send };\n}\n`);
        const { default: run } = await import(pathToFileURL(file));
        Object.assign(page, run(page.#globals(url)));
        defer(() => page.#close());
        return page;
    }

    #globals(url) {
        const page = this;
        class PageSocket extends WebSocket {
            static OPEN = 1;

            constructor(...address) {
                super(...address);
                page.#sockets.add(this);
                // The example sets its listener later; `hear` calls it. The example does not reconnect after code 1000.
                let listener = null;
                const hear = (event) => {
                    page.heard.push(JSON.parse(event.data));
                    listener?.(event);
                    page.#tell();
                };
                Object.defineProperty(this, "onmessage", { get: () => hear, set: (given) => (listener = given) });
                if (page.#isClosed) setTimeout(() => this.onclose?.({ code: 1000 }));
            }
        }
        return {
            WebSocket: PageSocket, crypto: webcrypto, sessionStorage: {}, location: { origin: url },
            show: (entry) => this.shown.push(entry), clear: () => ((this.shown = []), (this.clears += 1)),
            refused: (error) => this.refusals.push(error), ended: (code) => (this.ends.push(code), this.#tell()),
        };
    }

    #close() {
        this.#isClosed = true;
        for (const socket of this.#sockets) socket.onclose?.({ code: 1000 });
    }

    get texts() {
        return this.shown.map(({ text }) => text);
    }

    acks() {
        return this.heard.filter(({ op }) => op === "ack");
    }

    on(_, listener) {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
    }

    #tell() {
        for (const listener of this.#listeners) listener();
    }

    async until(isTrue) {
        await until(this, "event", isTrue);
    }
}

/** Starts a hub with the token secret in its environment. */
async function start(hub) {
    process.env.GOHUB_AUTH_SECRET = SECRET;
    try {
        await hub.start();
    } finally {
        delete process.env.GOHUB_AUTH_SECRET;
    }
}

/** A hub, the example's page behind a proxy, and Bob in the lobby, also behind the proxy unless `isBobDirect`. */
async function begin(defer, { store = "memory", settings, isBobDirect = false } = {}) {
    const hub = new Hub(store, settings);
    await start(hub);
    defer(() => hub.close());
    const proxy = await new Proxy(hub).start();
    defer(() => proxy.close());
    const bob = client(isBobDirect ? hub.url : proxy.url, null, { token: () => token("bob") });
    defer(() => bob.close());
    const room = await within((bob.connect(), bob.join("lobby")), "joining");
    return { hub, proxy, room, page: await Page.open(defer, proxy.url) };
}

const numbered = (count, from = 0) => Array.from({ length: count }, (_, number) => `number ${from + number}`);

test("100 messages written offline are stored once each and in order, although the hub refuses some for their rate", () =>
    withCleanup(async (defer) => {
        // The user's rate is below the connection's, which `welcome` states: refusals are inevitable. They have no id.
        const settings = {
            "rates.connectionPerSecond": 200, "rates.connectionBurst": 200, "rates.userPerSecond": 50, "rates.userBurst": 5,
        };
        const { page, room } = await begin(defer, { settings });
        for (const text of numbered(100)) page.send(text);
        page.connect(token("alice"));
        await page.until(() => new Set(page.acks().map(({ id }) => id)).size === 100);
        await until(room, "change", () => room.offset >= 100);
        assert.deepEqual(texts(room), numbered(100));
        assert.equal(room.offset, 100, "no message is stored twice");
        assert.ok(page.heard.some(({ code, id }) => code === "rate_limited" && id === undefined), "the hub refused some");
        await page.until(() => page.shown.length === 100);
        assert.deepEqual([page.texts, page.refusals, page.ends], [numbered(100), [], []]);
    }));

test("after a lost connection, neither others' messages nor the page's own are lost", () => withCleanup(async (defer) => {
    const { page, proxy, room } = await begin(defer);
    page.connect(token("alice"));
    await page.until(() => page.heard.some(({ op }) => op === "joined"));
    for (const text of numbered(5)) await room.send(text);
    await page.until(() => page.shown.length === 5);
    proxy.cut();
    page.send("number 5");
    await page.until(() => page.acks().length === 1);
    for (const text of numbered(5, 6)) await room.send(text);
    await page.until(() => page.shown.length === 11);
    assert.deepEqual(page.shown.map(({ offset }) => offset), Array.from({ length: 11 }, (_, index) => index + 1));
    assert.deepEqual([page.texts, page.clears, page.ends], [numbered(11), 0, []]);
}));

test("a killed and restarted hub has lost nothing, and the page shows nothing twice", () => withCleanup(async (defer) => {
    const { hub, page, room } = await begin(defer, { store: "sqlite" });
    page.connect(token("alice"));
    await page.until(() => page.heard.some(({ op }) => op === "joined"));
    await room.send("number 0");
    await page.until(() => page.shown.length === 1);
    await hub.kill();
    for (const text of numbered(10, 1)) page.send(text);
    await start(hub);
    await page.until(() => page.shown.length === 11);
    await until(room, "change", () => room.offset >= 11);
    assert.deepEqual([page.texts, texts(room), page.clears], [numbered(11), numbered(11), 0]);
}));

test("a client that missed more than a page holds starts again with the newest messages", () => withCleanup(async (defer) => {
    const { page, proxy, room } = await begin(defer, { settings: { "limits.pageMessagesMax": 10 }, isBobDirect: true });
    page.connect(token("alice"));
    await page.until(() => page.heard.some(({ op }) => op === "joined"));
    await room.send("number 0");
    await page.until(() => page.shown.length === 1);
    proxy.cutAfter = () => 0;
    proxy.cut();
    await within(Promise.all(numbered(30, 1).map((text) => room.send(text))), "being stored");
    proxy.cutAfter = () => Infinity;
    await page.until(() => page.shown.at(-1)?.offset === 31);
    assert.deepEqual([page.texts, page.clears], [numbered(10, 21), 1]);
}));

test("a refused message is reported, and does not delay the ones after it", () => withCleanup(async (defer) => {
    const { page, room } = await begin(defer);
    page.send("x".repeat(9_000));
    page.send("/no-such-command");
    page.send("/ping");
    page.send("number 0");
    page.connect(token("alice"));
    await page.until(() => page.acks().length === 1);
    assert.deepEqual(page.refusals.map(({ code }) => code), ["too_large", "not_found"]);
    await until(room, "change", () => room.offset >= 1);
    assert.deepEqual(texts(room), numbered(1));
}));
