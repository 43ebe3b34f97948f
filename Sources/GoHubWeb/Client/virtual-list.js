// The entries of a conversation's log in order: messages and notices, in blocks of a fixed number of offsets. Each
// entry records how its neighbours affect its display, such as a shared heading.
import { dayOf, make } from "./dom.js";

export const BLOCK_OFFSETS = 40;
/** Successive messages of one author within this time share a heading. */
const GROUP_MS = 5 * 60_000;

/** Successive messages and their element. */
export class Block {
    entries = [];
    /** The entries that were last rendered, so that only changed ones are rendered again. */
    shown = null;
    isNear = false;
    isObserved = false;

    constructor() {
        this.element = make("div.block");
    }

    has(entries) {
        return this.entries.length === entries.length
            && this.entries.every((entry, index) => entry.message === entries[index].message && entry.key === entries[index].key);
    }
}

/**
 * The log's entries: `{ message, block, isNewDay, isFirstUnread, isGrouped, key }` for each message and notice. `key`
 * is the entry's state besides its message. `dividerAt` is the offset after which unread messages begin, or null.
 */
export function entriesOf(room, notices, dividerAt) {
    const waiting = [...notices];
    const entries = [];
    let before = null;
    let isMarked = false;
    const add = (message, block) => {
        const isNewDay = !before || dayOf(before.at) !== dayOf(message.at);
        const isFirstUnread = !isMarked && dividerAt !== null && message.offset > dividerAt && !message.isOwn;
        isMarked ||= isFirstUnread;
        const isGrouped = !isNewDay && !isFirstUnread && !before.isNotice && !message.isNotice && before.from === message.from
            && message.at - before.at < GROUP_MS && message.replyTo === undefined && !message.ephemeral;
        const key = `${+isNewDay}${+isFirstUnread}${+isGrouped}`;
        entries.push({ message, block, isNewDay, isFirstUnread, isGrouped, key });
        before = message;
    };
    let block = 0;
    for (const message of room.messages) {
        const isStored = message.offset !== undefined;
        const isBefore = ({ after, at }) => (isStored ? after < message.offset : at <= message.at);
        while (waiting.length && isBefore(waiting[0])) add(waiting.shift(), isStored ? block : Infinity);
        // The user's own pending message moves to its offset once it is stored.
        if (isStored) block = Math.floor(message.offset / BLOCK_OFFSETS);
        else if (!message.ephemeral) block = Infinity;
        add(message, block);
    }
    for (const notice of waiting) add(notice, Infinity);
    return entries;
}
