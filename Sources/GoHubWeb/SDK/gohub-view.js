// The view of a room: the messages in their current form, followed by the user's own pending messages.

const REACTION_NAMES_MAX = 5;
const FAILED_MAX = 100;

/**
 * A frozen copy without undefined fields: objects given to the page are replaced, never changed.
 * @returns {any}
 */
export function frozen(object) {
    return Object.freeze(Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)));
}

/** Makes the page's message from the hub's. */
export function toMessage(raw, room, user, status = "sent") {
    return frozen({
        id: raw.id, room, offset: raw.offset, from: raw.from, name: raw.name ?? raw.from, isOwn: raw.from === user,
        at: raw.at, text: raw.text ?? "", replyTo: raw.replyTo, ephemeral: raw.ephemeral, editedAt: raw.editedAt,
        deletedAt: raw.deletedAt, reactions: Object.freeze(raw.reactions ?? []),
        files: Object.freeze((raw.files ?? []).map((file) => Object.freeze(file))), status,
    });
}

/** Whether a room's entry is a change of any kind: a change has `op` in a page and `of` as an event. */
export function isChange(raw) {
    return raw.of !== undefined || (raw.op !== undefined && raw.op !== "message");
}

/** The message after a change. */
function changed(message, change) {
    if (change.op === "edited" && change.text !== undefined) return { ...message, text: change.text, editedAt: change.at };
    if (change.op === "deleted") {
        const nothing = Object.freeze([]);
        return { ...message, text: "", editedAt: undefined, deletedAt: change.at, reactions: nothing, files: nothing };
    }
    if (change.op !== "reaction") return message;
    const { reaction, count, from } = change;
    const known = message.reactions.find((other) => other.reaction === reaction);
    const others = known?.by.filter((user) => user !== from) ?? [];
    const isNamed = known?.by.includes(from) ?? false;
    let by = others;
    if (!change.removed) by = isNamed ? known.by : [...others, from].slice(0, REACTION_NAMES_MAX);
    const entry = Object.freeze({ reaction, count, by: Object.freeze(by) });
    const all = known ? message.reactions.map((other) => (other === known ? entry : other)) : [...message.reactions, entry];
    return { ...message, reactions: Object.freeze(all.filter((one) => one.count > 0)) };
}

/** A message, and the offset up to which its changes are applied. */
export class Entry {
    constructor(message, standsAt) {
        this.message = message;
        this.standsAt = standsAt;
    }

    /** Applies a change. Returns whether the message changed. */
    apply(change) {
        if (change.offset <= this.standsAt) return false;
        this.standsAt = change.offset;
        if (this.message.deletedAt !== undefined) return false;
        const message = changed(this.message, change);
        if (message === this.message) return false;
        this.message = frozen(message);
        return true;
    }
}

export class View {
    /** The offset of the oldest entry that was added to the view. */
    first = 1;
    hasOlder = false;

    #messagesMax;
    #seen;
    /** The count of unseen messages of others before the view. */
    #unreadBefore = 0;
    #entries = [];
    #byOffset = new Map();
    /** The user's own pending messages by id: sending, acknowledged but not yet received, or failed. */
    #pending = new Map();
    /** The command that repeats a failed message, by id. */
    #failed = new Map();
    #messages = null;

    /** `seen()` is the offset up to which the user has seen the room. */
    constructor(messagesMax, seen) {
        this.#messagesMax = messagesMax;
        this.#seen = seen;
    }

    get messages() {
        this.#messages ??= Object.freeze([...this.#entries.map(({ message }) => message), ...this.#pending.values()]);
        return this.#messages;
    }

    /** The number of messages that may still be added to the view. */
    get space() {
        return this.#messagesMax - this.#entries.length;
    }

    at(offset) {
        return this.#byOffset.get(offset)?.message;
    }

    /** The count of unseen messages of others: in the view, and before it as far as they were counted. */
    get unread() {
        return this.#unreadUpTo(Infinity) + this.#settleBefore();
    }

    /** The count of unseen messages in the view, up to an offset. */
    #unreadUpTo(last) {
        const seen = this.#seen();
        let count = 0;
        for (let index = this.#entries.length - 1; index >= 0; index--) {
            const { isOwn, offset } = this.#entries[index].message;
            if (offset <= seen) break;
            if (!isOwn && offset <= last) count += 1;
        }
        return count;
    }

    /** Limits the count before the view to the number of offsets between the seen offset and the view. */
    #settleBefore() {
        this.#unreadBefore = Math.min(this.#unreadBefore, Math.max(0, this.first - 1 - this.#seen()));
        return this.#unreadBefore;
    }

    /** Applies the hub's count of unread messages up to an offset. */
    counted(unread, offset) {
        this.#unreadBefore = Math.max(this.#settleBefore(), unread - this.#unreadUpTo(offset));
    }

    /** Starts the view at an offset. */
    begin(first) {
        this.first = first;
        this.hasOlder = first > 1;
        this.#unreadBefore = 0;
    }

    clear() {
        this.begin(1);
        this.#entries = [];
        this.#byOffset.clear();
        this.#messages = null;
    }

    /** Adds the newest entry and drops the oldest one if the view is full. */
    add(entry) {
        this.#entries.push(entry);
        if (entry.message.offset !== undefined) this.#byOffset.set(entry.message.offset, entry);
        this.#messages = null;
        if (this.space < 0) this.#drop(-this.space);
    }

    /** Adds a page before the oldest entry. */
    addBefore({ entries, first, more }) {
        const unread = entries.filter((entry) => this.#isUnread(entry)).length;
        this.#unreadBefore = more ? Math.max(0, this.#settleBefore() - unread) : 0;
        this.first = first ?? this.first;
        this.hasOlder = more;
        for (const entry of entries) this.#byOffset.set(entry.message.offset, entry);
        this.#entries.unshift(...entries);
        this.#messages = null;
    }

    /** Applies a change. Returns the changed message, or undefined if nothing changed. */
    apply(change) {
        const entry = this.#byOffset.get(change.of);
        if (!entry?.apply(change)) return undefined;
        this.#messages = null;
        return entry.message;
    }

    /** Drops all but the newest entries. Returns whether any were dropped. */
    trim(keep) {
        const count = this.#entries.length - Math.max(0, Math.floor(keep));
        if (count > 0) this.#drop(count);
        return count > 0;
    }

    #isUnread({ message: { isOwn, offset } }) {
        return !isOwn && offset > this.#seen();
    }

    #drop(count) {
        const dropped = this.#entries.splice(0, count);
        this.#unreadBefore = this.#settleBefore() + dropped.filter((entry) => this.#isUnread(entry)).length;
        for (const { message } of dropped) this.#byOffset.delete(message.offset);
        const isPlaced = ({ message }) => message.offset !== undefined;
        const last = dropped.filter(isPlaced).pop()?.message.offset;
        if (last !== undefined) {
            this.first = this.#entries.find(isPlaced)?.message.offset ?? last + 1;
            this.hasOlder = true;
        }
        this.#messages = null;
    }

    // Pending messages

    pending(id) {
        return this.#pending.get(id);
    }

    get pendingMessages() {
        return [...this.#pending.values()];
    }

    setPending(message) {
        this.#failed.delete(message.id);
        this.#pending.set(message.id, message);
        this.#messages = null;
    }

    forgetPending(id) {
        this.#failed.delete(id);
        this.#messages = null;
        return this.#pending.delete(id);
    }

    /** Keeps the command for a retry. Returns the id of the oldest failed message if there are too many. */
    setFailed(message, fields) {
        this.setPending(message);
        this.#failed.set(message.id, fields);
        const [oldest] = this.#failed.keys();
        return this.#failed.size > FAILED_MAX ? oldest : undefined;
    }

    failed(id) {
        return this.#failed.get(id);
    }
}
