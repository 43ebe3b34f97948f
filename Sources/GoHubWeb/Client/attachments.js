// The files to be sent, by room: the draft's files, and messages that wait for their uploads.
import { announce } from "./dom.js";

export const FILES_MAX = 10;

/** Removes duplicates: a file that was chosen twice may have one id, and a message has each file once. */
const once = (uploads) => [...new Map(uploads.map((upload) => [upload.file.id, upload])).values()];

export class Attachments extends EventTarget {
    #chat;
    /** By room: `{ draft: [upload], held: [{ text, replyTo, uploads }] }`. Each list of uploads fits into a message. */
    #rooms = new Map();
    #send;
    /** The held message whose file descriptions the user is editing. */
    #kept = null;

    /** `send(room, message, uploads)` sends a message whose files are uploaded; false if it was refused. */
    constructor(chat, send) {
        super();
        this.#chat = chat;
        this.#send = send;
        chat.on("rooms", () => this.#sweep());
        chat.on("state", () => [...this.#rooms.keys()].forEach((room) => this.#deliver(room)));
        addEventListener("beforeunload", (event) => this.#isBusy && event.preventDefault());
    }

    of(room) {
        return this.#rooms.get(room) ?? { draft: [], held: [] };
    }

    #changed() {
        this.dispatchEvent(new CustomEvent("change"));
    }

    /** Drops the drafts and held messages of rooms that were left. */
    #sweep() {
        for (const room of this.#rooms.keys()) {
            if (this.#chat.hub?.openRooms.includes(room)) continue;
            this.#rooms.delete(room);
            this.#changed();
        }
    }

    /** Whether closing the page would lose files or messages. */
    get #isBusy() {
        return [...this.#rooms.values()].some(({ draft, held }) => (
            held.length > 0 || draft.some(({ isOver, state }) => !isOver || state === "done")));
    }

    add(room, files) {
        if (!room || !files.length) return;
        const entry = this.#entryOf(room);
        const taken = files.slice(0, FILES_MAX - entry.draft.length);
        if (taken.length < files.length) this.#refuseMore();
        const uploads = taken.map((file) => room.upload(file));
        entry.draft.push(...uploads);
        for (const upload of uploads) {
            upload.on("state", () => this.#turned(room, upload));
            upload.on("progress", () => this.#changed());
        }
        const added = uploads.filter(({ isOver }) => !isOver);
        if (added.length === 1) announce(`${added[0].name} is added`);
        if (added.length > 1) announce(`${added.length} files are added`);
        // An upload that was refused at once ended before it had a listener.
        for (const upload of uploads) if (upload.isOver) this.#turned(room, upload);
        this.#changed();
    }

    /** The room's entry, to be changed. The first call also subscribes to the room's status. */
    #entryOf(room) {
        const entry = this.of(room);
        if (!this.#rooms.has(room)) room.on("status", () => this.#deliver(room));
        this.#rooms.set(room, entry);
        return entry;
    }

    #refuseMore() {
        this.#chat.alert(`A message has at most ${FILES_MAX} files.`);
    }

    #turned(room, upload) {
        const { draft, held } = this.of(room);
        const isOurs = draft.includes(upload) || held.some(({ uploads }) => uploads.includes(upload));
        if (!isOurs) return;
        if (upload.state === "failed") announce(`${upload.name} was not sent: ${upload.error.message}`);
        // One announcement for all files, not one for each.
        if (upload.state === "done" && draft.includes(upload) && draft.every(({ state }) => state === "done")) {
            announce(draft.length === 1 ? "The file is there" : "All files are there");
        }
        this.#deliver(room);
    }

    /** Removes a file from the draft or a held message, and from the hub unless another message needs it. */
    remove(room, upload) {
        const entry = this.of(room);
        entry.draft = entry.draft.filter((other) => other !== upload);
        for (const message of entry.held) message.uploads = message.uploads.filter((other) => other !== upload);
        entry.held = entry.held.filter(({ text, uploads }) => text || uploads.length);
        // Its message may have waited for this file alone.
        this.#kept = null;
        if (this.#isNeeded(room, upload.file)) upload.cancel();
        else upload.discard();
        this.#deliver(room);
    }

    /** Whether a file is still needed: it may have been chosen twice, or be in a message already. */
    #isNeeded(room, file) {
        if (!file) return false;
        const { draft, held } = this.of(room);
        const chosen = [...draft, ...held.flatMap(({ uploads }) => uploads)].map((upload) => upload.file);
        const said = room.messages.flatMap(({ files }) => files);
        return [...chosen, ...said].some((other) => other?.id === file.id);
    }

    /** Sends the draft with its files: now, or once they are uploaded. */
    post(room, { text, replyTo }) {
        const entry = this.#entryOf(room);
        const message = { text, replyTo, uploads: entry.draft };
        entry.draft = [];
        entry.held.push(message);
        this.#deliver(room);
        if (entry.held.includes(message)) announce("The message is sent when its files are there");
    }

    /** Sends held messages in order; none overtakes an earlier one. A refused message waits for the next change. */
    #deliver(room) {
        const { held } = this.of(room);
        while (held.length && this.#canSend(room, held[0])) {
            const message = held.shift();
            if (this.#send(room, message, once(message.uploads))) continue;
            held.unshift(message);
            break;
        }
        this.#changed();
    }

    #canSend(room, message) {
        if (this.#chat.state.name === "closed" || room.status === "refused") return false;
        return message !== this.#kept && message.uploads.every(({ state }) => state === "done");
    }

    keep(message) {
        this.#kept = message;
    }

    letGo(room) {
        this.#kept = null;
        this.#deliver(room);
    }

    /** Turns a held message into the draft again; false if it was sent meanwhile, or has too many files. */
    takeBack(room, message) {
        const entry = this.of(room);
        if (!entry.held.includes(message)) return false;
        if (message.uploads.length + entry.draft.length > FILES_MAX) {
            this.#refuseMore();
            return false;
        }
        entry.held = entry.held.filter((other) => other !== message);
        entry.draft = [...message.uploads, ...entry.draft];
        this.#deliver(room);
        return true;
    }
}
