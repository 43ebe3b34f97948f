// A room of the client: joining, position in the room's order, messages, commands.
import { Members, Receipts, Typing } from "./gohub-people.js";
import { Emitter, GoHubError, Wait, lenient, otherUser, steady, utf8Length } from "./gohub-support.js";
import { Upload } from "./gohub-upload.js";
import { Entry, View, frozen, isChange, toMessage } from "./gohub-view.js";

const HELD_MAX = 500;
const CHANGES_MAX = 1_000;
const PAGE_ENTRIES = 50;
/** Maximum pages in a row that contain only changes and are skipped by one `loadOlder`. */
const EMPTY_PAGES_MAX = 4;
const REQUEST_TIMEOUT_MS = 30_000;
const DEFAULT_TEXT_BYTES = 8_192;
const FILES_MAX = 10;
const ALT_BYTES_MAX = 1_000;
/** Maximum results of `seenBy` that are kept identical (`===`): more than a page shows at a time. */
const SEEN_BY_MAX = 1_000;
const NOBODY = Object.freeze([]);

/**
 * Members that begin with `_` are for `GoHub` alone.
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

    #hub;
    #history;
    #emitter = new Emitter();
    #isChanging = false;
    // Joining
    #joinID = null;
    #waits = new Set();
    #held = [];
    #hasDropped = false;
    #newsFrom = Infinity;
    #loading = null;
    #collectors = new Set();
    #view;
    #members = new Members();
    #receipts;
    #typing;
    /** The room's entry in the hub's list of rooms, until the room is joined. */
    #summary = null;
    /** Results of `seenBy` by offset, least recently used first. */
    #seenBy = new Map();

    /** `hub` is the part of `GoHub` that a room may use. */
    constructor(name, hub, history) {
        this.name = name;
        this.#hub = hub;
        this.#history = history;
        this.#view = new View(hub.messagesMax, () => this.#receipts.own.seen);
        this.#receipts = new Receipts(this, hub);
        this.#typing = new Typing(this, hub, () => this.#tell("typing"));
    }

    get peer() {
        return otherUser(this.name, this.#hub.user() ?? "");
    }

    get members() {
        return this.#members.all;
    }

    get count() {
        return this.#members.count;
    }

    get receipts() {
        return this.#receipts.all;
    }

    get typingUsers() {
        return this.#typing.users;
    }

    get messages() {
        return this.#view.messages;
    }

    get hasOlder() {
        return this.#view.hasOlder;
    }

    get unread() {
        return this.#view.unread;
    }

    message(offset) {
        return this.#view.at(offset);
    }

    seenBy(offset) {
        const from = this.message(offset)?.from;
        const isMeant = ([user, { seen }]) => seen >= offset && user !== from && user !== this.#hub.user();
        const users = steady(this.#seenBy.get(offset) ?? NOBODY, [...this.receipts].filter(isMeant).map(([user]) => user));
        this.#seenBy.delete(offset);
        this.#seenBy.set(offset, users);
        if (this.#seenBy.size > SEEN_BY_MAX) this.#seenBy.delete(this.#seenBy.keys().next().value);
        return users;
    }

    /**
     * @param {any} type
     * @param {(event: any) => void} listener
     * @param {import("./gohub.js").ListenOptions} [options]
     */
    on(type, listener, options) {
        return this.#emitter.on(type, listener, options);
    }

    /** Emits an event, and one `change` for all events of the same task. */
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
        const wait = new Wait(this.#hub.agenda, { signal, timeoutMs }, () => this.#waits.delete(wait));
        if (!wait.isOver) this.#waits.add(wait);
        return wait.promise;
    }

    #endWaits(settle) {
        for (const wait of [...this.#waits]) settle(wait);
    }

    /** Sends a join: the first one, or one that requests the missed entries. */
    _join() {
        if (!this.#hub.isConnected()) return;
        this.#giveUpJoin();
        if (this.status !== "joined") this.#setStatus("joining");
        const position = this.epoch === null ? { limit: this.#hub.pageSize(this.#history) }
            : { since: { epoch: this.epoch, offset: this.offset } };
        const id = (this.#joinID = this.#hub.makeID());
        const reply = this.#hub.command({ op: "join", id, room: this.name, ...position }, {});
        const isAwaited = () => id === this.#joinID;
        reply.then((event) => isAwaited() && this._joined(event, position), (error) => isAwaited() && this.#refused(error));
    }

    #refused(error) {
        this.#joinID = null;
        this.#held = [];
        this.#setStatus("refused", error);
        this.#endWaits((wait) => wait.reject(error));
        this.#hub.fail(this.name, error);
    }

    /** The reply to a join, or to `/join`, which does not request missed entries. */
    _joined(event, asked = {}) {
        if (this.status === "left") return;
        this.#joinID = null;
        const isAnother = this.epoch !== null && event.epoch !== this.epoch;
        if (isAnother || (asked.since && !event.recovered)) {
            // The shown entries don't connect to the new ones.
            this.#startOver();
            if (asked.since) return this._join();
        }
        const isFirst = this.epoch === null;
        if (!isFirst && !asked.since && (event.messages[0]?.offset ?? event.offset + 1) > this.offset + 1) return this._join();
        if (isFirst) {
            this.epoch = event.epoch;
            this.#view.begin(event.messages[0]?.offset ?? event.offset + 1);
            this.offset = this.#view.first - 1;
        }
        this.#members.set(event);
        this.#receipts.set(event.receipts);
        this.#tell("members");
        this.#tell("receipts");
        for (const raw of event.messages) {
            if (raw.offset > this.offset) this.#take(raw, event.offset, !isFirst || raw.offset >= this.#newsFrom);
        }
        this.#newsFrom = Infinity;
        this.offset = Math.max(this.offset, event.offset);
        this.#dropStored(isFirst ? Infinity : this.offset);
        if (this.#summary) this._counted(this.#summary);
        this.#setStatus("joined");
        this.#endWaits((wait) => wait.resolve(this));
        const held = this.#held.splice(0);
        for (const raw of held) if (raw.offset > this.offset || this.#isOtherEpoch(raw)) this.#accept(raw);
        if (this.#hasDropped && this.#joinID === null) this._join();
        this.#hasDropped = false;
        this.#receipts.sayInAMoment();
        this.#hub.flush();
    }

    #giveUpJoin() {
        const id = this.#joinID;
        this.#joinID = null;
        if (id !== null) this.#hub.settle(id, null);
    }

    #startOver() {
        this.epoch = null;
        this.offset = 0;
        this.#receipts.clear();
        this.#view.clear();
        this.#held = [];
        this.#dropStored();
        this.#tell("reset");
    }

    /** The connection was lost. */
    _disconnected() {
        this.#giveUpJoin();
        this.#held = [];
        this.#hasDropped = false;
        this.#typing.disconnected();
        if (this.status === "joined") this.#setStatus("joining");
    }

    /** The client was closed: nothing arrives until the page connects again. */
    _closed(error) {
        this.#endWaits((wait) => wait.reject(error));
    }

    /** The room was left. This object is not used again. */
    _left(reason) {
        const error = new GoHubError("left", reason ?? "You have left the room.", { room: this.name });
        this.#giveUpJoin();
        this.#receipts.end();
        this.#typing.end();
        this.#setStatus("left", error);
        this.#endWaits((wait) => wait.reject(error));
        this.#hub.fail(this.name, error);
        this.#tell("left", { reason });
    }

    /** @param {import("./gohub.js").WaitOptions} options */
    async leave({ signal, timeoutMs = REQUEST_TIMEOUT_MS } = {}) {
        if (this.status === "left") return;
        const isMember = !this.name.startsWith("dm:") && this.status !== "refused";
        this.#hub.forget(this);
        if (!isMember) return;
        if (!this.#hub.isConnected()) return this.#hub.leaveLater(this.name);
        try {
            const command = { op: "leave", id: this.#hub.makeID(), room: this.name };
            await this.#hub.command(command, { signal, timeoutMs, isOnce: true });
        } catch (error) {
            if (error.code === "disconnected") return this.#hub.leaveLater(this.name);
            // Not a member, or closed: the room is left either way.
            if (!["not_found", "closed"].includes(error.code)) throw error;
        }
    }

    // Events

    /** A message or a change. */
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

    /** Takes the next offset and ignores an earlier one. A gap or another epoch causes a new join. */
    #accept(raw) {
        if (this.#joinID !== null) return this.#setAside(raw);
        if (this.#isOtherEpoch(raw) || raw.offset > this.offset + 1) {
            this.#setAside(raw);
            this._join();
        } else if (raw.offset === this.offset + 1) {
            this.#take(raw, raw.offset, true);
            this.#receipts.sayInAMoment();
        }
    }

    #take(raw, standsAt, isNews) {
        this.offset = raw.offset;
        if (isChange(raw)) return this.#takeChange(raw);
        const message = toMessage(raw, this.name, this.#hub.user());
        this.#add(new Entry(message, standsAt));
        this.#raise(raw.from, { delivered: raw.offset, seen: raw.offset });
        if (isNews) this.#isNews(message);
    }

    #takeChange(change) {
        for (const changes of this.#collectors) {
            if (changes.length < CHANGES_MAX) changes.push(change);
            else changes.isTorn = true;
        }
        const message = this.#view.apply(change);
        if (message) this.#tell("update", message);
    }

    #takeEphemeral(raw) {
        const message = toMessage(raw, this.name, this.#hub.user());
        this.#add(new Entry(message, Infinity));
        this.#isNews(message);
    }

    #isNews(message) {
        this.#typing.stop(message.from);
        this.#tell("message", message);
        this.#hub.emit("message", { room: this, message });
    }

    #add(entry) {
        const { id, offset, isOwn, at } = entry.message;
        this.#view.add(entry);
        if (!isOwn) return;
        this.#view.forgetPending(id);
        // The user's own message arrived, so it is stored: this counts as its ack.
        const { epoch, name: room } = this;
        const place = offset === undefined ? {} : { epoch, offset };
        this.#hub.settle(id, { op: "ack", id, room, at, ...place });
    }

    _notice(notice) {
        this.#tell("notice", notice);
    }

    // Pages

    trim(keep = PAGE_ENTRIES) {
        if (this.#view.trim(keep)) this.#tell("change");
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
        const view = this.#view;
        for (let pages = 0; pages < EMPTY_PAGES_MAX && view.hasOlder; pages++) {
            const { first: before, space } = view;
            const { epoch } = this;
            if (space <= 0) throw new GoHubError("too_large", "The view is full. Call trim() to remove old messages.", { room: this.name });
            const page = await this.#page({ before, limit: Math.min(limit, space) }, options);
            // The requested page doesn't connect to the entries that are shown now.
            if (view.first !== before || this.epoch !== epoch || page.epoch !== epoch) break;
            view.addBefore(page);
            this.#tell("change");
            if (page.entries.length) break;
        }
        return view.hasOlder;
    }

    /**
     * A page of history, with the changes to its messages that arrived during the request.
     * @param {import("./gohub.js").HistoryOptions} range
     * @param {import("./gohub.js").WaitOptions} options
     */
    async #page({ before, after, limit }, { signal, timeoutMs = REQUEST_TIMEOUT_MS }) {
        const changes = Object.assign([], { isTorn: false });
        this.#collectors.add(changes);
        try {
            const range = { ...(before !== undefined && { before }), ...(after !== undefined && { after }) };
            const command = { op: "history", id: this.#hub.makeID(), room: this.name, ...range };
            const request = { ...command, limit: Math.max(1, this.#hub.pageSize(limit)) };
            const page = await this.#ask(request, { signal, timeoutMs });
            if (changes.isTorn) throw new GoHubError("unavailable", "Too many changes arrived while loading. Try again.", { room: this.name });
            const messages = page.messages.filter((raw) => !isChange(raw));
            const entries = messages.map((raw) => new Entry(toMessage(raw, this.name, this.#hub.user()), page.offset));
            const byOffset = new Map(entries.map((entry) => [entry.message.offset, entry]));
            if (page.epoch === this.epoch) for (const change of changes) byOffset.get(change.of)?.apply(change);
            const [first, last] = [page.messages[0]?.offset, page.messages[page.messages.length - 1]?.offset];
            return { epoch: page.epoch, more: page.more, entries, first, last };
        } finally {
            this.#collectors.delete(changes);
        }
    }

    #ask(command, options) {
        const refusal = this.#refusal();
        return refusal ? Promise.reject(refusal) : this.#hub.command(command, options);
    }

    #refusal() {
        return this.#hub.refusal() ?? (["refused", "left"].includes(this.status) ? this.error : null);
    }

    /**
     * @param {any} file
     * @param {import("./gohub.js").UploadOptions} [options]
     */
    upload(file, options) {
        return this.#hub.upload(this, file, options, () => this.#refusal());
    }

    // Sending

    /**
     * @param {string} text
     * @param {import("./gohub.js").SendOptions} options
     */
    send(text, { replyTo, ephemeral, literal, files = [], signal } = {}) {
        const isCommand = text.startsWith("/") && !text.startsWith("//") && !literal;
        const said = literal && text.startsWith("/") ? `/${text}` : text;
        const shown = text.startsWith("//") && !literal ? text.slice(1) : text;
        const fields = {
            op: "send", id: this.#hub.makeID(), room: this.name, text: said,
            ...(replyTo !== undefined && { replyTo }), ...(ephemeral && { ephemeral }),
            ...(files.length && { files: files.map(toSaid) }),
        };
        this.#typing.ended();
        const isWordless = isCommand || (text === "" && files.length > 0);
        const refusal = this.#refusal() ?? this.#filesRefusal(fields.files ?? [], isCommand)
            ?? (isWordless ? null : this.#textRefusal(shown));
        if (refusal) return lenient(Promise.reject(refusal));
        if (!ephemeral) return lenient(this.#say(fields, { signal }, this.#pendingMessage(fields, shown, files.map(toShown))));
        if (this.status === "joined") return lenient(this.#ask(fields, { signal, isOnce: true }).then(toReply));
        return lenient(Promise.reject(new GoHubError("disconnected", "There is no connection.", { room: this.name })));
    }

    #textRefusal(text) {
        if (text === "") return new GoHubError("bad_request", "The text is empty.", { room: this.name });
        const textBytesMax = this.#hub.limits()?.textBytes ?? DEFAULT_TEXT_BYTES;
        const bytes = utf8Length(text);
        if (bytes <= textBytesMax) return null;
        return new GoHubError("too_large", `The text has ${bytes} bytes, more than the hub's limit of ${textBytesMax}.`, { room: this.name });
    }

    #filesRefusal(files, isCommand) {
        const refusal = (code, message) => new GoHubError(code, message, { room: this.name });
        if (files.length > FILES_MAX) return refusal("too_large", `A message has at most ${FILES_MAX} files.`);
        if (files.some(({ id }) => typeof id !== "string")) return refusal("bad_request", "A file is not uploaded yet.");
        if (files.some(({ alt = "" }) => utf8Length(alt) > ALT_BYTES_MAX)) {
            return refusal("too_large", `A file's description has at most ${ALT_BYTES_MAX} bytes.`);
        }
        // Sent as text, a command such as `/w` could disclose a private message to the room.
        return isCommand && files.length ? refusal("bad_request", "A command cannot have files.") : null;
    }

    #pendingMessage({ id, replyTo }, text, files) {
        const from = this.#hub.user() ?? "";
        const raw = { id, from, name: this.#hub.displayName() ?? from, at: this.#hub.serverNow(), text, replyTo, files };
        return frozen({ ...toMessage(raw, this.name, this.#hub.user(), "sending"), isOwn: true });
    }

    #say(fields, options, message) {
        // After an immediate refusal, such as a full outbox, no pending message is shown: the caller keeps the text.
        const refusal = this.#hub.outboxRefusal(fields);
        if (refusal) return Promise.reject(refusal);
        this.#setPending(message);
        return this.#hub.command(fields, options).then(
            (event) => {
                this.#stored(message, event);
                return toReply(event);
            },
            (error) => {
                this.#fail(message, fields, error);
                throw error;
            });
    }

    /** An unacknowledged command from before a reload. */
    _restored(fields, since) {
        const refused = (error) => this.#hub.emit("error", error);
        if (fields.op !== "send") return void this.#hub.command(fields, { since }).catch(refused);
        this.#say(fields, { since }, this.#pendingMessage(fields, fields.text, fields.files)).catch(refused);
    }

    #setPending(message) {
        this.#view.setPending(message);
        this.#tell("pending", message);
    }

    #stored(message, event) {
        if (!this.#view.pending(message.id)) return;
        const { op, room, offset, epoch, at } = event;
        const comesAsMessage = op === "ack" && room === this.name && offset !== undefined;
        const isShown = !comesAsMessage || (epoch === this.epoch && offset <= this.offset);
        if (isShown) this.#forgetPending(message.id, { ...message, status: "sent", offset, at: at ?? message.at });
        else this.#setPending(frozen({ ...message, status: "sent", offset, at }));
    }

    #fail(message, fields, error) {
        if (!this.#view.pending(message.id)) return;
        const failed = frozen({ ...message, status: "failed", error });
        const oldest = this.#view.setFailed(failed, fields);
        this.#tell("pending", failed);
        if (oldest !== undefined) this.discard(oldest);
    }

    /** Drops acknowledged pending messages: they arrive with the newest messages, or are gone. */
    #dropStored(offsetMax = Infinity) {
        for (const message of this.#view.pendingMessages) {
            if (message.status === "sent" && message.offset <= offsetMax) this.#forgetPending(message.id, message);
        }
    }

    #forgetPending(id, message) {
        this.#view.forgetPending(id);
        this.#tell("pending", frozen(message));
    }

    resend(id) {
        const fields = this.#view.failed(id);
        const refusal = fields ? this.#refusal() : new GoHubError("not_found", "There is no such failed message.");
        if (refusal) return lenient(Promise.reject(refusal));
        const message = { ...this.#view.pending(id), status: "sending", error: undefined };
        return lenient(this.#say(fields, {}, frozen(message)));
    }

    discard(id) {
        if (this.#view.failed(id)) this.#forgetPending(id, this.#view.pending(id));
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
        return this.#ask({ op, id: this.#hub.makeID(), room: this.name, ...fields }, { signal }).then(toReply);
    }

    // Members

    _members({ members, count }) {
        this.#members.set({ members, count });
        this.#tell("members");
    }

    _presence(event) {
        this.#members.change(event);
        this.#tell("members");
    }

    /** @param {import("./gohub.js").WaitOptions} options */
    async who({ signal, timeoutMs = REQUEST_TIMEOUT_MS } = {}) {
        const command = { op: "who", id: this.#hub.makeID(), room: this.name };
        const { members, count } = await this.#ask(command, { signal, timeoutMs });
        this._members({ members, count });
        return { members, count };
    }

    _receipt({ receipts }) {
        for (const { user, delivered, seen } of receipts) this.#raise(user, { delivered, seen });
    }

    #raise(user, receipt) {
        if (this.#receipts.raise(user, receipt)) this.#tell("receipts");
    }

    /** Applies the hub's list of rooms: the user's cursors from other devices, and the unread count before the view. */
    _counted(summary) {
        this.#summary = this.epoch === null ? summary : null;
        const { epoch, offset, delivered, seen, unread } = summary;
        if (epoch !== this.epoch || seen < this.#receipts.own.seen) return;
        this.#raise(this.#hub.user(), { delivered, seen });
        this.#view.counted(unread, offset);
        this.#tell("change");
    }

    seen(offset = this.offset) {
        if (this.epoch === null || !this.#receipts.seen(Math.min(Math.floor(offset), this.offset))) return;
        this.#tell("receipts");
        this.#receipts.sayInAMoment();
    }

    /** The hub refused commands without reading them. Receipts have no reply and may have been among them. */
    _repeatReceipts() {
        this.#receipts.repeat();
    }

    _typing(event) {
        this.#typing.heard(event);
    }

    typing(active = true) {
        this.#typing.say(active);
    }
}

/** A message's file from what the page passes: a finished upload or a file's description. */
function toShown(file) {
    return frozen(file instanceof Upload ? { ...file.file, alt: file.alt || undefined } : { ...file });
}

/** A message's file in the hub's form: id and alternative text. */
function toSaid(file) {
    const { id, alt } = toShown(file);
    return { id, ...(alt && { alt }) };
}

/** The hub's reply in the form that the SDK gives to the page. */
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
