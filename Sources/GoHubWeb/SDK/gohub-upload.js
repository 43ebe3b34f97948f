// One upload: sent in parts, resumed from the hub's offset (Docs/Files.md, "Resuming").
import { refusalOf } from "./gohub-files.js";
import { Emitter, GoHubError, lenient, utf8Length } from "./gohub-support.js";
import { frozen } from "./gohub-view.js";

/** A part should take about a second: small enough to show progress, large enough to justify a request. */
const PART = { minBytes: 65_536, firstBytes: 262_144, maxBytes: 4_194_304, shortMs: 500, longMs: 2_000 };
/** Browsers hash only data that is completely in memory: larger files are sent without a hash. */
const HASHED_BYTES_MAX = 16_777_216;
/** The time constant of the moving average of the speed. */
const SPEED_MS = 4_000;
const CORRECTIONS_MAX = 4;
const ALT_BYTES_MAX = 1_000;
const NAME_BYTES_MAX = 255;
const OVER = new Set(["done", "failed", "cancelled"]);

const aborted = () => new GoHubError("aborted", "The operation was aborted.");

/**
 * The same file in the same room has the same id, so that a reloaded page finds the bytes that the hub already has. The
 * hub compares name, size and type itself; of two different files with one id it refuses the second.
 */
export function idOf(file, room) {
    // FNV-1a of the text, forwards and backwards.
    const text = JSON.stringify([room, file.name, file.size, file.lastModified]);
    const hash = (codes) => codes.reduce((sum, code) => Math.imul(sum ^ code, 0x01000193) >>> 0, 0x811c9dc5);
    const codes = Array.from(text, (character) => character.codePointAt(0));
    const digits = [codes, [...codes].reverse()].map((some) => hash(some).toString(36)).join("");
    return `f-${Number(file.lastModified).toString(36)}-${file.size.toString(36)}-${digits}`;
}

/**
 * Members that begin with `_` are for `Uploads` alone.
 * @typedef {import("./gohub.js").Upload} DeclaredUpload
 * @implements {DeclaredUpload}
 */
export class Upload {
    /** @type {import("./gohub.js").UploadState} */
    state = "waiting";
    error = null;
    file = null;
    sentBytes = 0;
    nextAttemptAt = null;

    /** Attempts in a row without progress; the earliest time of the next attempt. */
    _attempts = 0;
    _notBefore = 0;
    /** The time of the last progress. */
    _movedAt;
    /** The id derived from the file; undefined if the id is random. */
    _id;
    _refusal;

    #world;
    #source;
    #signal;
    #id;
    #emitter = new Emitter();
    #alt = "";
    #settle;
    /** The hub's id of the upload; null until the hub has created it. */
    #place = null;
    /** The hub's offset; null while unknown. */
    #offset = null;
    #furthest = 0;
    #hash = null;
    #partBytes = PART.firstBytes;
    #bytesPerMs = null;
    #corrections = 0;
    #isLost = false;
    /** Whether this upload's last part completed the file, so that no earlier message can have it. */
    #hasMade = false;

    /**
     * `world` is `{ files, agenda, crypto, makeID, stop, begin, isShared }` of `Uploads`. `refusal()` is the error if
     * the room accepts no uploads, else null.
     * @param {any} room
     * @param {any} source
     * @param {import("./gohub.js").UploadOptions & { id?: string, refusal: () => any }} options
     */
    constructor(room, source, { id, name, alt = "", onProgress, signal, refusal }, world) {
        this.room = room;
        this.name = name ?? source.name ?? "file";
        this.size = source.size;
        this.type = /^[\w.+-]+\/[\w.+-]+$/.test(source.type) ? source.type : "application/octet-stream";
        this.alt = alt;
        this.#source = source;
        this.#signal = signal;
        this.#world = world;
        this.#id = id ?? world.makeID();
        this._id = id;
        this._refusal = refusal;
        this._movedAt = world.agenda.now;
        this.#expect();
        if (onProgress) this.on("progress", onProgress);
    }

    /** Makes a new `finished` promise and listens to the signal. */
    #expect() {
        this.finished = lenient(new Promise((resolve, reject) => (this.#settle = { resolve, reject })));
        const signal = this.#signal;
        const cancel = () => this.cancel();
        signal?.addEventListener("abort", cancel);
        this.finished.catch(() => {}).finally(() => signal?.removeEventListener("abort", cancel));
    }

    get alt() {
        return this.#alt;
    }

    set alt(text) {
        if (utf8Length(String(text)) > ALT_BYTES_MAX) {
            throw new GoHubError("too_large", `A description has at most ${ALT_BYTES_MAX} bytes.`);
        }
        this.#alt = String(text);
    }

    get bytesPerSecond() {
        return this.state === "sending" && this.#bytesPerMs !== null ? this.#bytesPerMs * 1_000 : null;
    }

    get secondsLeft() {
        const speed = this.bytesPerSecond;
        return speed ? Math.ceil((this.size - this.sentBytes) / speed) : null;
    }

    get isOver() {
        return OVER.has(this.state);
    }

    /**
     * @param {any} type
     * @param {(event: any) => void} listener
     * @param {import("./gohub.js").ListenOptions} [options]
     */
    on(type, listener, options) {
        return this.#emitter.on(type, listener, options);
    }

    // The page's controls

    pause() {
        if (this.isOver || this.state === "paused") return;
        this.#transition("paused");
        this.#world.stop(this);
    }

    resume() {
        if (this.state === "paused") this.#anew();
    }

    retry() {
        if (this.state === "failed") {
            this.#expect();
            if (this.#signal?.aborted) this.cancel();
            else this.#anew();
        } else if (this.state === "waiting") this.#anew();
    }

    cancel() {
        if (this.state === "done" || this.state === "cancelled") return;
        this.#transition("cancelled");
        this.#world.stop(this);
        this.#settle.reject(aborted());
        if (this.#place !== null) this.#delete(`uploads/${this.#place}`);
    }

    discard() {
        if (this.state !== "done") return this.cancel();
        const path = `files/${this.file.id}`;
        this.file = null;
        this.#transition("cancelled");
        // A file that the hub already had may be in messages that this page has not seen.
        if (this.#hasMade) this.#delete(path);
    }

    /** Deletes without waiting. If the request fails, the hub removes an upload after a day, and a file stays. */
    #delete(path) {
        if (!this.#world.isShared(this)) this.#world.files.request("DELETE", path, {}, () => true).catch(() => {});
    }

    /** The id belongs to another upload: starts again under a random id. */
    _leaveID() {
        this._id = undefined;
        this.#id = this.#world.makeID();
        this.#place = null;
        this.#furthest = 0;
        this.sentBytes = 0;
    }

    #anew() {
        this._attempts = 0;
        this._notBefore = 0;
        this._movedAt = this.#world.agenda.now;
        this.#transition("waiting");
        this.#world.begin(this);
    }

    // State changes

    #transition(state, { error = null, nextAttemptAt = null } = {}) {
        this.error = error;
        this.nextAttemptAt = nextAttemptAt;
        if (state !== "sending") this.#bytesPerMs = null;
        const isOther = state !== this.state;
        this.state = state;
        if (isOther || error) this.#emitter.emit("state", this);
    }

    _wait(options = {}) {
        this.#transition("waiting", options);
    }

    _fail(error) {
        if (this.isOver) return;
        this.#transition("failed", { error });
        this.#settle.reject(error);
    }

    #finish(file) {
        this.file = frozen(fileOf(file));
        this.sentBytes = this.size;
        this.#transition("done");
        this.#emitter.emit("progress", this);
        this.#settle.resolve(this.file);
    }

    /** The hub reports a new offset. */
    #arrived(offset) {
        this.#offset = offset;
        this.sentBytes = offset;
        if (offset > this.#furthest) {
            this.#furthest = offset;
            this._attempts = 0;
            this._movedAt = this.#world.agenda.now;
            this.#corrections = 0;
            this.#isLost = false;
        }
        this.#emitter.emit("progress", this);
    }

    // Requests

    /** Sends until the upload is done, or throws. After the signal is aborted the state does not change. */
    async _run(signal) {
        const isOff = (value) => {
            if (signal.aborted) throw aborted();
            return value;
        };
        const ask = async (method, path, options, read) => (
            isOff(await this.#world.files.request(method, path, { ...options, signal }, read)));
        this.#offset = null;
        while (!this.isOver) {
            isOff(null); // A progress listener may have paused it.
            if (this.#offset === null) {
                this.#transition("checking");
                await (this.#place === null ? this.#begin(signal, isOff) : this.#find(ask));
            } else {
                this.#transition("sending");
                await this.#sendPart(ask, isOff);
            }
        }
    }

    async #begin(signal, isOff) {
        const query = { room: this.room.name, name: this.#shortName, id: this.#id, sha256: await this.#sha256(isOff) };
        const headers = { "Content-Type": this.type, "Upload-Complete": "?0", "Upload-Length": String(this.size) };
        const answer = isOff(await this.#create({ query, headers }, signal));
        if (answer.status === 409 && this._id !== undefined) return this._leaveID();
        if (answer.error) throw answer.error;
        if (answer.isComplete) return this.#finish(answer.body);
        this.#arrived(this.#checked(answer.offset));
    }

    /**
     * Creates the upload on the hub. `pause` and `cancel` do not abort this request: the hub may have created the
     * upload already, and only the response has the id that is needed to delete it.
     */
    async #create(options, signal) {
        const controller = new AbortController();
        const end = () => ["paused", "cancelled"].includes(this.state) || controller.abort();
        signal.addEventListener("abort", end);
        const { signal: ended } = controller;
        const answer = await this.#world.files.request("POST", "files", { ...options, signal: ended }, read);
        if (answer.error || answer.isComplete) return answer;
        this.#place = idIn(answer.location, "uploads");
        if (this.state === "cancelled") this.#delete(`uploads/${this.#place}`);
        return answer;
    }

    /** Requests the offset of an existing upload. */
    async #find(ask) {
        const answer = await ask("HEAD", `uploads/${this.#place}`, {}, read);
        if (answer.status === 404) return this.#lost(answer.error);
        if (answer.error) throw answer.error;
        if (answer.isComplete) return this.#fetchFile(ask, answer.location);
        this.#arrived(this.#checked(answer.offset));
    }

    async #sendPart(ask, isOff) {
        const from = this.#offset;
        const end = Math.min(this.size, from + this.#partBytes);
        const body = isOff(await this.#read(from, end));
        const began = this.#world.agenda.now;
        const headers = {
            "Content-Type": "application/partial-upload", "Upload-Offset": String(from),
            "Upload-Complete": end === this.size ? "?1" : "?0",
        };
        const answer = await ask("PATCH", `uploads/${this.#place}`, { headers, body }, read);
        if (answer.status === 404) return this.#lost(answer.error);
        if (answer.status === 410) return this.#fetchFile(ask, answer.location);
        if (answer.status === 409 && answer.offset !== null && this.#corrections < CORRECTIONS_MAX) {
            this.#corrections += 1;
            return this.#arrived(this.#checked(answer.offset));
        }
        if (answer.error) throw answer.error;
        this.#measure(end - from, Math.max(1, this.#world.agenda.now - began));
        if (answer.isComplete) {
            this.#hasMade = true;
            return this.#finish(answer.body);
        }
        const offset = this.#checked(answer.offset);
        if (offset <= from) throw new GoHubError("internal", "The hub stored nothing of a part.");
        this.#arrived(offset);
    }

    /** The hub no longer has the upload. Starts again, at most once without progress. */
    #lost(error) {
        this.#place = null;
        this.#offset = null;
        if (this.#isLost) throw error;
        this.#isLost = true;
    }

    async #fetchFile(ask, location) {
        const id = idIn(location, "files");
        const answer = await ask("GET", `files/${id}/info`, {}, read);
        if (answer.status === 404) return this.#lost(answer.error);
        if (answer.error) throw answer.error;
        this.#finish(answer.body);
    }

    #checked(offset) {
        if (offset === null || offset > this.size) throw new GoHubError("internal", "The hub did not report the upload's offset.");
        return offset;
    }

    /** The name, shortened to keep the request short. The extension is kept, as the hub does when it shortens names. */
    get #shortName() {
        const [extension] = /\.[^./\\]{1,15}$/.exec(this.name) ?? [""];
        let stem = this.name.slice(0, this.name.length - extension.length).slice(0, NAME_BYTES_MAX);
        while (utf8Length(stem + extension) > NAME_BYTES_MAX) stem = stem.slice(0, -1);
        return stem + extension;
    }

    // The bytes

    async #read(from, end) {
        try {
            const bytes = await this.#source.slice(from, end).arrayBuffer();
            if (bytes.byteLength === end - from) return new Uint8Array(bytes);
        } catch (cause) {
            throw new GoHubError("unreadable", "The file cannot be read. It was moved or changed.", { cause });
        }
        throw new GoHubError("unreadable", "The file became shorter during the upload.");
    }

    /** The hash in hexadecimal digits; undefined if the file is too large or the page has no `crypto.subtle`. */
    async #sha256(isOff) {
        const { subtle } = this.#world.crypto;
        if (!subtle || this.size > HASHED_BYTES_MAX) return undefined;
        this.#hash ??= new Uint8Array(await subtle.digest("SHA-256", isOff(await this.#read(0, this.size))));
        return isOff(Array.from(this.#hash, (byte) => byte.toString(16).padStart(2, "0")).join(""));
    }

    #measure(bytes, ms) {
        const bytesPerMs = bytes / ms;
        const weight = 1 - Math.exp(-ms / SPEED_MS);
        this.#bytesPerMs = this.#bytesPerMs === null ? bytesPerMs : this.#bytesPerMs + (bytesPerMs - this.#bytesPerMs) * weight;
        if (ms < PART.shortMs) this.#partBytes = Math.min(PART.maxBytes, this.#partBytes * 2);
        if (ms > PART.longMs) this._shorten();
    }

    _shorten() {
        this.#partBytes = Math.max(PART.minBytes, this.#partBytes / 2);
    }
}

/** Reads a response about an upload. */
async function read(response) {
    const digits = response.headers.get("upload-offset") ?? "";
    const { status } = response;
    const isComplete = response.headers.get("upload-complete") === "?1";
    return {
        status, isComplete, offset: /^\d{1,15}$/.test(digits) ? Number(digits) : null,
        location: response.headers.get("location"),
        error: response.ok ? null : await refusalOf(response),
        body: response.ok && status !== 204 && /^application\/json\b/.test(response.headers.get("content-type") ?? "")
            ? await response.json() : null,
    };
}

/** The id at the end of a `Location`. Only the id is used, so that no response can send the token elsewhere. */
function idIn(location, folder) {
    const id = new RegExp(`/v1/${folder}/([A-Za-z0-9_-]{1,64})$`).exec(location ?? "")?.[1];
    if (id === undefined) throw new GoHubError("internal", "The hub did not report the upload's address.");
    return id;
}

/** A file's description in the form that messages have. */
function fileOf(told) {
    if (typeof told?.id !== "string") throw new GoHubError("internal", "The hub did not report the file's id.");
    const { id, name, type, size, image } = told;
    const { width, height, placeholder, preview } = image ?? told;
    return { id, name, type, size, width, height, placeholder, preview: preview || undefined };
}
