// The files to be sent, by room: those of the message being written, and messages that wait for theirs.
import { announce } from "./dom.js";

export const FILES_MAX = 10;

/** A file that was chosen twice may be one with the hub, and a message has each once. */
const once = (uploads) => [...new Map(uploads.map((upload) => [upload.file.id, upload])).values()];

export class Attachments extends EventTarget {
    #chat;
    /** By room: `{ draft: [upload], held: [{ text, replyTo, uploads }] }`; neither has more than a message may have. */
    #rooms = new Map();
    #send;
    /** The message that waits and is being written into, in its files' descriptions. */
    #kept = null;

    /** `send(room, message, uploads)` is what becomes of a message whose files are there; false if it isn't taken. */
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

    /** Rooms that were left take what was meant for them along. */
    #sweep() {
        for (const room of this.#rooms.keys()) {
            if (this.#chat.hub?.openRooms.includes(room)) continue;
            this.#rooms.delete(room);
            this.#changed();
        }
    }

    /** Something would be lost with the page. */
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
        // One that was refused at once had nobody to tell yet.
        for (const upload of uploads) if (upload.isOver) this.#turned(room, upload);
        this.#changed();
    }

    /** The room's, to be changed. Its status is heard of from the first time on. */
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
        // Once for all: who listens isn't told of each.
        if (upload.state === "done" && draft.includes(upload) && draft.every(({ state }) => state === "done")) {
            announce(draft.length === 1 ? "The file is there" : "All files are there");
        }
        this.#deliver(room);
    }

    /** Takes a file out, wherever it is; nobody but this page knows of it, unless it was sent before. */
    remove(room, upload) {
        const entry = this.of(room);
        entry.draft = entry.draft.filter((other) => other !== upload);
        for (const message of entry.held) message.uploads = message.uploads.filter((other) => other !== upload);
        entry.held = entry.held.filter(({ text, uploads }) => text || uploads.length);
        // It may have been all that its message waited for.
        this.#kept = null;
        if (this.#isNeeded(room, upload.file)) upload.cancel();
        else upload.discard();
        this.#deliver(room);
    }

    /** The same file may have been chosen twice, or be in a message already. */
    #isNeeded(room, file) {
        if (!file) return false;
        const { draft, held } = this.of(room);
        const chosen = [...draft, ...held.flatMap(({ uploads }) => uploads)].map((upload) => upload.file);
        const said = room.messages.flatMap(({ files }) => files);
        return [...chosen, ...said].some((other) => other?.id === file.id);
    }

    /** The message that is written is to be sent, with its files: now, or as soon as they are there. */
    post(room, { text, replyTo }) {
        const entry = this.#entryOf(room);
        const message = { text, replyTo, uploads: entry.draft };
        entry.draft = [];
        entry.held.push(message);
        this.#deliver(room);
        if (entry.held.includes(message)) announce("The message is sent when its files are there");
    }

    /** Sends what was held up, in its order: none overtakes one before it. What isn't taken waits for a change. */
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

    /** A message that waits is written again; false if it went meanwhile, or has too many files for that. */
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
