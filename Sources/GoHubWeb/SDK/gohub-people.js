// The members of a room, their receipts, and their typing.
import { steady } from "./gohub-support.js";

const PEOPLE_MAX = 1_000;
/** In larger rooms the hub sends no receipts. */
const RECEIPTS_USERS_MAX = 200;
const RECEIPT_EVERY_MS = 1_000;
/** The delay of `delivered`: a `seen` within this time includes it. */
const RECEIPT_DELAY_MS = 50;
const TYPING_EVERY_MS = 3_000;
const TYPING_LASTS_MS = 6_000;
const NOTHING = { delivered: 0, seen: 0 };

function further(one = NOTHING, other = NOTHING) {
    return { delivered: Math.max(one.delivered, other.delivered), seen: Math.max(one.seen, other.seen) };
}

export class Members {
    all = new Map();
    count = 0;

    set({ members, count }) {
        this.all = new Map(members.map((member) => [member.user, member]));
        this.count = count;
    }

    change({ joined, left, count }) {
        // A new map, so that a comparison by identity shows the change.
        this.all = new Map(this.all);
        for (const member of joined) {
            if (this.all.size < PEOPLE_MAX || this.all.has(member.user)) this.all.set(member.user, member);
        }
        for (const user of left) this.all.delete(user);
        this.count = count;
    }
}

/** The receipts of all users, and the sending of the user's own. */
export class Receipts {
    all = new Map();

    #room;
    #hub;
    /** The user's own receipt as the hub knows it. */
    #told = NOTHING;
    #toldAt = -Infinity;
    #cancelTelling = null;

    constructor(room, hub) {
        this.#room = room;
        this.#hub = hub;
    }

    get own() {
        return this.all.get(this.#hub.user()) ?? NOTHING;
    }

    clear() {
        this.all = new Map();
        this.#told = NOTHING;
    }

    /**
     * Sets the receipts of `joined`. A killed hub may have lost the user's newest receipts (Docs/Protocol.md), so they
     * are sent again.
     */
    set(receipts) {
        const known = this.all;
        const user = this.#hub.user();
        this.all = new Map(receipts.map(({ user, delivered, seen }) => [user, further(known.get(user), { delivered, seen })]));
        const { delivered, seen } = receipts.find((receipt) => receipt.user === user) ?? NOTHING;
        this.#told = { delivered, seen };
        if (known.has(user)) this.all.set(user, further(known.get(user), this.#told));
    }

    /** Raises a user's receipt. Returns whether it changed. */
    raise(user, receipt) {
        const known = this.all.get(user) ?? NOTHING;
        const raised = further(known, receipt);
        if (raised.delivered === known.delivered && raised.seen === known.seen) return false;
        const isOwn = user === this.#hub.user();
        const isTold = this.#room.count <= RECEIPTS_USERS_MAX && this.all.size < PEOPLE_MAX;
        if (!isOwn && !isTold && !this.all.has(user)) return false;
        this.all = new Map(this.all).set(user, raised);
        if (isOwn) this.#told = further(this.#told, receipt);
        return true;
    }

    /** The user has seen everything up to an offset. Returns whether that changed the receipt. */
    seen(offset) {
        if (!(offset > this.own.seen)) return false;
        this.all = new Map(this.all).set(this.#hub.user(), further(this.own, { delivered: offset, seen: offset }));
        return true;
    }

    /** Sends the user's receipt after a short delay: only the newest offset, at a limited rate. */
    sayInAMoment() {
        const { agenda } = this.#hub;
        const isNews = this.#room.offset > this.#told.delivered || this.own.seen > this.#told.seen;
        if (!isNews || this.#room.status !== "joined" || this.#cancelTelling) return;
        this.#cancelTelling = agenda.at(Math.max(this.#toldAt + RECEIPT_EVERY_MS, agenda.now + RECEIPT_DELAY_MS), () => {
            this.#cancelTelling = null;
            if (this.#room.status === "joined" && !this.#say()) this.sayInAMoment();
        });
    }

    #say() {
        this.#toldAt = this.#hub.agenda.now;
        const { name: room, offset: delivered } = this.#room;
        const { seen } = this.own;
        if (seen > this.#told.seen) {
            if (!this.#hub.say({ op: "seen", room, offset: seen })) return false;
            this.#told = { delivered: Math.max(seen, this.#told.delivered), seen };
        }
        if (delivered > this.#told.delivered) {
            if (!this.#hub.say({ op: "delivered", room, offset: delivered })) return false;
            this.#told = { ...this.#told, delivered };
        }
        return true;
    }

    /** Sends the receipt again: the hub may not have read it. */
    repeat() {
        this.#told = NOTHING;
        this.sayInAMoment();
    }

    end() {
        this.#cancelTelling?.();
        this.#cancelTelling = null;
    }
}

/** The users who are typing, and the sending of the user's own `typing`. */
export class Typing {
    #room;
    #hub;
    #changed;
    #until = new Map();
    #users = Object.freeze([]);
    #cancelExpiry = null;
    #saidAt = -Infinity;
    #cancelSaying = null;

    constructor(room, hub, changed) {
        this.#room = room;
        this.#hub = hub;
        this.#changed = changed;
    }

    get users() {
        const { now } = this.#hub.agenda;
        this.#users = steady(this.#users, [...this.#until].filter(([, until]) => until > now).map(([user]) => user));
        return this.#users;
    }

    heard({ user, active }) {
        if (user === this.#hub.user()) return;
        if (!active) return this.stop(user);
        const isNew = !this.#until.has(user);
        if (isNew && this.#until.size >= PEOPLE_MAX) return;
        this.#until.set(user, this.#hub.agenda.now + TYPING_LASTS_MS);
        if (isNew) this.#changed();
        this.#expire();
    }

    stop(...users) {
        const stopped = users.filter((user) => this.#until.delete(user));
        if (this.#until.size === 0) this.#cancelExpiry?.();
        if (stopped.length) this.#changed();
    }

    /** Ends typing by a timer: a client that vanishes sends nothing. */
    #expire() {
        const { agenda } = this.#hub;
        this.#cancelExpiry?.();
        this.#cancelExpiry = null;
        if (!this.#until.size) return;
        this.#cancelExpiry = agenda.at(Math.min(...this.#until.values()), () => {
            const { now } = agenda;
            this.stop(...[...this.#until].filter(([, until]) => until <= now).map(([user]) => user));
            this.#expire();
        });
    }

    say(active) {
        const { agenda } = this.#hub;
        this.#cancelSaying?.();
        const isJoined = this.#room.status === "joined";
        if (!active) {
            if (this.#saidAt > -Infinity && isJoined) this.#hub.say({ op: "typing", room: this.#room.name, active: false });
            this.#saidAt = -Infinity;
            return;
        }
        this.#cancelSaying = agenda.after(TYPING_LASTS_MS, () => this.say(false));
        if (!isJoined || agenda.now - this.#saidAt < TYPING_EVERY_MS) return;
        if (this.#hub.say({ op: "typing", room: this.#room.name, active: true })) this.#saidAt = agenda.now;
    }

    /** A message ended the typing: the hub needs no further event. */
    ended() {
        this.#cancelSaying?.();
        this.#saidAt = -Infinity;
    }

    disconnected() {
        this.#saidAt = -Infinity;
        this.stop(...this.#until.keys());
    }

    end() {
        this.#cancelExpiry?.();
        this.#cancelSaying?.();
    }
}
