// The order of a conversation's log: messages and the hub's notices, in blocks of so many offsets, each with what it shows of
// those around it.
import { dayOf, make } from "./dom.js";

export const BLOCK_OFFSETS = 40;
/** Messages of one author that follow one another so soon share a heading. */
const GROUP_MS = 5 * 60_000;

/** Messages that follow one another, and the element that stands for them. */
export class Block {
    entries = [];
    /** What the rows were made of, so that only what has changed is made anew. */
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
 * What the log shows: `{ message, block, isNewDay, isFirstUnread, isGrouped, key }` for each message and notice. `key` is all
 * that the entry is besides its message. `dividerAt` is the offset behind which what is unread begins, or null.
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
        // One's own that isn't stored moves to its place among the others when it is.
        if (isStored) block = Math.floor(message.offset / BLOCK_OFFSETS);
        else if (!message.ephemeral) block = Infinity;
        add(message, block);
    }
    for (const notice of waiting) add(notice, Infinity);
    return entries;
}
