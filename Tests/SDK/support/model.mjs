// A model of a hub with several rooms, as the protocol describes it. A seed determines its network and timing.
import assert from "node:assert/strict";

const RECOVERED_MAX = 60;
/** Maximum commands that wait for the reply to a join. */
const HELD_MAX = 8;
const LIMITS = {
    messageBytes: 65_536, textBytes: 8_192, rooms: 100, pageMessages: 500, commandsInFlight: 64, commandsPerMinute: 0, commandsBurst: 60,
};

/** A seeded random number generator (mulberry32). */
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

/** A room's history in its current epoch. */
class Place {
    epoch = "e1";
    /** Every entry of this epoch, as it was first sent. */
    log = [];
    /** Messages of this epoch by offset, in their current form. */
    messages = new Map();
    /** Offsets by user and id. */
    ids = new Map();
}

export class Model {
    /** Rooms by name. */
    rooms;
    /** How often each command was stored, over all epochs, by room, user and id. */
    stored = new Map();
    links = new Set();
    #limits;

    /**
     * With `roomsPerJoin` the hub accepts several rooms in a join, and queues the commands behind it. Without it, the
     * hub behaves like an earlier version.
     */
    constructor(random, now, { rooms, roomsPerJoin }) {
        this.random = random;
        this.now = now;
        this.rooms = new Map(rooms.map((name) => [name, new Place()]));
        this.#limits = { ...LIMITS, ...(roomsPerJoin && { roomsPerJoin }) };
    }

    /** A WebSocket class whose connections lead to this model. */
    socketOf(user) {
        const model = this;
        return class {
            readyState = 0;
            onopen = null;
            onmessage = null;
            onclose = null;
            onerror = null;

            constructor() {
                this.link = { socket: this, user, toHub: [], toClient: [], joined: new Set(), joining: new Map() };
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

    /** Performs one random step on a random link, if there is one. */
    step() {
        const link = this.random.of([...this.links]);
        if (!link) return;
        if (link.socket.readyState === 0) {
            link.socket.readyState = 1;
            link.socket.onopen({});
        } else if (link.toHub.length && this.random.chance(0.5)) {
            this.#heard(link, link.toHub.shift());
        } else if (link.joining.size && this.random.chance(0.4)) {
            this.#answerJoin(link, this.random.of([...link.joining.keys()]));
        } else {
            for (let count = 1 + this.random.below(6); count > 0 && link.toClient.length; count--) {
                link.socket.onmessage({ data: JSON.stringify(link.toClient.shift()) });
            }
        }
    }

    /** Drops a link with everything in transit. */
    lose(link, code = 1006) {
        this.links.delete(link);
        link.socket.readyState = 3;
        link.socket.onclose({ code, reason: "" });
    }

    /** Starts a new epoch in all rooms, and drops all links. */
    startOver(number) {
        for (const name of this.rooms.keys()) this.rooms.set(name, Object.assign(new Place(), { epoch: `e${number}` }));
        for (const link of [...this.links]) this.lose(link, 4002);
    }

    #heard(link, command) {
        const { id, op } = command;
        const say = (event) => link.toClient.push(event);
        if (op === "hello") {
            return say({
                op: "welcome", session: "0-1", tenant: "default", user: link.user, name: link.user, device: command.device,
                node: "n", serverTime: this.now(), heartbeatMs: 25_000,
                limits: this.#limits,
            });
        }
        if (id === undefined && op !== "join") return;
        if (this.random.chance(0.02)) return say({ op: "error", code: "rate_limited", message: "too fast", retryAfterMs: 100 });
        if (op !== "join" || command.rooms === undefined) return this.#take(link, command);
        assert.ok(command.rooms.length > 1 && command.rooms.length <= this.#limits.roomsPerJoin, "a list of rooms has 2 to roomsPerJoin entries");
        for (const entry of command.rooms) this.#take(link, { op, ...entry });
    }

    /**
     * Queues a command behind its room's unanswered join, or executes it. An earlier hub does not queue: it checks only
     * whether the user is already in the room.
     */
    #take(link, command) {
        const { id, op, room } = command;
        const refuse = (code) => link.toClient.push({ op: "error", id, code, message: "not now", retryAfterMs: 200 });
        const held = link.joining.get(room);
        const isHeld = this.#limits.roomsPerJoin > 0;
        if (held && (isHeld ? held.length > HELD_MAX : op === "join")) return refuse("conflict");
        if (held && isHeld) return held.push(command);
        if (op === "join") return link.joining.set(room, [command]);
        if (!link.joined.has(room)) return refuse("conflict");
        if (this.random.chance(0.03)) return refuse("unavailable");
        if (op === "history") return this.#history(link, command);
        this.#change(link, command);
    }

    #answerJoin(link, room) {
        const [join, ...held] = link.joining.get(room);
        link.joining.delete(room);
        if (this.random.chance(0.1)) {
            link.toClient.push({ op: "error", id: join.id, code: "unavailable", message: "not now", retryAfterMs: 200 });
        } else this.#join(link, join);
        for (const command of held) this.#take(link, command);
    }

    #join(link, { id, room, since, limit = 0 }) {
        const place = this.rooms.get(room);
        link.joined.add(room);
        const offset = place.log.length;
        const missed = since ? offset - since.offset : 0;
        const isRecovered = since?.epoch === place.epoch && missed <= RECOVERED_MAX && !this.random.chance(0.02);
        const count = since ? (isRecovered ? missed : 0) : Math.min(limit, offset);
        const messages = place.log.slice(offset - count).map((entry) => this.#asNow(entry, place));
        link.toClient.push({
            op: "joined", id, room, epoch: place.epoch, offset, recovered: Boolean(since && isRecovered), messages,
            members: [{ user: link.user }], count: 1, receipts: [],
        });
    }

    #history(link, { id, room, before = Infinity, limit }) {
        const place = this.rooms.get(room);
        const all = place.log.filter(({ offset }) => offset < before);
        const messages = all.slice(-limit).map((entry) => this.#asNow(entry, place));
        link.toClient.push({ op: "page", id, room, epoch: place.epoch, offset: place.log.length, messages, more: all.length > limit });
    }

    #asNow(entry, place) {
        if (entry.of === undefined) return { ...place.messages.get(entry.offset) };
        const { room, ...change } = entry;
        if (change.op === "edited") change.text = place.messages.get(change.of).text;
        return change;
    }

    #change(link, { id, op, room, text, offset: of, reaction }) {
        const place = this.rooms.get(room);
        const key = `${link.user} ${id}`;
        const known = place.ids.get(key);
        const ack = (offset) => ({ op: "ack", id, room, epoch: place.epoch, offset, at: offset });
        if (known !== undefined) return link.toClient.push({ ...ack(known), duplicate: true });
        const target = place.messages.get(of);
        if (op !== "send" && (!target || target.deleted)) {
            return link.toClient.push({ op: "error", id, code: "not_found", message: "no such message" });
        }
        const offset = place.log.length + 1;
        const base = { room, offset, id, from: link.user, at: offset };
        let entry;
        if (op === "send") {
            entry = { op: "message", ...base, text };
            place.messages.set(offset, { offset, id, from: link.user, at: offset, text });
        } else if (op === "edit") {
            entry = { op: "edited", ...base, of, text };
            Object.assign(target, { text, edited: offset, editedAt: offset });
        } else if (op === "delete") {
            entry = { op: "deleted", ...base, of };
            Object.assign(target, { text: undefined, deleted: offset, deletedAt: offset, reactions: undefined });
        } else {
            const reactions = target.reactions ?? [];
            const given = reactions.find((one) => one.reaction === reaction) ?? { reaction, count: 0, by: [] };
            if (given.by.includes(link.user)) return link.toClient.push({ op: "ack", id, room, at: offset, unchanged: true });
            const entryNow = { reaction, count: given.count + 1, by: [...given.by, link.user] };
            target.reactions = reactions.includes(given) ? reactions.map((one) => (one === given ? entryNow : one)) : [...reactions, entryNow];
            entry = { op: "reaction", ...base, of, reaction, count: entryNow.count };
        }
        place.log.push(entry);
        place.ids.set(key, offset);
        this.stored.set(`${room} ${key}`, (this.stored.get(`${room} ${key}`) ?? 0) + 1);
        const isAckFirst = this.random.chance(0.5);
        if (isAckFirst) link.toClient.push(ack(offset));
        for (const other of this.links) if (other.joined.has(room)) other.toClient.push(entry);
        if (!isAckFirst) link.toClient.push(ack(offset));
    }
}
