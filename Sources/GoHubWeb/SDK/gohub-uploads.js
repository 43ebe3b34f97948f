// All uploads of a hub: a few at a time, while there is a connection, and again after a while where one has failed.
import { GoHubError, backoffMs, makeID } from "./gohub-support.js";
import { Upload, idOf } from "./gohub-upload.js";

const AT_A_TIME = 2;
const UPLOADS_MAX = 200;
/** The hub forgets an upload a day after its last byte. */
const STANDSTILL_MAX_MS = 23 * 3_600_000;

export class Uploads {
    #agenda;
    #environment;
    #world;
    /** Those that aren't over, in their order. */
    #uploads = new Set();
    /** What ends their run, of those that are at it. */
    #running = new Map();
    #isOpen = false;
    #cancelFlush = null;

    constructor(agenda, environment, files) {
        this.#agenda = agenda;
        this.#environment = environment;
        this.#world = {
            agenda, files, crypto: environment.crypto, makeID: () => makeID(environment.crypto),
            stop: (upload) => this.#stop(upload), begin: (upload) => this.#begin(upload),
            isShared: (upload) => this.#isShared(upload),
        };
    }

    /**
     * @param {any} source
     * @param {import("./gohub.js").UploadOptions} options
     */
    add(room, source, options = {}, refusal = () => null) {
        const { signal, name } = options;
        if (typeof source?.slice !== "function" || !Number.isSafeInteger(source.size)) {
            throw new TypeError("upload(file): the file must be a File or a Blob");
        }
        const isNamed = typeof source.name === "string" && Number.isFinite(source.lastModified);
        const { size, lastModified } = source;
        const id = isNamed ? idOf({ name: name ?? source.name, size, lastModified }, room.name) : undefined;
        const upload = new Upload(room, source, { ...options, id, refusal }, this.#world);
        if (signal?.aborted) upload.cancel();
        else this.#begin(upload);
        return upload;
    }

    /** One that is new, was paused, or had failed. */
    #begin(upload) {
        if (!this.#uploads.has(upload)) {
            const isFull = this.#uploads.size >= UPLOADS_MAX;
            const full = () => new GoHubError("outbox_full", "Too many files are waiting to be sent.");
            const refusal = upload._refusal() ?? (isFull ? full() : null);
            if (refusal) return upload._fail(refusal);
            // Twice at a time, each would take the upload from the other.
            if (this.#isShared(upload)) upload._leaveID();
            this.#uploads.add(upload);
        }
        this.#flush();
    }

    /** Whether what the hub has of it is also another's, of the same file. */
    #isShared(upload) {
        const isOther = (other) => other !== upload && !other.isOver && other._id === upload._id;
        return upload._id !== undefined && [...this.#uploads].some(isOther);
    }

    /** It was paused or given up. */
    #stop(upload) {
        this.#end(upload);
        if (upload.isOver) this.#uploads.delete(upload);
        this.#flush();
    }

    #end(upload) {
        const controller = this.#running.get(upload);
        this.#running.delete(upload);
        controller?.abort();
    }

    #flush() {
        this.#cancelFlush?.();
        this.#cancelFlush = null;
        if (!this.#isOpen) return;
        const now = this.#agenda.now;
        let next = Infinity;
        for (const upload of [...this.#uploads]) {
            if (this.#running.size >= AT_A_TIME) return;
            if (upload.state !== "waiting" || this.#running.has(upload)) continue;
            if (upload._notBefore > now) next = Math.min(next, upload._notBefore);
            else this.#run(upload);
        }
        if (next < Infinity) this.#cancelFlush = this.#agenda.at(next, () => this.#flush());
    }

    #run(upload) {
        const controller = new AbortController();
        this.#running.set(upload, controller);
        const isWanted = () => this.#running.get(upload) === controller;
        const over = (error) => {
            if (!isWanted()) return;
            this.#running.delete(upload);
            if (error) this.#failed(upload, error);
            if (upload.isOver) this.#uploads.delete(upload);
            this.#flush();
        };
        upload._run(controller.signal).then(() => over(null), over);
    }

    #failed(upload, error) {
        if (error.code === "timeout") upload._shorten();
        const now = this.#agenda.now;
        if (!error.retryable || now - upload._movedAt > STANDSTILL_MAX_MS) return upload._fail(error);
        upload._notBefore = now + (error.retryAfterMs ?? 0) + backoffMs(this.#environment.random, upload._attempts++);
        upload._wait({ error, nextAttemptAt: this.#agenda.onClock(upload._notBefore) });
    }

    // The connection's events

    /** There is one: all go on at once. */
    opened() {
        this.#isOpen = true;
        for (const upload of this.#uploads) {
            upload._notBefore = 0;
            upload.nextAttemptAt = null;
        }
        this.#flush();
    }

    /** It is gone, and with it most likely what is on its way. */
    closed() {
        this.#isOpen = false;
        this.#cancelFlush?.();
        this.#cancelFlush = null;
        for (const upload of [...this.#running.keys()]) {
            this.#end(upload);
            upload._wait();
        }
    }

    fail(error, isMeant = (_upload) => true) {
        for (const upload of [...this.#uploads].filter(isMeant)) {
            this.#end(upload);
            this.#uploads.delete(upload);
            upload._fail(error);
        }
        this.#flush();
    }
}
