// All uploads of a client: a few at a time, while there is a connection, with a backoff after failures.
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
    /** Unfinished uploads, in order. */
    #uploads = new Set();
    /** Running uploads, each with the controller that aborts its run. */
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

    /** Starts an upload that is new, was paused, or has failed. */
    #begin(upload) {
        if (!this.#uploads.has(upload)) {
            const isFull = this.#uploads.size >= UPLOADS_MAX;
            const full = () => new GoHubError("outbox_full", "Too many files are waiting to be sent.");
            const refusal = upload._refusal() ?? (isFull ? full() : null);
            if (refusal) return upload._fail(refusal);
            // Two uploads with one id would take the hub's upload from each other.
            if (this.#isShared(upload)) upload._leaveID();
            this.#uploads.add(upload);
        }
        this.#flush();
    }

    /** Whether another upload of the same file uses the same upload on the hub. */
    #isShared(upload) {
        const isOther = (other) => other !== upload && !other.isOver && other._id === upload._id;
        return upload._id !== undefined && [...this.#uploads].some(isOther);
    }

    /** The upload was paused or cancelled. */
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

    /** A connection is welcomed: all uploads continue without delay. */
    opened() {
        this.#isOpen = true;
        for (const upload of this.#uploads) {
            upload._notBefore = 0;
            upload.nextAttemptAt = null;
        }
        this.#flush();
    }

    /** The connection was lost: requests under way most likely fail as well. */
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
