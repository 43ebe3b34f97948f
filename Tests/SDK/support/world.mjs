// The environment of the unit tests: a clock, timers, sockets and a network under the test's control.
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { GoHub } from "../../../Sources/GoHubWeb/SDK/gohub.js";

/** Runs all pending promise callbacks. */
export const settle = () => new Promise((resolve) => setImmediate(resolve));

export const LIMITS = {
    messageBytes: 65_536, textBytes: 8_192, rooms: 100, pageMessages: 500, commandsInFlight: 64, commandsPerMinute: 1_200,
    commandsBurst: 60,
};

/** The hub's end of a connection. */
class Peer {
    readyState = 0;
    onopen = null;
    onmessage = null;
    onclose = null;
    onerror = null;
    /** Commands from the client that the test has not taken yet. */
    heard = [];
    isClosedByClient = false;

    constructor(url, protocols) {
        this.url = url;
        this.protocols = protocols;
    }

    // Called by the client

    send(text) {
        assert.equal(this.readyState, 1, "sent on a connection that is not open");
        this.heard.push(JSON.parse(text));
    }

    close() {
        if (this.readyState < 2) this.isClosedByClient = true;
        this.readyState = 3;
    }

    // Called by the test, as the hub

    open() {
        this.readyState = 1;
        this.onopen({});
    }

    async say(...events) {
        for (const event of events) this.onmessage({ data: typeof event === "string" ? event : JSON.stringify(event) });
        await settle();
    }

    async drop(code, reason = "") {
        this.readyState = 3;
        this.onclose({ code, reason });
        await settle();
    }

    /** Takes the next command with an op; fails if there is none. */
    take(op) {
        const index = this.heard.findIndex((command) => command.op === op);
        assert.ok(index >= 0, `no ${op} was sent, only ${JSON.stringify(this.heard)}`);
        return this.heard.splice(index, 1)[0];
    }

    takeAll(op) {
        const taken = this.heard.filter((command) => command.op === op);
        this.heard = this.heard.filter((command) => command.op !== op);
        return taken;
    }

    hears(op) {
        return this.heard.some((command) => command.op === op);
    }
}

export class World {
    time = 1_800_000_000_000;
    online = true;
    /** The result of `random`. */
    luck = 0.5;
    peers = [];
    #timers = new Map();
    #nextTimer = 1;
    #observers = new Set();
    #hubs = [];

    get environment() {
        const world = this;
        return {
            WebSocket: class extends Peer {
                constructor(url, protocols) {
                    super(url, protocols);
                    world.peers.push(this);
                }
            },
            crypto: webcrypto,
            now: () => this.time,
            random: () => this.luck,
            setTimeout: (callback, delayMs) => {
                this.#timers.set(this.#nextTimer, { at: this.time + delayMs, callback });
                return this.#nextTimer++;
            },
            clearTimeout: (timer) => this.#timers.delete(timer),
            isOnline: () => this.online,
            observe: (callback) => {
                this.#observers.add(callback);
                return () => this.#observers.delete(callback);
            },
        };
    }

    hub(options = {}) {
        return new GoHub({
            url: "https://hub.example.com", user: "alice", device: "d1", ...options,
            environment: { ...this.environment, ...options.environment },
        });
    }

    /** The newest connection. */
    get peer() {
        return this.peers[this.peers.length - 1];
    }

    get timerCount() {
        return this.#timers.size;
    }

    get observerCount() {
        return this.#observers.size;
    }

    /** Advances the time and fires timers in order. */
    async advance(ms) {
        const end = this.time + ms;
        for (;;) {
            const [next] = [...this.#timers].sort(([, one], [, other]) => one.at - other.at);
            if (!next || next[1].at > end) break;
            this.time = Math.max(this.time, next[1].at);
            this.#timers.delete(next[0]);
            next[1].callback();
            await settle();
        }
        this.time = end;
        await settle();
    }

    /** Advances the time without firing timers, as in a background tab or a suspended device. */
    sleep(ms) {
        this.time += ms;
    }

    async observe(event) {
        if (event !== "awake") this.online = event === "online";
        for (const observer of [...this.#observers]) observer(event);
        await settle();
    }

    /** Opens the newest connection, and welcomes its user. */
    async welcome({ user = "alice", ...fields } = {}) {
        await settle();
        const { peer } = this;
        peer.open();
        peer.hello = peer.take("hello");
        await peer.say({
            op: "welcome", session: "0-1", tenant: "default", user, name: user, device: peer.hello.device, node: "node-1",
            serverTime: this.time, heartbeatMs: 25_000, limits: LIMITS, ...fields,
        });
        return peer;
    }

    /** A connected client, and the hub's end of its connection. */
    async connected(options = {}, welcome = {}) {
        const hub = this.hub(options);
        hub.connect();
        const peer = await this.welcome(welcome);
        return { hub, peer };
    }

    /** A connected client in a room with `offset` messages. */
    async inRoom({ room: name = "lobby", offset = 0, hub: options = {}, ...fields } = {}) {
        const { hub, peer } = await this.connected(options);
        const joining = hub.join(name);
        await settle();
        const { id } = peer.take("join");
        const messages = Array.from({ length: offset }, (_, index) => message(index + 1));
        await peer.say(joined(id, { room: name, offset, messages, ...fields }));
        return { hub, peer, room: await joining };
    }
}

export function joined(id, fields = {}) {
    return {
        op: "joined", id, room: "lobby", epoch: "e1", offset: 0, recovered: false, messages: [], members: [{ user: "alice" }],
        count: 1, receipts: [], ...fields,
    };
}

/** A message as in a page. */
export function message(offset, fields = {}) {
    return { offset, id: `m${offset}`, from: "bob", at: 1_800_000_000_000 + offset, text: `text ${offset}`, ...fields };
}

/** The same message as an event. */
export function told(offset, fields = {}) {
    return { op: "message", room: "lobby", ...message(offset, fields) };
}

export function change(op, offset, of, fields = {}) {
    return { op, room: "lobby", offset, id: `f${offset}`, from: "bob", at: 1_800_000_000_000 + offset, of, ...fields };
}

export function ack(command, offset, fields = {}) {
    return { op: "ack", id: command.id, room: command.room, epoch: "e1", offset, at: 1_800_000_000_000 + offset, ...fields };
}

export const texts = (room) => room.messages.map(({ text }) => text);

/** Records the events of a client or a room, in order. */
export function record(emitter, ...types) {
    const events = [];
    for (const type of types) emitter.on(type, (event) => events.push([type, event]));
    return events;
}

/** The code of the error that a promise rejects with. */
export async function codeOf(promise) {
    try {
        await promise;
    } catch (error) {
        return error.code ?? error;
    }
    return "resolved";
}

/** The uncaught errors while a function runs. */
export async function uncaughtIn(run) {
    const uncaught = [];
    const previous = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.on("uncaughtException", (error) => uncaught.push(error.message));
    try {
        await run();
    } finally {
        process.removeAllListeners("uncaughtException");
        for (const listener of previous) process.on("uncaughtException", listener);
    }
    return uncaught;
}
