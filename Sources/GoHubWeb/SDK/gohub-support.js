// Helpers of the SDK's other files: errors, events, time, ids, and the environment.

/** Error codes after which the same command may succeed later. */
const RETRYABLE = new Set([
    "rate_limited", "unavailable", "conflict", "internal", "timeout", "disconnected", "outbox_full", "token_failed",
]);
/** Browser timers are limited to 2³¹ ms; a timer that fires early is set again. */
const TIMER_MAX_MS = 3_600_000;
const BACKOFF = { minMs: 500, firstMs: 2_000, maxMs: 10_000 };

/** @typedef {import("./gohub.js").GoHubError} DeclaredError */

/** @implements {DeclaredError} */
export class GoHubError extends Error {
    /**
     * @param {string} code
     * @param {string} message
     * @param {{ retryAfterMs?: number, room?: string, cause?: unknown }} options
     */
    constructor(code, message, { retryAfterMs, room, cause } = {}) {
        super(message);
        this.name = "GoHubError";
        this.code = code;
        this.retryable = RETRYABLE.has(code) || retryAfterMs !== undefined;
        this.retryAfterMs = retryAfterMs;
        this.room = room;
        if (cause !== undefined) this.cause = cause;
    }

    /** Makes an error from the hub's `error` event. */
    static of(event, room) {
        const { code = "internal", message = code, retryAfterMs } = event;
        return new GoHubError(String(code), String(message), { retryAfterMs, room });
    }
}

/** Listeners by type. If a listener throws, the others are still called and the error becomes an uncaught error. */
export class Emitter {
    #listeners = new Map();

    /**
     * @param {any} type
     * @param {(event: any) => void} listener
     * @param {import("./gohub.js").ListenOptions} options
     */
    on(type, listener, { signal } = {}) {
        if (typeof listener !== "function") throw new TypeError("on(type, listener): the listener is not a function");
        if (signal?.aborted) return () => {};
        const listeners = this.#listeners.get(type) ?? new Set();
        this.#listeners.set(type, listeners);
        const entry = { listener };
        listeners.add(entry);
        const off = () => {
            listeners.delete(entry);
            signal?.removeEventListener("abort", off);
        };
        signal?.addEventListener("abort", off);
        return off;
    }

    emit(type, event) {
        for (const { listener } of [...(this.#listeners.get(type) ?? [])]) tell(listener, event);
    }
}

/** Calls a listener. An error it throws becomes an uncaught error of the page and does not stop the caller. */
export function tell(listener, event) {
    try {
        listener(event);
    } catch (error) {
        queueMicrotask(() => {
            throw error;
        });
    }
}

/**
 * Tasks by time, with one timer for all. Timers are suspended with the device or the tab, so the agenda compares times:
 * `run` runs all due tasks, no matter who calls it. Its clock is the system's, but never goes back.
 */
export class Agenda {
    #environment;
    #tasks = new Set();
    #timer = null;
    #armedFor = Infinity;
    #last = -Infinity;
    #ahead = 0;

    constructor(environment) {
        this.#environment = environment;
    }

    get now() {
        const now = this.#environment.now() + this.#ahead;
        if (now >= this.#last) return (this.#last = now);
        this.#ahead += this.#last - now;
        return this.#last;
    }

    /** Converts a time of the agenda to the system's clock. */
    onClock(time) {
        return time - this.#ahead;
    }

    /** Runs a task at a time. Returns a function that cancels it. */
    at(time, run) {
        const task = { time, run };
        this.#tasks.add(task);
        if (time < this.#armedFor) this.#arm(time);
        return () => {
            // A timer without tasks would keep a process from ending.
            if (this.#tasks.delete(task) && this.#tasks.size === 0) this.#arm(Infinity);
        };
    }

    after(delayMs, run) {
        return this.at(this.now + delayMs, run);
    }

    get isLate() {
        return this.#armedFor <= this.now;
    }

    run() {
        const now = this.now;
        const due = [...this.#tasks].filter((task) => task.time <= now).sort((one, other) => one.time - other.time);
        for (const task of due) if (this.#tasks.delete(task)) task.run();
        let next = Infinity;
        for (const task of this.#tasks) next = Math.min(next, task.time);
        this.#arm(next);
    }

    #arm(time) {
        if (this.#timer !== null) this.#environment.clearTimeout(this.#timer);
        this.#timer = null;
        this.#armedFor = time;
        if (time === Infinity) return;
        const delayMs = Math.min(TIMER_MAX_MS, Math.max(0, time - this.now));
        this.#timer = this.#environment.setTimeout(() => {
            this.#timer = null;
            this.#armedFor = Infinity;
            this.run();
        }, delayMs);
    }
}

/**
 * A promise that always settles: by `resolve` or `reject`, by its signal, or by its timeout. `ended` is called once in
 * each case.
 */
export class Wait {
    /**
     * @param {Agenda} agenda
     * @param {import("./gohub.js").WaitOptions} options
     */
    constructor(agenda, { signal, timeoutMs } = {}, ended = () => {}) {
        this.isOver = false;
        this.promise = new Promise((resolve, reject) => {
            const over = (settle) => (value) => {
                if (this.isOver) return;
                this.isOver = true;
                cancel?.();
                signal?.removeEventListener("abort", aborted);
                ended();
                settle(value);
            };
            this.resolve = over(resolve);
            this.reject = over(reject);
            const aborted = () => this.reject(new GoHubError("aborted", "The operation was aborted.", { cause: signal.reason }));
            const late = () => this.reject(new GoHubError("timeout", `The hub did not answer within ${timeoutMs / 1_000} s.`));
            const cancel = timeoutMs === undefined || timeoutMs === Infinity ? null : agenda.after(timeoutMs, late);
            if (signal?.aborted) aborted();
            else signal?.addEventListener("abort", aborted);
        });
    }
}

/** The delay before the next attempt: full jitter between a minimum and a doubling maximum, or inside a window. */
export function backoffMs(random, attempts, window = undefined) {
    const ceilingMs = Math.min(BACKOFF.maxMs, BACKOFF.firstMs * 2 ** Math.min(attempts, 10));
    const { min, max } = window ?? { min: BACKOFF.minMs, max: ceilingMs };
    return min + random() * Math.max(0, max - min);
}

/** Marks a promise's rejection as handled: the failure also shows elsewhere. */
export function lenient(promise) {
    promise.catch(() => {});
    return promise;
}

/**
 * The earlier list if the later one has the same elements in the same order, else the later one, frozen. A getter that
 * uses it returns an identical (`===`) list while nothing has changed.
 */
export function steady(earlier, later) {
    const isSame = earlier.length === later.length && later.every((element, index) => element === earlier[index]);
    return isSame ? earlier : Object.freeze(later);
}

const encoder = new TextEncoder();

export function utf8Length(text) {
    return encoder.encode(text).length;
}

/** 128 random bits: an idempotency key must be unique over all devices of the user. */
export function makeID(crypto) {
    const bytes = new Uint8Array(16);
    crypto.getRandomValues(bytes);
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * The name of a direct room: both ids in the order of their code points (the same as of their UTF-8 bytes), with `%`
 * and `:` escaped.
 * @param {string} one
 * @param {string} other
 */
export function directRoom(one, other) {
    const escape = (id) => id.replace(/%/g, "%25").replace(/:/g, "%3A");
    const [first, second] = compareCodePoints(one, other) < 0 ? [one, other] : [other, one];
    return `dm:${escape(first)}:${escape(second)}`;
}

function compareCodePoints(one, other) {
    const [left, right] = [Array.from(one), Array.from(other)];
    for (let index = 0; index < Math.min(left.length, right.length); index++) {
        const difference = left[index].codePointAt(0) - right[index].codePointAt(0);
        if (difference !== 0) return difference;
    }
    return left.length - right.length;
}

/**
 * @param {string} room
 * @param {string} user
 * @returns {string | null}
 */
export function otherUser(room, user) {
    if (!room.startsWith("dm:")) return null;
    const unescape = (id) => id.replace(/%(25|3A)/g, (code) => (code === "%25" ? "%" : ":"));
    const users = room.slice(3).split(":").map(unescape);
    return users.find((id) => id !== user) ?? user;
}

/** The browser's features, as far as this runtime has them. */
export function defaultEnvironment() {
    const world = /** @type {any} */ (globalThis);
    return {
        WebSocket: world.WebSocket,
        crypto: world.crypto,
        fetch: (url, init) => world.fetch(url, init),
        now: () => Date.now(),
        random: () => Math.random(),
        setTimeout: (callback, delayMs) => setTimeout(callback, delayMs),
        clearTimeout: (handle) => clearTimeout(handle),
        isOnline: () => world.navigator?.onLine !== false,
        observe: observeWorld,
    };
}

function observeWorld(callback) {
    const world = /** @type {any} */ (globalThis);
    const ends = [];
    const watch = (target, type, event) => {
        const listener = () => callback(event);
        target.addEventListener(type, listener);
        ends.push(() => target.removeEventListener(type, listener));
    };
    if (typeof world.addEventListener === "function") {
        for (const type of ["online", "offline"]) watch(world, type, type);
        for (const type of ["focus", "pageshow"]) watch(world, type, "awake");
    }
    if (world.document) for (const type of ["visibilitychange", "resume"]) watch(world.document, type, "awake");
    return () => ends.splice(0).forEach((end) => end());
}

const DEVICE_KEY = "gohub.device";
const devicesInUse = new Set();

/**
 * A device id that no other tab uses, kept with the tab over reloads. A duplicated tab has its original's id; a browser
 * lock detects that, and the tab gets a new id.
 */
export async function claimDevice(crypto) {
    const world = /** @type {any} */ (globalThis);
    const storage = world.document ? storageOf(world) : null;
    const isFirst = devicesInUse.size === 0;
    const known = read(storage);
    const release = known === null ? null : await take(world, known);
    if (known !== null && release) return { id: known, release };
    const id = `web-${makeID(crypto)}`;
    // Only the page's first id is stored.
    if (isFirst) write(storage, id);
    return { id, release: (await take(world, id)) ?? (() => {}) };
}

/** Claims an id in this page and, if the browser has locks, among all tabs. Resolves to its release, or null. */
async function take(world, id) {
    if (devicesInUse.has(id)) return null;
    devicesInUse.add(id);
    const unlock = await lockDevice(world, id);
    if (!unlock) devicesInUse.delete(id);
    return unlock && (() => (devicesInUse.delete(id), unlock()));
}

/** Resolves to the lock's release; to null if another tab has the lock. Without locks every caller succeeds. */
function lockDevice(world, id) {
    const locks = world.document && world.navigator?.locks;
    if (!locks) return Promise.resolve(() => {});
    return new Promise((resolve) => {
        const held = (lock) => (lock ? new Promise((release) => resolve(() => release())) : resolve(null));
        locks.request(`gohub.device.${id}`, { ifAvailable: true }, held).catch(() => resolve(() => {}));
    });
}

function storageOf(world) {
    try {
        return world.sessionStorage ?? null;
    } catch {
        return null; // Storage is forbidden.
    }
}

function read(storage) {
    try {
        const id = storage?.getItem(DEVICE_KEY);
        return typeof id === "string" && /^[\x21-\x7e]{1,64}$/.test(id) ? id : null;
    } catch {
        return null;
    }
}

function write(storage, id) {
    try {
        storage?.setItem(DEVICE_KEY, id);
    } catch {
        // The storage is full: the id lasts as long as the page.
    }
}
