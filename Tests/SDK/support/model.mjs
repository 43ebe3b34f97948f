// A hub with one room, as the protocol describes it, whose network and timing a seed decides.

const RECOVERED_MAX = 60;

/** A generator of numbers that a seed repeats (mulberry32). */
export function randomOf(seed) {
    let state = seed;
    const next = () => {
        state = (state + 0x6d2b79f5) | 0;
        let mixed = Math.imul(state ^ (state >>> 15), state | 1);
        mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
        return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
    };
    return {
        next,
        below: (bound) => Math.floor(next() * bound),
        chance: (share) => next() < share,
        of: (list) => list[Math.floor(next() * list.length)],
    };
}

export class Model {
    epoch = "e1";
    /** Every entry of this epoch, as it was told. */
    log = [];
    /** Messages of this epoch by offset, as they are now. */
    messages = new Map();
    /** What was stored, of all epochs, by user and id. */
    stored = new Map();
    links = new Set();

    constructor(random, now) {
        this.random = random;
        this.now = now;
    }

    /** A class of sockets that lead here. */
    socketOf(user) {
        const model = this;
        return class {
            readyState = 0;
            onopen = null;
            onmessage = null;
            onclose = null;
            onerror = null;

            constructor() {
                this.link = { socket: this, user, toHub: [], toClient: [], isJoined: false };
                model.links.add(this.link);
            }

            send(text) {
                this.link.toHub.push(JSON.parse(text));
            }

            close() {
                this.readyState = 3;
                model.links.delete(this.link);
            }
        };
    }

    /** Something happens on one of the links, or nothing. */
    step() {
        const link = this.random.of([...this.links]);
        if (!link) return;
        if (link.socket.readyState === 0) {
            link.socket.readyState = 1;
            link.socket.onopen({});
        } else if (link.toHub.length && this.random.chance(0.5)) {
            this.#heard(link, link.toHub.shift());
        } else {
            for (let count = 1 + this.random.below(6); count > 0 && link.toClient.length; count--) {
                link.socket.onmessage({ data: JSON.stringify(link.toClient.shift()) });
            }
        }
    }

    /** A link is lost, with all that is on it. */
    lose(link, code = 1006) {
        this.links.delete(link);
        link.socket.readyState = 3;
        link.socket.onclose({ code, reason: "" });
    }

    /** The room's history is another one from now on. */
    startOver(number) {
        this.epoch = `e${number}`;
        this.log = [];
        this.messages.clear();
        this.ids = new Map();
        for (const link of [...this.links]) this.lose(link, 4002);
    }

    ids = new Map();

    #heard(link, command) {
        const { id, op } = command;
        const say = (event) => link.toClient.push(event);
        if (op === "hello") {
            return say({
                op: "welcome", session: "0-1", tenant: "default", user: link.user, name: link.user, device: command.device,
                node: "n", serverTime: this.now(), heartbeatMs: 25_000,
                limits: { messageBytes: 65_536, textBytes: 8_192, rooms: 100, pageMessages: 500, commandsInFlight: 64, commandsPerMinute: 0, commandsBurst: 60 },
            });
        }
        if (id === undefined) return;
        if (this.random.chance(0.02)) return say({ op: "error", code: "rate_limited", message: "too fast", retryAfterMs: 100 });
        if (this.random.chance(0.03)) return say({ op: "error", id, code: "unavailable", message: "not now", retryAfterMs: 200 });
        if (op === "join") return this.#join(link, command);
        if (op === "history") return this.#history(link, command);
        this.#change(link, command);
    }

    #join(link, { id, since, limit = 0 }) {
        link.isJoined = true;
        const offset = this.log.length;
        const missed = since ? offset - since.offset : 0;
        const isRecovered = since?.epoch === this.epoch && missed <= RECOVERED_MAX && !this.random.chance(0.02);
        const count = since ? (isRecovered ? missed : 0) : Math.min(limit, offset);
        const messages = this.log.slice(offset - count).map((entry) => this.#asNow(entry));
        link.toClient.push({
            op: "joined", id, room: "room", epoch: this.epoch, offset, recovered: Boolean(since && isRecovered), messages,
            members: [{ user: link.user }], count: 1, receipts: [],
        });
    }

    #history(link, { id, before = Infinity, limit }) {
        const all = this.log.filter(({ offset }) => offset < before);
        const messages = all.slice(-limit).map((entry) => this.#asNow(entry));
        link.toClient.push({ op: "page", id, room: "room", epoch: this.epoch, offset: this.log.length, messages, more: all.length > limit });
    }

    #asNow(entry) {
        if (entry.of === undefined) return { ...this.messages.get(entry.offset) };
        const { room, ...fact } = entry;
        if (fact.op === "edited") fact.text = this.messages.get(fact.of).text;
        return fact;
    }

    #change(link, { id, op, text, offset: of, reaction }) {
        const key = `${link.user} ${id}`;
        const known = this.ids.get(key);
        const ack = (offset) => ({ op: "ack", id, room: "room", epoch: this.epoch, offset, at: offset });
        if (known !== undefined) return link.toClient.push({ ...ack(known), duplicate: true });
        const target = this.messages.get(of);
        if (op !== "send" && (!target || target.deleted)) {
            return link.toClient.push({ op: "error", id, code: "not_found", message: "no such message" });
        }
        const offset = this.log.length + 1;
        const base = { room: "room", offset, id, from: link.user, at: offset };
        let entry;
        if (op === "send") {
            entry = { op: "message", ...base, text };
            this.messages.set(offset, { offset, id, from: link.user, at: offset, text });
        } else if (op === "edit") {
            entry = { op: "edited", ...base, of, text };
            Object.assign(target, { text, edited: offset, editedAt: offset });
        } else if (op === "delete") {
            entry = { op: "deleted", ...base, of };
            Object.assign(target, { text: undefined, deleted: offset, deletedAt: offset, reactions: undefined });
        } else {
            const reactions = target.reactions ?? [];
            const given = reactions.find((one) => one.reaction === reaction) ?? { reaction, count: 0, by: [] };
            if (given.by.includes(link.user)) return link.toClient.push({ op: "ack", id, room: "room", at: offset, unchanged: true });
            const entryNow = { reaction, count: given.count + 1, by: [...given.by, link.user] };
            target.reactions = reactions.includes(given) ? reactions.map((one) => (one === given ? entryNow : one)) : [...reactions, entryNow];
            entry = { op: "reaction", ...base, of, reaction, count: entryNow.count };
        }
        this.log.push(entry);
        this.ids.set(key, offset);
        this.stored.set(key, (this.stored.get(key) ?? 0) + 1);
        const isAckFirst = this.random.chance(0.5);
        if (isAckFirst) link.toClient.push(ack(offset));
        for (const other of this.links) if (other.isJoined) other.toClient.push(entry);
        if (!isAckFirst) link.toClient.push(ack(offset));
    }
}
