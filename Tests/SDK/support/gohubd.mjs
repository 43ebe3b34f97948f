// A real hub for tests on a free port, and a proxy in front of it that drops and stalls connections.
import { spawn } from "node:child_process";
import { createHmac, randomUUID, webcrypto } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { GoHub } from "../../../Sources/GoHubWeb/SDK/gohub.js";
import { WebSocket } from "./websocket.mjs";

export const SECRET = "a secret that only the tests of this file know";
/** The timeout of eventual conditions: only a failing test waits this long. */
const PATIENCE_MS = 30_000;

/** Runs a test's body and closes everything that it opened, also after a failure. */
export async function withCleanup(body) {
    const cleanups = [];
    try {
        await body((cleanup) => cleanups.push(cleanup));
    } finally {
        for (const cleanup of cleanups.reverse()) await cleanup();
    }
}

export class Hub {
    #settings;
    #process = null;
    #log = [];
    port = 0;

    /** `store` is `memory`; any other value means an SQLite file that lasts as long as this object. */
    constructor(store = "memory", settings = {}) {
        this.directory = store === "memory" ? null : mkdtempSync(join(tmpdir(), "gohub-sdk-"));
        this.#settings = { store: this.directory ? `sqlite:${join(this.directory, "hub.sqlite")}` : "memory", ...settings };
    }

    get url() {
        return `http://127.0.0.1:${this.port}`;
    }

    async start() {
        const binary = process.env.GOHUBD;
        if (!binary) throw new Error("GOHUBD names no gohubd: run Scripts/sdk-test.sh");
        const settings = { "log.format": "json", listen: "127.0.0.1:0", ...this.#settings };
        const flags = Object.entries(settings).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
        const child = spawn(binary, ["serve", ...flags], { stdio: ["ignore", "ignore", "pipe"] });
        this.#process = child;
        const started = new Promise((resolve, reject) => {
            createInterface({ input: child.stderr }).on("line", (line) => {
                this.#log = [...this.#log.slice(-20), line];
                const port = /"message":"started"/.test(line) && /"listen":"127\.0\.0\.1:(\d+)"/.exec(line)?.[1];
                if (port) resolve(Number(port));
            });
            child.on("error", reject);
            child.on("exit", () => reject(new Error(`the hub ended at its start:\n${this.#log.join("\n")}`)));
        });
        this.port = await within(started, "the hub's start");
        return this;
    }

    /** Kills the hub, like a crash. */
    async kill() {
        await this.#end("SIGKILL");
    }

    /** Stops the hub gracefully, and waits until it has exited. */
    async stop() {
        await this.#end("SIGTERM");
    }

    async #end(signal) {
        const child = this.#process;
        this.#process = null;
        if (!child || child.exitCode !== null || child.signalCode !== null) return;
        const exit = once(child, "exit");
        child.kill(signal);
        await within(exit, "the hub's end");
    }

    async close() {
        await this.kill();
        if (this.directory) rmSync(this.directory, { recursive: true, force: true });
    }
}

export class Proxy {
    #server;
    #pairs = new Set();
    /** Returns after how many bytes from the hub a connection is cut. Called for each connection. */
    cutAfter = () => Infinity;
    accepted = 0;

    constructor(hub) {
        this.#server = createServer((client) => this.#accepted(client, connect(hub.port, "127.0.0.1")));
    }

    async start() {
        this.#server.listen(0, "127.0.0.1");
        await once(this.#server, "listening");
        return this;
    }

    get url() {
        return `http://127.0.0.1:${this.#server.address().port}`;
    }

    #accepted(client, hub) {
        this.accepted += 1;
        const pair = [client, hub];
        this.#pairs.add(pair);
        const end = () => {
            this.#pairs.delete(pair);
            for (const socket of pair) socket.destroy();
        };
        let left = this.cutAfter();
        hub.on("data", (bytes) => {
            client.write(bytes.subarray(0, Math.min(bytes.length, left)));
            left -= bytes.length;
            if (left <= 0) client.end(end);
        });
        client.on("data", (bytes) => hub.write(bytes));
        for (const socket of pair) {
            socket.setNoDelay(true);
            socket.on("error", end);
            socket.on("close", end);
        }
    }

    /** Drops all connections. */
    cut() {
        for (const pair of [...this.#pairs]) for (const socket of pair) socket.destroy();
    }

    /** Stalls the current connections without closing them, like a dead link. New connections work. */
    stall() {
        for (const pair of this.#pairs) {
            for (const socket of pair) {
                socket.removeAllListeners("data");
                socket.pause();
            }
        }
    }

    async close() {
        this.cut();
        this.#server.close();
    }
}

/** A client with the shortest backoff. */
export function client(url, user, options = {}) {
    return new GoHub({
        url, ...(options.token ? {} : { user }), ...options,
        environment: { WebSocket, crypto: webcrypto, random: () => 0, ...options.environment },
    });
}

/** A token signed with `SECRET`. */
export function token(subject, lifeSeconds = 3_600, claims = {}) {
    const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const expires = Math.floor(Date.now() / 1_000) + lifeSeconds;
    const body = `${encode({ alg: "HS256", typ: "JWT" })}.${encode({ sub: subject, exp: expires, jti: randomUUID(), ...claims })}`;
    return `${body}.${createHmac("sha256", SECRET).update(body).digest("base64url")}`;
}

/** A promise with a timeout. */
export async function within(promise, what) {
    let timer;
    const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(`timed out: ${what}`)), PATIENCE_MS)));
    try {
        return await Promise.race([promise, late]);
    } finally {
        clearTimeout(timer);
    }
}

/** Resolves once a condition is true. It is checked at once, and at each event of the type. */
export async function until(emitter, type, isTrue) {
    let off = () => {};
    const becomes = new Promise((resolve) => {
        const check = () => isTrue() && resolve();
        off = emitter.on(type, check);
        check();
    });
    await within(becomes, String(isTrue)).finally(off);
}
