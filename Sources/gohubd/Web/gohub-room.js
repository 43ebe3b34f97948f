// A room as one client has it: where it stands, what it shows, who is there and how far they have got.
import { Emitter, GoHubError, Wait, lenient, otherUser, utf8Length } from "./gohub-support.js";

const HELD_MAX = 500;
const FACTS_MAX = 1_000;
const FAILED_MAX = 100;
const PEOPLE_MAX = 1_000;
/** In larger rooms receipts aren't told. */
const RECEIPTS_USERS_MAX = 200;
const PAGE_ENTRIES = 50;
/** Pages that have only facts in them are passed over, so many at a time. */
const EMPTY_PAGES_MAX = 4;
const REACTION_NAMES_MAX = 5;
const RECEIPT_EVERY_MS = 1_000;
/** `delivered` waits so long for a `seen` that says it as well. */
const RECEIPT_DELAY_MS = 50;
const TYPING_EVERY_MS = 3_000;
const TYPING_LASTS_MS = 6_000;
const REQUEST_TIMEOUT_MS = 30_000;
const DEFAULT_TEXT_BYTES = 8_192;
const NOTHING = { delivered: 0, seen: 0 };

/**
 * What the page gets is never changed, only replaced; what there is nothing to say of is left out.
 * @returns {any}
 */
function frozen(object) {
    return Object.freeze(Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)));
}

/** The hub's message, as it is now. */
export function toMessage(raw, room, user, status = "sent") {
    return frozen({
        id: raw.id, room, offset: raw.offset, from: raw.from, name: raw.name ?? raw.from, isOwn: raw.from === user,
        at: raw.at, text: raw.text ?? "", replyTo: raw.replyTo, ephemeral: raw.ephemeral, editedAt: raw.editedAt,
        deletedAt: raw.deletedAt, reactions: Object.freeze(raw.reactions ?? []), status,
    });
}

/** What a fact makes of a message. */
function changed(message, fact) {
    if (fact.op === "edited" && fact.text !== undefined) return { ...message, text: fact.text, editedAt: fact.at };
    if (fact.op === "deleted") {
        return { ...message, text: "", editedAt: undefined, deletedAt: fact.at, reactions: Object.freeze([]) };
    }
    if (fact.op !== "reaction") return message;
    const { reaction, count, from } = fact;
    const known = message.reactions.find((other) => other.reaction === reaction);
    const others = known?.by.filter((user) => user !== from) ?? [];
    const isNamed = known?.by.includes(from) ?? false;
    let by = others;
    if (!fact.removed) by = isNamed ? known.by : [...others, from].slice(0, REACTION_NAMES_MAX);
    const entry = Object.freeze({ reaction, count, by: Object.freeze(by) });
    const all = known ? message.reactions.map((other) => (other === known ? entry : other)) : [...message.reactions, entry];
    return { ...message, reactions: Object.freeze(all.filter((one) => one.count > 0)) };
}

/** A message, and the offset up to which facts are in it. */
class Entry {
    constructor(message, standsAt) {
        this.message = message;
        this.standsAt = standsAt;
    }

    /** Whether the fact was news to it. */
    apply(fact) {
        if (fact.offset <= this.standsAt) return false;
        this.standsAt = fact.offset;
        if (this.message.deletedAt !== undefined) return false;
        const message = changed(this.message, fact);
        if (message === this.message) return false;
        this.message = frozen(message);
        return true;
    }
}

/**
 * What begins with `_` is for the hub alone.
 * @typedef {import("./gohub.js").Room} DeclaredRoom
 * @implements {DeclaredRoom}
 */
export class Room {
    /** @type {string} */
    name;
    /** @type {import("./gohub.js").RoomStatus} */
    status = "joining";
    error = null;
    epoch = null;
    offset = 0;
    members = new Map();
    count = 0;
    receipts = new Map();

    #link;
    #history;
    #emitter = new Emitter();
    #isChanging = false;
    // Joining
    #joinID = null;
    #waits = new Set();
    #held = [];
    #hasDropped = false;
    #newsFrom = Infinity;
    // The view
    #entries = [];
    #byOffset = new Map();
    #first = 1;
    #hasOlder = false;
    #pending = new Map();
    #failed = new Map();
    #messages = null;
    #loading = null;
    #collectors = new Set();
    // Receipts and typing
    #told = NOTHING;
    #cancelTelling = null;
    #toldAt = -Infinity;
    #typing = new Map();
    #cancelTyping = null;
    #saidTypingAt = -Infinity;
    #cancelSaying = null;

    /** `link` is what the hub lets a room do. */
    constructor(name, link, history) {
        this.name = name;
        this.#link = link;
        this.#history = history;
    }

    get peer() {
        return otherUser(this.name, this.#link.user() ?? "");
    }

    /**
     * @param {any} type
     * @param {(event: any) => void} listener
     * @param {import("./gohub.js").ListenOptions} [options]
     */
    on(type, listener, options) {
        return this.#emitter.on(type, listener, options);
    }

    /** Tells of an event, and once for all of this moment that the room has changed. */
    #tell(type, event = undefined) {
        this.#emitter.emit(type, event);
        if (this.#isChanging) return;
        this.#isChanging = true;
        queueMicrotask(() => {
            this.#isChanging = false;
            this.#emitter.emit("change", undefined);
        });
    }

    #setStatus(status, error = null) {
        this.error = error;
        if (status === this.status) return;
        this.status = status;
        this.#tell("status", status);
    }

    // Joining

    /**
     * Resolves when the room is joined.
     * @param {import("./gohub.js").WaitOptions} options
     */
    _whenJoined({ signal, timeoutMs = REQUEST_TIMEOUT_MS } = {}) {
        if (this.status === "joined") return Promise.resolve(this);
        const wait = new Wait(this.#link.agenda, { signal, timeoutMs }, () => this.#waits.delete(wait));
        if (!wait.isOver) this.#waits.add(wait);
        return wait.promise;
    }

    #endWaits(settle) {
        for (const wait of [...this.#waits]) settle(wait);
    }

    /** Asks the hub to be let in, or for what was missed. */
    _join() {
        if (!this.#link.isConnected()) return;
        this.#giveUpJoin();
        if (this.status !== "joined") this.#setStatus("joining");
        const position = this.epoch === null ? { limit: this.#link.pageSize(this.#history) }
            : { since: { epoch: this.epoch, offset: this.offset } };
        const id = (this.#joinID = this.#link.makeID());
        const reply = this.#link.command({ op: "join", id, room: this.name, ...position }, {});
        const isAwaited = () => id === this.#joinID;
        reply.then((event) => isAwaited() && this._joined(event, position), (error) => isAwaited() && this.#refused(error));
    }

    #refused(error) {
        this.#joinID = null;
        this.#held = [];
        this.#setStatus("refused", error);
        this.#endWaits((wait) => wait.reject(error));
        this.#link.fail(this.name, error);
    }

    /** The answer to a join, or to `/join`, which asked for nothing that was missed. */
    _joined(event, asked = {}) {
        if (this.status === "left") return;
        this.#joinID = null;
        const isAnother = this.epoch !== null && event.epoch !== this.epoch;
        if (isAnother || (asked.since && !event.recovered)) {
            // What was shown doesn't lead up to what comes.
            this.#startOver();
            if (asked.since) return this._join();
        }
        const isFirst = this.epoch === null;
        if (!isFirst && !asked.since && (event.messages[0]?.offset ?? event.offset + 1) > this.offset + 1) return this._join();
        if (isFirst) {
            this.epoch = event.epoch;
            this.#first = event.messages[0]?.offset ?? event.offset + 1;
            this.offset = this.#first - 1;
            this.#hasOlder = this.#first > 1;
        }
        this.#setPeople(event);
        for (const raw of event.messages) {
            if (raw.offset > this.offset) this.#take(raw, event.offset, !isFirst || raw.offset >= this.#newsFrom);
        }
        this.#newsFrom = Infinity;
        this.offset = Math.max(this.offset, event.offset);
        this.#dropStored();
        this.#setStatus("joined");
        this.#endWaits((wait) => wait.resolve(this));
        const held = this.#held.splice(0);
        for (const raw of held) if (raw.offset > this.offset || this.#isOtherEpoch(raw)) this.#accept(raw);
        if (this.#hasDropped && this.#joinID === null) this._join();
        this.#hasDropped = false;
        this.#sayReceiptsSoon();
        this.#link.flush();
    }

    #giveUpJoin() {
        const id = this.#joinID;
        this.#joinID = null;
        if (id !== null) this.#link.settle(id, null);
    }

    #startOver() {
        this.epoch = null;
        this.offset = 0;
        this.receipts = new Map();
        this.#told = NOTHING;
        this.#entries = [];
        this.#byOffset.clear();
        this.#first = 1;
        this.#hasOlder = false;
        this.#messages = null;
        this.#held = [];
        this.#dropStored();
        this.#tell("reset");
    }

    /** The connection is gone. */
    _disconnected() {
        this.#giveUpJoin();
        this.#held = [];
        this.#hasDropped = false;
        this.#saidTypingAt = -Infinity;
        if (this.#typing.size) this.#endTyping(...this.#typing.keys());
        if (this.status === "joined") this.#setStatus("joining");
    }

    /** Nothing will come any more, until the page connects again. */
    _closed(error) {
        this.#endWaits((wait) => wait.reject(error));
    }

    /** Out of the room, for good. */
    _left(reason) {
        const error = new GoHubError("left", reason ?? "the room was left", { room: this.name });
        this.#giveUpJoin();
        for (const cancel of [this.#cancelTelling, this.#cancelTyping, this.#cancelSaying]) cancel?.();
        this.#setStatus("left", error);
        this.#endWaits((wait) => wait.reject(error));
        this.#link.fail(this.name, error);
        this.#tell("left", { reason });
    }

    /** @param {import("./gohub.js").WaitOptions} options */
    async leave({ signal, timeoutMs = REQUEST_TIMEOUT_MS } = {}) {
        if (this.status === "left") return;
        const isMember = !this.name.startsWith("dm:") && this.status !== "refused" && this.#link.isConnected();
        this.#link.forget(this);
        if (!isMember) return;
        try {
            const command = { op: "leave", id: this.#link.makeID(), room: this.name };
            await this.#link.command(command, { signal, timeoutMs, isOnce: true });
        } catch (error) {
            // Not in it, or not connected any more: that is what was wanted.
            if (!["not_found", "disconnected", "closed"].includes(error.code)) throw error;
        }
    }

    // What happens

    /** A message or a fact. */
    _entry(raw) {
        if (raw.offset === undefined) return this.#takeEphemeral(raw);
        if (this.#joinID === null && this.status === "joined") this.#accept(raw);
        else {
            if (this.epoch === null && raw.of === undefined) this.#newsFrom = Math.min(this.#newsFrom, raw.offset);
            this.#setAside(raw);
        }
    }

    #setAside(raw) {
        if (this.#held.length < HELD_MAX) this.#held.push(raw);
        else this.#hasDropped = true;
    }

    #isOtherEpoch(raw) {
        return raw.epoch !== undefined && raw.epoch !== this.epoch;
    }

    /** The next offset is taken, an earlier one is known; a hole, or another epoch, asks the hub. */
    #accept(raw) {
        if (this.#joinID !== null) return this.#setAside(raw);
        if (this.#isOtherEpoch(raw) || raw.offset > this.offset + 1) {
            this.#setAside(raw);
            this._join();
        } else if (raw.offset === this.offset + 1) {
            this.#take(raw, raw.offset, true);
            this.#sayReceiptsSoon();
        }
    }

    #take(raw, standsAt, isNews) {
        this.offset = raw.offset;
        // What has `op` in a page, or `of`, is a fact, of whatever kind.
        if (raw.of !== undefined || (raw.op !== undefined && raw.op !== "message")) return this.#takeFact(raw);
        const message = toMessage(raw, this.name, this.#link.user());
        this.#add(new Entry(message, standsAt));
        this.#raise(raw.from, { delivered: raw.offset, seen: raw.offset });
        if (isNews) this.#isNews(message);
    }

    #takeFact(fact) {
        for (const facts of this.#collectors) {
            if (facts.length < FACTS_MAX) facts.push(fact);
            else facts.isTorn = true;
        }
        const entry = this.#byOffset.get(fact.of);
        if (!entry?.apply(fact)) return;
        this.#messages = null;
        this.#tell("update", entry.message);
    }

    #takeEphemeral(raw) {
        const message = toMessage(raw, this.name, this.#link.user());
        this.#add(new Entry(message, Infinity));
        this.#isNews(message);
    }

    #isNews(message) {
        this.#endTyping(message.from);
        this.#tell("message", message);
        this.#link.emit("message", { room: this, message });
    }

    #add(entry) {
        const { id, offset, isOwn, at } = entry.message;
        this.#entries.push(entry);
        if (offset !== undefined) this.#byOffset.set(offset, entry);
        this.#messages = null;
        if (this.#entries.length > this.#link.messagesMax) this.#drop(this.#entries.length - this.#link.messagesMax);
        if (!isOwn) return;
        this.#pending.delete(id);
        this.#failed.delete(id);
        // Told is as good as acknowledged.
        const { epoch, name: room } = this;
        const place = offset === undefined ? {} : { epoch, offset };
        this.#link.settle(id, { op: "ack", id, room, at, ...place });
    }

    #drop(count) {
        for (const { message } of this.#entries.splice(0, count)) this.#byOffset.delete(message.offset);
        this.#first = this.#entries.find(({ message }) => message.offset !== undefined)?.message.offset ?? this.offset + 1;
        this.#hasOlder = true;
        this.#messages = null;
    }

    _notice(notice) {
        this.#tell("notice", notice);
    }

    // The view

    get messages() {
        this.#messages ??= Object.freeze([...this.#entries.map(({ message }) => message), ...this.#pending.values()]);
        return this.#messages;
    }

    get hasOlder() {
        return this.#hasOlder;
    }

    get unread() {
        const { seen } = this.#own;
        return this.#entries.filter(({ message: { isOwn, offset } }) => !isOwn && offset > seen).length;
    }

    message(offset) {
        return this.#byOffset.get(offset)?.message;
    }

    trim(keep = PAGE_ENTRIES) {
        const count = this.#entries.length - Math.max(0, Math.floor(keep));
        if (count <= 0) return;
        this.#drop(count);
        this.#tell("change");
    }

    /** @param {import("./gohub.js").HistoryOptions} options */
    async history({ before, after, limit = PAGE_ENTRIES, signal, timeoutMs } = {}) {
        const { entries, more, first, last } = await this.#page({ before, after, limit }, { signal, timeoutMs });
        return frozen({ messages: entries.map(({ message }) => message), more, first, last });
    }

    loadOlder(limit = PAGE_ENTRIES, options = {}) {
        this.#loading ??= this.#loadOlder(limit, options).finally(() => (this.#loading = null));
        return lenient(this.#loading);
    }

    async #loadOlder(limit, options) {
        for (let pages = 0; pages < EMPTY_PAGES_MAX && this.#hasOlder; pages++) {
            const space = this.#link.messagesMax - this.#entries.length;
            if (space <= 0) throw new GoHubError("too_large", "the view is full: trim() makes room", { room: this.name });
            const [before, epoch] = [this.#first, this.epoch];
            const page = await this.#page({ before, limit: Math.min(limit, space) }, options);
            // What was asked for doesn't join what is shown now.
            if (this.#first !== before || this.epoch !== epoch || page.epoch !== epoch) return this.#hasOlder;
            this.#first = page.first ?? before;
            this.#hasOlder = page.more;
            for (const entry of page.entries) this.#byOffset.set(entry.message.offset, entry);
            this.#entries.unshift(...page.entries);
            this.#messages = null;
            this.#tell("change");
            if (page.entries.length) break;
        }
        return this.#hasOlder;
    }

    /**
     * A page, with what came to its messages while it was on its way.
     * @param {import("./gohub.js").HistoryOptions} range
     * @param {import("./gohub.js").WaitOptions} options
     */
    async #page({ before, after, limit }, { signal, timeoutMs = REQUEST_TIMEOUT_MS }) {
        const facts = Object.assign([], { isTorn: false });
        this.#collectors.add(facts);
        try {
            const range = { ...(before !== undefined && { before }), ...(after !== undefined && { after }) };
            const command = { op: "history", id: this.#link.makeID(), room: this.name, ...range };
            const request = { ...command, limit: Math.max(1, this.#link.pageSize(limit)) };
            const page = await this.#ask(request, { signal, timeoutMs });
            if (facts.isTorn) throw new GoHubError("unavailable", "too much happened meanwhile", { room: this.name });
            const messages = page.messages.filter((raw) => raw.of === undefined && raw.op === undefined);
            const entries = messages.map((raw) => new Entry(toMessage(raw, this.name, this.#link.user()), page.offset));
            const byOffset = new Map(entries.map((entry) => [entry.message.offset, entry]));
            if (page.epoch === this.epoch) for (const fact of facts) byOffset.get(fact.of)?.apply(fact);
            const [first, last] = [page.messages[0]?.offset, page.messages[page.messages.length - 1]?.offset];
            return { epoch: page.epoch, more: page.more, entries, first, last };
        } finally {
            this.#collectors.delete(facts);
        }
    }

    #ask(command, options) {
        const refusal = this.#refusal();
        return refusal ? Promise.reject(refusal) : this.#link.command(command, options);
    }

    #refusal() {
        return this.#link.refusal() ?? (["refused", "left"].includes(this.status) ? this.error : null);
    }

    // Saying something

    /**
     * @param {string} text
     * @param {import("./gohub.js").SendOptions} options
     */
    send(text, { replyTo, ephemeral, literal, signal } = {}) {
        const isCommand = text.startsWith("/") && !text.startsWith("//") && !literal;
        const said = literal && text.startsWith("/") ? `/${text}` : text;
        const shown = text.startsWith("//") && !literal ? text.slice(1) : text;
        const fields = {
            op: "send", id: this.#link.makeID(), room: this.name, text: said,
            ...(replyTo !== undefined && { replyTo }), ...(ephemeral && { ephemeral }),
        };
        this.#cancelSaying?.();
        this.#saidTypingAt = -Infinity;
        const refusal = this.#refusal() ?? (isCommand ? null : this.#textRefusal(shown));
        if (refusal) return lenient(Promise.reject(refusal));
        if (!ephemeral) return lenient(this.#say(fields, { signal }, this.#pendingMessage(fields, shown)));
        if (this.status === "joined") return lenient(this.#ask(fields, { signal, isOnce: true }).then(toReply));
        return lenient(Promise.reject(new GoHubError("disconnected", "there is no connection", { room: this.name })));
    }

    #textRefusal(text) {
        if (text === "") return new GoHubError("bad_request", "there is nothing to say", { room: this.name });
        const textBytesMax = this.#link.limits()?.textBytes ?? DEFAULT_TEXT_BYTES;
        const bytes = utf8Length(text);
        if (bytes <= textBytesMax) return null;
        return new GoHubError("too_large", `the text has ${bytes} bytes, the hub takes ${textBytesMax}`, { room: this.name });
    }

    #pendingMessage({ id, replyTo }, text) {
        const from = this.#link.user() ?? "";
        const raw = { id, from, name: this.#link.displayName() ?? from, at: this.#link.serverNow(), text, replyTo };
        return frozen({ ...toMessage(raw, this.name, this.#link.user(), "sending"), isOwn: true });
    }

    #say(fields, options, message) {
        // Refused at once, as by a full outbox, nothing shows: the text is still the caller's.
        const refusal = this.#link.outboxRefusal(fields);
        if (refusal) return Promise.reject(refusal);
        this.#failed.delete(message.id);
        this.#setPending(message);
        return this.#link.command(fields, options).then(
            (event) => {
                this.#stored(message, event);
                return toReply(event);
            },
            (error) => {
                this.#fail(message, fields, error);
                throw error;
            });
    }

    /** What an earlier page had said, and the hub hasn't answered. */
    _restored(fields, since) {
        const refused = (error) => this.#link.emit("error", error);
        if (fields.op !== "send") return void this.#link.command(fields, { since }).catch(refused);
        this.#say(fields, { since }, this.#pendingMessage(fields, fields.text)).catch(refused);
    }

    #setPending(message) {
        this.#pending.set(message.id, message);
        this.#messages = null;
        this.#tell("pending", message);
    }

    #stored(message, event) {
        if (!this.#pending.has(message.id)) return;
        const { op, room, offset, epoch, at } = event;
        const comesAsMessage = op === "ack" && room === this.name && offset !== undefined;
        const isShown = !comesAsMessage || (epoch === this.epoch && offset <= this.offset);
        if (isShown) this.#forgetPending(message.id, { ...message, status: "sent", offset, at: at ?? message.at });
        else this.#setPending(frozen({ ...message, status: "sent", offset, at }));
    }

    #fail(message, fields, error) {
        if (!this.#pending.has(message.id)) return;
        this.#failed.set(message.id, fields);
        this.#setPending(frozen({ ...message, status: "failed", error }));
        const [oldest] = this.#failed.keys();
        if (this.#failed.size > FAILED_MAX) this.discard(oldest);
    }

    /** The room has come to where these are, or has another history. */
    #dropStored() {
        for (const message of [...this.#pending.values()]) {
            if (message.status === "sent" && (this.epoch === null || message.offset <= this.offset)) {
                this.#forgetPending(message.id, message);
            }
        }
    }

    #forgetPending(id, message) {
        this.#pending.delete(id);
        this.#messages = null;
        this.#tell("pending", frozen(message));
    }

    resend(id) {
        const fields = this.#failed.get(id);
        const refusal = fields ? this.#refusal() : new GoHubError("not_found", "there is no such failed message");
        if (refusal) return lenient(Promise.reject(refusal));
        const message = { ...this.#pending.get(id), status: "sending", error: undefined };
        this.#pending.delete(id);
        return lenient(this.#say(fields, {}, frozen(message)));
    }

    discard(id) {
        if (!this.#failed.delete(id)) return;
        this.#forgetPending(id, this.#pending.get(id));
    }

    /**
     * @param {number} offset
     * @param {string} text
     * @param {import("./gohub.js").ChangeOptions} options
     */
    edit(offset, text, { signal } = {}) {
        const refusal = this.#textRefusal(text);
        return refusal ? Promise.reject(refusal) : this.#change({ op: "edit", offset, text }, signal);
    }

    /**
     * @param {number} offset
     * @param {import("./gohub.js").ChangeOptions} options
     */
    delete(offset, { signal } = {}) {
        return this.#change({ op: "delete", offset }, signal);
    }

    /**
     * @param {number} offset
     * @param {string} reaction
     * @param {import("./gohub.js").ReactOptions} options
     */
    react(offset, reaction, { remove, signal } = {}) {
        return this.#change({ op: "react", offset, reaction, ...(remove && { remove: true }) }, signal);
    }

    #change({ op, ...fields }, signal) {
        return this.#ask({ op, id: this.#link.makeID(), room: this.name, ...fields }, { signal }).then(toReply);
    }

    // Who is there

    #setPeople({ members, count, receipts }) {
        this._members({ members, count });
        const known = this.receipts;
        const entries = receipts.map(({ user, delivered, seen }) => [user, further(known.get(user), { delivered, seen })]);
        this.receipts = new Map(entries);
        // The hub may have lost the last half second of what was said: it is said again.
        const own = this.#link.user();
        this.#told = receipts.find(({ user }) => user === own) ?? NOTHING;
        if (known.has(own)) this.receipts.set(own, further(known.get(own), this.#told));
        this.#tell("receipts");
    }

    _members({ members, count }) {
        this.members = new Map(members.map((member) => [member.user, member]));
        this.count = count;
        this.#tell("members");
    }

    _presence({ joined, left, count }) {
        this.members = new Map(this.members);
        for (const member of joined) {
            if (this.members.size < PEOPLE_MAX || this.members.has(member.user)) this.members.set(member.user, member);
        }
        for (const user of left) this.members.delete(user);
        this.count = count;
        this.#tell("members");
    }

    /** @param {import("./gohub.js").WaitOptions} options */
    async who({ signal, timeoutMs = REQUEST_TIMEOUT_MS } = {}) {
        const command = { op: "who", id: this.#link.makeID(), room: this.name };
        const { members, count } = await this.#ask(command, { signal, timeoutMs });
        this._members({ members, count });
        return { members, count };
    }

    // Receipts

    get #own() {
        return this.receipts.get(this.#link.user()) ?? NOTHING;
    }

    seenBy(offset) {
        const from = this.message(offset)?.from;
        const isMeant = ([user, { seen }]) => seen >= offset && user !== from && user !== this.#link.user();
        return [...this.receipts].filter(isMeant).map(([user]) => user);
    }

    _receipt(event) {
        for (const { user, delivered, seen } of event.receipts) this.#raise(user, { delivered, seen });
    }

    #raise(user, receipt) {
        const known = this.receipts.get(user) ?? NOTHING;
        const raised = further(known, receipt);
        if (raised.delivered === known.delivered && raised.seen === known.seen) return;
        const isOwn = user === this.#link.user();
        const isTold = this.count <= RECEIPTS_USERS_MAX && this.receipts.size < PEOPLE_MAX;
        if (!isOwn && !isTold && !this.receipts.has(user)) return;
        // A copy, for whoever compares.
        this.receipts = new Map(this.receipts).set(user, raised);
        if (isOwn) this.#told = further(this.#told, receipt);
        this.#tell("receipts");
    }

    seen(offset = this.offset) {
        const seen = Math.min(Math.floor(offset), this.offset);
        if (this.epoch === null || !(seen > this.#own.seen)) return;
        this.receipts = new Map(this.receipts).set(this.#link.user(), further(this.#own, { delivered: seen, seen }));
        this.#tell("receipts");
        this.#sayReceiptsSoon();
    }

    #sayReceiptsSoon() {
        const { agenda } = this.#link;
        if (this.status !== "joined" || this.#cancelTelling) return;
        if (this.offset <= this.#told.delivered && this.#own.seen <= this.#told.seen) return;
        this.#cancelTelling = agenda.at(Math.max(this.#toldAt + RECEIPT_EVERY_MS, agenda.now + RECEIPT_DELAY_MS), () => {
            this.#cancelTelling = null;
            if (this.status === "joined" && !this.#sayReceipts()) this.#sayReceiptsSoon();
        });
    }

    #sayReceipts() {
        this.#toldAt = this.#link.agenda.now;
        const { name: room, offset: delivered } = this;
        const { seen } = this.#own;
        if (seen > this.#told.seen) {
            if (!this.#link.say({ op: "seen", room, offset: seen })) return false;
            this.#told = { delivered: Math.max(seen, this.#told.delivered), seen };
        }
        if (delivered > this.#told.delivered) {
            if (!this.#link.say({ op: "delivered", room, offset: delivered })) return false;
            this.#told = { ...this.#told, delivered };
        }
        return true;
    }

    /** The hub has refused commands unread: what has no reply may have been among them. */
    _repeatReceipts() {
        this.#told = NOTHING;
        this.#sayReceiptsSoon();
    }

    // Typing

    get typingUsers() {
        const { now } = this.#link.agenda;
        return [...this.#typing].filter(([, until]) => until > now).map(([user]) => user);
    }

    _typing({ user, active }) {
        if (user === this.#link.user()) return;
        if (!active) return this.#endTyping(user);
        const isNew = !this.#typing.has(user);
        if (isNew && this.#typing.size >= PEOPLE_MAX) return;
        this.#typing.set(user, this.#link.agenda.now + TYPING_LASTS_MS);
        if (isNew) this.#tell("typing");
        this.#expireTyping();
    }

    #endTyping(...users) {
        const ended = users.filter((user) => this.#typing.delete(user));
        if (this.#typing.size === 0) this.#cancelTyping?.();
        if (ended.length) this.#tell("typing");
    }

    #expireTyping() {
        const { agenda } = this.#link;
        this.#cancelTyping?.();
        this.#cancelTyping = null;
        if (!this.#typing.size) return;
        this.#cancelTyping = agenda.at(Math.min(...this.#typing.values()), () => {
            const { now } = agenda;
            this.#endTyping(...[...this.#typing].filter(([, until]) => until <= now).map(([user]) => user));
            this.#expireTyping();
        });
    }

    typing(active = true) {
        const { agenda } = this.#link;
        this.#cancelSaying?.();
        if (!active) {
            const wasSaid = this.#saidTypingAt > -Infinity;
            this.#saidTypingAt = -Infinity;
            if (wasSaid && this.status === "joined") this.#link.say({ op: "typing", room: this.name, active: false });
            return;
        }
        this.#cancelSaying = agenda.after(TYPING_LASTS_MS, () => this.typing(false));
        if (this.status !== "joined" || agenda.now - this.#saidTypingAt < TYPING_EVERY_MS) return;
        if (this.#link.say({ op: "typing", room: this.name, active: true })) this.#saidTypingAt = agenda.now;
    }
}

function further(one = NOTHING, other = NOTHING) {
    return { delivered: Math.max(one.delivered, other.delivered), seen: Math.max(one.seen, other.seen) };
}

/** What the hub answered, in the page's words. */
export function toReply(event) {
    const { op, id, room } = event;
    if (op === "ack") {
        const { at, epoch, offset, duplicate, unchanged } = event;
        return frozen({ kind: "stored", id, room, at, epoch, offset, duplicate, unchanged });
    }
    if (op === "members") return { kind: op, id, room, members: event.members, count: event.count };
    if (op === "notice") return { kind: op, id, room, text: event.text };
    return { kind: op, id, room };
}
