// GoHub's client SDK: one connection that reports its state, reconnects by itself, and does not lose, repeat or reorder
// messages. It has no dependencies and needs no build. Usage: Docs/SDK.md. Protocol: Docs/Protocol.md.
import { Files } from "./gohub-files.js";
import { Outbox } from "./gohub-outbox.js";
import { Room } from "./gohub-room.js";
import {
    Agenda, Emitter, GoHubError, Wait, backoffMs, claimDevice, defaultEnvironment, directRoom, lenient, makeID, otherUser, steady,
} from "./gohub-support.js";
import { Uploads } from "./gohub-uploads.js";
import { toMessage } from "./gohub-view.js";

export { GoHubError, directRoom, otherUser };

/** A connection that lasted this long was stable: the backoff starts again at its shortest delay. */
const STABLE_MS = 5_000;
/** After a shorter connection that was welcomed, the delay is at most that of the second attempt. */
const ATTEMPTS_AFTER_WELCOME_MAX = 1;
/** From the start of a connection attempt to `welcome`. */
const WELCOME_TIMEOUT_MS = 15_000;
const HEARTBEAT_GRACE_MS = 10_000;
const TOKEN_TIMEOUT_MS = 15_000;
/** The lead of a token refresh before expiry; a quarter of the remaining time if shorter. Jitter up to doubles it. */
const REFRESH_LEAD_MS = 60_000;
/** The hub accepts six refreshes a minute. */
const REFRESH_EVERY_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
const HISTORY_MESSAGES = 50;
const ROOM_PAGES_MAX = 1_000;
const ROOM_PAGE = 100;
/** Maximum rooms left without a connection: more than a user may be in. */
const LEFT_MAX = 1_000;
const OPEN = 1;
const RECONNECTING_CODES = new Set([1001, 1005, 1006, 1011, 1012, 1013, 1014]);

/** Whether to reconnect after a close with this code. */
function comesBack(code) {
    return RECONNECTING_CODES.has(code) || (code >= 4000 && code <= 4499);
}

function causeOf(code) {
    if (code === 1000) return "ended";
    if (code === 4500) return "replaced";
    if (code === 4003 || code === 4501) return "unauthorized";
    return code === 4504 ? "removed" : "refused";
}

/** The WebSocket's URL, derived from the hub's URL. */
function socketURL(given) {
    const page = globalThis.location?.href;
    if (given === undefined && page === undefined) throw new TypeError("GoHub: the hub's address is missing: new GoHub({ url: … })");
    let url;
    try {
        url = given === undefined ? new URL("/", page) : new URL(String(given), page);
    } catch {
        throw new TypeError(`GoHub: url is not a valid URL: ${given}`);
    }
    url.protocol = url.protocol.replace(/^http/, "ws");
    if (!/^wss?:$/.test(url.protocol)) throw new TypeError("GoHub: url must begin with https, http, wss or ws");
    if (!/\/ws$/.test(url.pathname)) url.pathname = `${url.pathname.replace(/\/$/, "")}/v1/ws`;
    url.hash = "";
    return url.href;
}

/**
 * @typedef {import("./gohub.js").GoHub} DeclaredGoHub
 * @implements {DeclaredGoHub}
 */
export class GoHub {
    #url;
    #options;
    #environment;
    #agenda;
    #emitter = new Emitter();
    #outbox;
    #files;
    #uploads;
    #rooms = new Map();
    #openRooms = Object.freeze([]);
    /** Rooms left without a connection; `leave` follows the next `welcome`. The value: whether that is under way. */
    #left = new Map();
    #facade;
    /** @type {import("./gohub.js").HubState} */
    #state = Object.freeze({ name: "closed", cause: "new", reason: "not connected yet" });
    #connects = new Set();
    // Identity
    #device = null;
    #claim = null;
    #token = null;
    /** On the hub's clock; 0 until the hub has accepted the token. */
    #tokenEndsAt = 0;
    #tokenReason = "connect";
    #abortToken = null;
    #user = null;
    #displayName = null;
    #tenant = null;
    #limits = null;
    #clockAhead = 0;
    // The connection
    #stopObserving = null;
    /** Identifies the current connection attempt; an attempt that finds another one here stops. */
    #attempt = null;
    #socket = null;
    /** Failed attempts in a row. */
    #attempts = 0;
    #heardAt = 0;
    #watchdogMs = WELCOME_TIMEOUT_MS;
    #cancelWatchdog = null;
    #cancelRetry = null;
    #cancelRefresh = null;
    #refreshing = null;
    #refreshFailures = 0;
    #welcomedAt = null;
    #drainWindow = null;
    #lastError = null;

    /** @param {import("./gohub.js").GoHubOptions} options */
    constructor(options = {}) {
        this.#options = { messagesMax: 1_000, ...options };
        this.#environment = { ...defaultEnvironment(), ...options.environment };
        this.#url = socketURL(options.url);
        this.#device = options.device ?? null;
        if (typeof this.#environment.WebSocket !== "function") {
            throw new TypeError("GoHub: WebSocket is not available. Pass it: new GoHub({ environment: { WebSocket } })");
        }
        if (!this.#environment.crypto) {
            throw new TypeError("GoHub: crypto is not available. Pass webcrypto of node:crypto as environment.crypto");
        }
        this.#agenda = new Agenda(this.#environment);
        const { outbox, outboxCommandsMax: commandsMax = 1_000, outboxBytesMax: bytesMax = 1_048_576 } = options;
        this.#outbox = new Outbox(this.#agenda, {
            write: (fields) => this.#write(fields),
            canSend: (fields) => this.#canSend(fields),
            restored: (fields, since) => this.#open(fields.room)._restored(fields, since),
            storage: outbox === "memory" ? null : outbox,
            storageFailed: (error) => this.#emitter.emit("error", error),
            commandsMax, bytesMax,
        });
        this.#files = new Files(this.#agenda, {
            base: this.#url.replace(/^ws/, "http").replace(/(\/v1)?\/ws(\?.*)?$/, ""),
            fetch: this.#environment.fetch,
            who: () => (this.#options.token ? { token: this.#token } : { user: this.#options.user ?? this.#user }),
            renew: (token) => this.#renew(token),
            ready: (options) => this.#whenWelcomed(options),
            now: () => this.serverNow,
        });
        this.#uploads = new Uploads(this.#agenda, this.#environment, this.#files);
        this.#facade = this.#makeFacade();
    }

    /** The part of the client that rooms may use. */
    #makeFacade() {
        return {
            agenda: this.#agenda,
            messagesMax: this.#options.messagesMax,
            makeID: () => makeID(this.#environment.crypto),
            user: () => this.#user,
            displayName: () => this.#displayName,
            limits: () => this.#limits,
            serverNow: () => this.serverNow,
            isConnected: () => this.#isWelcomed,
            pageSize: (count) => Math.min(Math.max(0, Math.floor(count)), this.#limits?.pageMessages ?? HISTORY_MESSAGES),
            refusal: () => this.#closedError(),
            command: (fields, options) => this.#outbox.add(fields, options),
            outboxRefusal: (fields) => this.#outbox.refusal(fields),
            settle: (id, reply) => this.#outbox.settle(id, reply),
            fail: (room, error) => {
                this.#outbox.fail(error, (fields) => fields.room === room);
                this.#uploads.fail(error, (upload) => upload.room.name === room);
            },
            upload: (room, file, options, refusal) => this.#uploads.add(room, file, options, refusal),
            flush: () => this.#outbox.flush(),
            say: (fields) => this.#isWelcomed && this.#outbox.spend() && this.#write(fields),
            forget: (room) => this.#forget(room),
            leaveLater: (name) => this.#left.size < LEFT_MAX && !this.#rooms.has(name) && this.#left.set(name, false),
            emit: (type, event) => this.#emitter.emit(type, event),
        };
    }

    /**
     * @param {any} type
     * @param {(event: any) => void} listener
     * @param {import("./gohub.js").ListenOptions} [options]
     */
    on(type, listener, options) {
        return this.#emitter.on(type, listener, options);
    }

    // State

    get state() {
        // Timers may be suspended. The state must be current: run the overdue ones.
        if (this.#agenda.isLate) this.#agenda.run();
        return this.#state;
    }

    get user() {
        return this.#user;
    }

    get displayName() {
        return this.#displayName;
    }

    get tenant() {
        return this.#tenant;
    }

    get device() {
        return this.#device;
    }

    get limits() {
        return this.#limits;
    }

    get serverNow() {
        return this.#environment.now() + this.#clockAhead;
    }

    get openRooms() {
        this.#openRooms = steady(this.#openRooms, [...this.#rooms.values()]);
        return this.#openRooms;
    }

    room(name) {
        return this.#rooms.get(name);
    }

    // Connecting

    /** @param {import("./gohub.js").WaitOptions} options */
    connect({ signal, timeoutMs = REQUEST_TIMEOUT_MS } = {}) {
        const { name } = this.state;
        if (this.#isWelcomed) return Promise.resolve();
        if (name === "closed") this.#attempts = 0;
        this.#stopObserving ??= this.#environment.observe((event) => this.#observed(event));
        const wait = new Wait(this.#agenda, { signal, timeoutMs }, () => this.#connects.delete(wait));
        if (!wait.isOver) {
            this.#connects.add(wait);
            if (name !== "connecting") this.#start();
        }
        return lenient(wait.promise);
    }

    close() {
        this.#end("ended", "closed by the page", 1000);
        this.#outbox.clear();
        this.#endWork(new GoHubError("closed", "closed by the page"));
        this.#left.clear();
        this.#claim?.release();
        if (this.#claim) this.#device = null;
        this.#claim = null;
        this.#token = null;
        this.#tokenReason = "connect";
    }

    /** Fails all commands and uploads, and clears the links of files. */
    #endWork(error) {
        this.#outbox.fail(error);
        this.#uploads.fail(error);
        this.#files.clear();
    }

    get #isWelcomed() {
        return this.#state.name === "connected" || this.#state.name === "draining";
    }

    async #start() {
        const attempt = {};
        this.#transition(() => {
            this.#attempt = attempt;
            this.#drainWindow = null;
            this.#lastError = null;
            this.#watch(WELCOME_TIMEOUT_MS);
            return { name: "connecting" };
        });
        if (attempt !== this.#attempt) return;
        if (this.#device === null) {
            const claim = await claimDevice(this.#environment.crypto);
            if (attempt !== this.#attempt) return claim.release();
            this.#claim = claim;
            this.#device = claim.id;
        }
        // An accepted token is used again, so that after an outage not every client fetches one at once.
        if (this.#options.token && this.#tokenEndsAt - this.serverNow <= REFRESH_LEAD_MS) {
            try {
                const token = await this.#fetchToken(this.#tokenReason);
                if (attempt !== this.#attempt) return;
                this.#token = token;
                this.#tokenEndsAt = 0;
            } catch (error) {
                if (attempt !== this.#attempt) return;
                this.#emitter.emit("tokenerror", error);
                return attempt === this.#attempt && this.#retry(`no token: ${error.message}`);
            }
        }
        this.#openSocket(attempt);
    }

    #openSocket(attempt) {
        let socket;
        try {
            socket = new this.#environment.WebSocket(this.#url, ["gohub.v1"]);
        } catch (error) {
            return this.#end("refused", `the connection cannot be opened: ${error.message}`);
        }
        this.#socket = socket;
        this.#watch(WELCOME_TIMEOUT_MS);
        const { user, token } = this.#options;
        const who = token ? { token: this.#token } : user !== undefined ? { user } : {};
        const whileWanted = (run) => (event) => attempt === this.#attempt && run(event);
        socket.onopen = whileWanted(() => this.#write({ op: "hello", device: this.#device, ...who }));
        socket.onmessage = whileWanted(({ data }) => this.#received(data));
        socket.onclose = whileWanted(({ code, reason }) => this.#closed(code ?? 1006, reason ?? ""));
        socket.onerror = () => {}; // `close` follows.
    }

    /**
     * Drops the connection and changes the state; later events of the socket are ignored. Listeners are called once the
     * client and all rooms are in the new state.
     */
    #transition(next) {
        if (this.#welcomedAt !== null) {
            const isStable = this.#agenda.now - this.#welcomedAt >= STABLE_MS;
            this.#attempts = isStable ? 0 : Math.min(this.#attempts, ATTEMPTS_AFTER_WELCOME_MAX);
        }
        this.#welcomedAt = null;
        this.#attempt = null;
        const socket = this.#socket;
        this.#socket = null;
        for (const cancel of [this.#cancelRetry, this.#cancelWatchdog, this.#cancelRefresh]) cancel?.();
        const state = (this.#state = Object.freeze(next()));
        this.#abortToken?.();
        try {
            socket?.close(1000);
        } catch {
            // The socket never opened.
        }
        for (const room of [...this.#rooms.values()]) room._disconnected();
        this.#outbox.closed();
        this.#uploads.closed();
        // A listener of a room may have connected or closed.
        if (state === this.#state) this.#emitter.emit("state", state);
    }

    #closed(code, reason) {
        if (code === 4003 && this.#options.token) {
            this.#tokenReason = "expired";
            this.#tokenEndsAt = 0;
        }
        const isOver = !comesBack(code) || (code === 4003 && !this.#options.token);
        const lost = this.#welcomedAt === null ? "the connection couldn't be opened" : "connection lost";
        if (!isOver) return this.#retry(reason || lost, code, code === 4004 ? this.#lastError?.retryAfterMs : 0);
        const told = [4003, 4501].includes(code) ? this.#lastError?.message : null;
        this.#end(causeOf(code), told ?? (reason || `closed with code ${code}`), code);
    }

    /** Backoff with full jitter: between a minimum and a doubling maximum, or inside the draining hub's window. */
    #retry(reason, code = undefined, minMs = 0) {
        const window = this.#drainWindow;
        this.#drainWindow = null;
        this.#transition(() => {
            if (!this.#environment.isOnline()) return { name: "offline" };
            const delayMs = Number(minMs ?? 0) + backoffMs(this.#environment.random, this.#attempts, window);
            const at = this.#agenda.now + delayMs;
            this.#attempts += 1;
            this.#cancelRetry = this.#agenda.at(at, () => this.#start());
            return { name: "reconnecting", nextAttemptAt: this.#agenda.onClock(at), reason, code };
        });
    }

    #end(cause, reason, code = undefined) {
        this.#stopObserving?.();
        this.#stopObserving = null;
        this.#drainWindow = null;
        this.#tokenEndsAt = 0;
        this.#transition(() => ({ name: "closed", cause, reason, code }));
        const error = this.#closedError();
        if (!error) return;
        for (const wait of [...this.#connects]) wait.reject(error);
        // Commands that must not be lost wait for the page to connect again.
        this.#outbox.failRequests(error);
        for (const room of this.#rooms.values()) room._closed(error);
    }

    #closedError() {
        const state = this.#state;
        if (state.name !== "closed" || state.cause === "new") return null;
        return new GoHubError("closed", state.reason);
    }

    #setState(state) {
        this.#state = Object.freeze(state);
        this.#emitter.emit("state", this.#state);
    }

    /** The network changed, or the page became visible or active again: timers may be late. */
    #observed(event) {
        if (event === "offline") {
            if (this.#state.name !== "offline") this.#transition(() => ({ name: "offline" }));
            return;
        }
        this.#agenda.run();
        if (this.#state.name !== "offline" || !this.#environment.isOnline()) return;
        // Earlier attempts say nothing about this network.
        this.#attempts = 0;
        this.#retry("back online");
    }

    // The watchdog

    /** Ends the connection if nothing arrives for this time. */
    #watch(silenceMs) {
        this.#watchdogMs = silenceMs;
        this.#heardAt = this.#agenda.now;
        this.#setWatchdog();
    }

    #setWatchdog() {
        this.#cancelWatchdog?.();
        this.#cancelWatchdog = this.#agenda.at(this.#heardAt + this.#watchdogMs, () => {
            if (this.#agenda.now - this.#heardAt < this.#watchdogMs) return this.#setWatchdog();
            this.#retry(this.#isWelcomed ? "no sign of life" : "no answer");
        });
    }

    // Tokens

    /** Calls the page's token callback, with a timeout. */
    async #fetchToken(reason) {
        this.#abortToken?.();
        const controller = new AbortController();
        const abort = () => {
            controller.abort();
            wait.reject(new GoHubError("token_failed", "The token is no longer needed."));
        };
        this.#abortToken = abort;
        const wait = new Wait(this.#agenda, {}, () => {
            cancel();
            if (this.#abortToken === abort) this.#abortToken = null;
        });
        const cancel = this.#agenda.after(TOKEN_TIMEOUT_MS, () => {
            wait.reject(new GoHubError("token_failed", `The token callback gave no token within ${TOKEN_TIMEOUT_MS / 1_000} s.`));
            controller.abort();
        });
        const failed = (cause) => wait.reject(new GoHubError("token_failed", "The token callback failed.", { cause }));
        try {
            Promise.resolve(this.#options.token({ reason, signal: controller.signal })).then(wait.resolve, failed);
        } catch (error) {
            failed(error);
        }
        const token = await wait.promise;
        if (typeof token !== "string" || token === "") {
            throw new GoHubError("token_failed", "The token callback gave no token.");
        }
        if (reason !== "connect" && token === this.#token) {
            throw new GoHubError("token_failed", "The token callback gave the same token again.");
        }
        return token;
    }

    #refreshBefore(expiresAt) {
        this.#cancelRefresh?.();
        if (expiresAt === undefined || !this.#options.token) return;
        const leftMs = expiresAt - this.serverNow;
        const leadMs = Math.min(REFRESH_LEAD_MS, leftMs / 4) * (1 + this.#environment.random());
        this.#refreshAfter(Math.max(REFRESH_EVERY_MS, leftMs - leadMs));
    }

    #refreshAfter(delayMs) {
        this.#cancelRefresh?.();
        this.#cancelRefresh = this.#agenda.after(delayMs, () => {
            this.refresh().catch((error) => {
                if (!this.#isWelcomed || error.code === "disconnected") return;
                this.#emitter.emit("tokenerror", error);
                // The connection continues with the old token until that expires.
                const ceilingMs = REFRESH_EVERY_MS * 2 ** Math.min(this.#refreshFailures++, 3);
                this.#refreshAfter(REFRESH_EVERY_MS + this.#environment.random() * ceilingMs);
            });
        });
    }

    /** @param {import("./gohub.js").WaitOptions} options */
    refresh({ signal, timeoutMs = REQUEST_TIMEOUT_MS } = {}) {
        if (!this.#options.token) return Promise.reject(new GoHubError("token_failed", "There is no token callback."));
        if (!this.#isWelcomed) return Promise.reject(new GoHubError("disconnected", "There is no connection."));
        this.#refreshing ??= this.#refreshNow().finally(() => (this.#refreshing = null));
        const wait = new Wait(this.#agenda, { signal, timeoutMs });
        this.#refreshing.then(wait.resolve, wait.reject);
        return wait.promise;
    }

    async #refreshNow() {
        const attempt = this.#attempt;
        const token = await this.#fetchToken("refresh");
        if (attempt !== this.#attempt) throw new GoHubError("disconnected", "the connection was lost");
        const command = { op: "refresh", id: this.#facade.makeID(), token };
        const { expiresAt } = await this.#outbox.add(command, { timeoutMs: REQUEST_TIMEOUT_MS, isOnce: true });
        this.#token = token;
        this.#tokenEndsAt = expiresAt ?? Infinity;
        this.#refreshFailures = 0;
        if (attempt !== this.#attempt) return;
        this.#refreshBefore(expiresAt);
        // The new token may permit rooms that the old one did not.
        for (const room of this.#rooms.values()) if (room.status === "refused") room._join();
    }

    /** The hub has refused a token over HTTP. Resolves once there is another token. */
    async #renew(refused) {
        if (this.#token !== refused) return;
        try {
            await this.refresh();
        } catch (error) {
            if (error.code === "token_failed") this.#emitter.emit("tokenerror", error);
            throw error;
        }
    }

    // Files

    /**
     * @param {string} id
     * @param {import("./gohub.js").FileURLOptions} [options]
     */
    fileURL(id, options) {
        return lenient(this.#files.url(id, options));
    }

    /**
     * @param {string} id
     * @param {import("./gohub.js").DownloadOptions} [options]
     */
    download(id, options) {
        return lenient(this.#files.download(id, options));
    }

    // Rooms

    /**
     * @param {string} name
     * @param {import("./gohub.js").JoinOptions} options
     */
    join(name, { history = HISTORY_MESSAGES, ...options } = {}) {
        const isName = /^[a-z0-9][a-z0-9._-]{0,63}$/.test(name) || name.startsWith("dm:");
        const message = "A room's name must have 1–64 characters of a–z, 0–9, . _ and -, and begin with a letter or a digit.";
        const refusal = this.#closedError() ?? (isName ? null : new GoHubError("bad_request", message, { room: name }));
        if (refusal) return lenient(Promise.reject(refusal));
        const room = this.#open(name, history);
        if (room.status === "refused") room._join();
        return lenient(room._whenJoined(options));
    }

    /**
     * @param {string} user
     * @param {import("./gohub.js").JoinOptions} options
     */
    direct(user, { signal, timeoutMs = REQUEST_TIMEOUT_MS, history } = {}) {
        return lenient(this.#whenWelcomed({ signal, timeoutMs })
            .then(() => this.join(directRoom(this.#user ?? "", user), { signal, timeoutMs, history })));
    }

    /** Resolves once the user is known and the connection is welcomed. */
    #whenWelcomed(options) {
        if (this.#user !== null && this.#isWelcomed) return Promise.resolve();
        const refusal = this.#closedError();
        if (refusal) return Promise.reject(refusal);
        const wait = new Wait(this.#agenda, options, () => this.#connects.delete(wait));
        if (!wait.isOver) this.#connects.add(wait);
        return wait.promise;
    }

    #open(name, history = HISTORY_MESSAGES) {
        const known = this.#rooms.get(name);
        if (known) return known;
        const room = this.#make(name, history);
        if (this.#rooms.get(name) === room) room._join();
        return room;
    }

    #make(name, history = HISTORY_MESSAGES) {
        const room = new Room(name, this.#facade, history);
        this.#rooms.set(name, room);
        this.#left.delete(name);
        this.#emitter.emit("room", room);
        return room;
    }

    #forget(room, reason = undefined) {
        if (this.#rooms.get(room.name) !== room) return;
        this.#rooms.delete(room.name);
        room._left(reason);
        this.#emitter.emit("left", { room, reason });
    }

    /** @param {import("./gohub.js").WaitOptions} options */
    async rooms({ signal, timeoutMs = REQUEST_TIMEOUT_MS } = {}) {
        const summaries = [];
        const endsAt = this.#agenda.now + timeoutMs;
        for (let pages = 0, startAfter; pages < ROOM_PAGES_MAX; pages++) {
            const refusal = this.#closedError();
            if (refusal) throw refusal;
            const fields = { op: "rooms", id: this.#facade.makeID(), limit: ROOM_PAGE, ...(startAfter && { startAfter }) };
            const options = { signal, timeoutMs: Math.max(0, endsAt - this.#agenda.now) };
            const { rooms, more } = await this.#outbox.add(fields, options);
            for (const { last, ...room } of rooms) {
                summaries.push({ ...room, ...(last && { last: toMessage(last, room.room, this.#user) }) });
            }
            startAfter = rooms[rooms.length - 1]?.room;
            if (!more || startAfter === undefined) break;
        }
        return summaries;
    }

    /** @param {import("./gohub.js").JoinOptions} [options] */
    follow(options) {
        return lenient(this.#follow(options));
    }

    /** @param {import("./gohub.js").JoinOptions} options */
    async #follow({ history, ...options } = {}) {
        const summaries = await this.rooms(options);
        const isDirect = (name) => name.startsWith("dm:");
        const isPlace = ({ name, status }) => !isDirect(name) && status !== "refused";
        let space = (this.#limits?.rooms ?? Infinity) - this.openRooms.filter(isPlace).length;
        // If there are more rooms than the limit allows, the most recently active ones are joined.
        const byTime = [...summaries].sort((one, other) => (other.last?.at ?? 0) - (one.last?.at ?? 0));
        for (const summary of byTime) {
            const { room: name, unread } = summary;
            const known = this.#rooms.get(name);
            if (known) known._counted(summary);
            if (known || this.#left.has(name) || (isDirect(name) ? unread === 0 : space <= 0)) continue;
            if (!isDirect(name)) space -= 1;
            this.#open(name, history)._counted(summary);
        }
        return summaries;
    }

    /** Joins the room, then leaves it: the hub accepts `leave` only from a member. */
    async #leaveLate(name) {
        this.#left.set(name, true);
        try {
            await this.#outbox.add({ op: "join", id: this.#facade.makeID(), room: name });
            // The page may have joined the room again meanwhile.
            if (!this.#left.has(name)) return;
            await this.#outbox.add({ op: "leave", id: this.#facade.makeID(), room: name }, { isOnce: true });
            this.#left.delete(name);
        } catch (error) {
            // A room that the hub refuses permanently needs no `leave`.
            if (!error.retryable && error.code !== "closed") this.#left.delete(name);
            else if (this.#left.has(name)) this.#left.set(name, false);
        }
    }

    // Sending

    #canSend({ op, room }) {
        if (op === "join") return this.#state.name === "connected";
        if (op === "leave" || room === undefined) return true;
        return this.#rooms.get(room)?.status === "joined";
    }

    #write(fields) {
        if (this.#socket?.readyState !== OPEN) return false;
        this.#socket.send(JSON.stringify(fields));
        return true;
    }

    // Receiving

    #received(data) {
        this.#heardAt = this.#agenda.now;
        // Timers may be suspended: run the overdue ones.
        if (this.#agenda.isLate) this.#agenda.run();
        let event;
        try {
            event = JSON.parse(data);
        } catch {
            return;
        }
        if (typeof event?.op !== "string") return;
        try {
            this.#heard(event);
        } catch (error) {
            // The event must not be skipped: reconnect, and the rooms request the missed entries.
            this.#emitter.emit("error", new GoHubError("internal", `The hub's event could not be processed: ${event.op}.`, { cause: error }));
            this.#retry("the hub sent an event that could not be processed");
        }
    }

    #heard(event) {
        const { id, op } = event;
        const room = this.#rooms.get(event.room);
        switch (op) {
            case "ping":
                this.#outbox.spend(true);
                return this.#write({ op: "pong" });
            case "welcome": return this.#welcomed(event);
            case "joined": return this.#joined(event);
            case "message": return (room ?? this.#openDirect(event))?._entry(event);
            case "presence": return room?._presence(event);
            case "receipt": return room?._receipt(event);
            case "typing": return room?._typing(event);
            case "left": return this.#leftRoom(event, room);
            case "notice": return this.#noticed(event, room);
            case "members":
                room?._members(event);
                return this.#outbox.settle(id, event);
            case "drain": return this.#drains(event);
            case "error": return this.#refused(event);
            default:
                if (id !== undefined && ["ack", "page", "rooms", "refreshed"].includes(op)) {
                    return this.#outbox.settle(id, event);
                }
                // A change of an unknown kind still takes its offset. Other unknown events are ignored.
                if (event.of !== undefined && event.offset !== undefined) room?._entry(event);
        }
    }

    #welcomed(event) {
        const isAnother = this.#user !== null && (this.#user !== event.user || this.#tenant !== event.tenant);
        if (isAnother) {
            // Rooms and commands of the earlier user must not pass to the new one.
            for (const room of [...this.#rooms.values()]) this.#forget(room, "Another user has signed in.");
            this.#endWork(new GoHubError("closed", "Another user has signed in."));
            this.#outbox.clear();
            this.#left.clear();
        }
        this.#user = event.user;
        this.#displayName = event.name;
        this.#tenant = event.tenant;
        this.#limits = Object.freeze({ ...event.limits });
        this.#clockAhead = event.serverTime - this.#environment.now();
        this.#welcomedAt = this.#agenda.now;
        this.#tokenReason = "connect";
        this.#tokenEndsAt = event.expiresAt ?? Infinity;
        this.#refreshFailures = 0;
        this.#watch(event.heartbeatMs + HEARTBEAT_GRACE_MS);
        this.#refreshBefore(event.expiresAt);
        const attempt = this.#attempt;
        this.#setState({ name: "connected" });
        if (attempt !== this.#attempt) return;
        // The outbox is still closed, so that the joins are sent together once it opens.
        for (const room of [...this.#rooms.values()]) room._join();
        for (const [name, isTold] of this.#left) if (!isTold) this.#leaveLate(name);
        const owner = JSON.stringify([event.tenant, event.user]);
        this.#outbox.opened(event.limits, owner, `gohub.outbox ${this.#url} ${this.#device}`);
        this.#uploads.opened();
        for (const wait of [...this.#connects]) wait.resolve();
    }

    #joined(event) {
        const asked = this.#outbox.get(event.id);
        if (asked?.op === "join") return this.#outbox.settle(event.id, event);
        const known = this.#rooms.get(event.room);
        if (asked) {
            // The reply to the command `/join`.
            this.#openAs(event)._joined(event);
            return this.#outbox.settle(event.id, event);
        }
        // The reply to a join that was given up: the hub has joined the room anyway, so leave it.
        if (known || event.room.startsWith("dm:")) return;
        const leave = { op: "leave", id: this.#facade.makeID(), room: event.room };
        this.#outbox.add(leave, { timeoutMs: REQUEST_TIMEOUT_MS, isOnce: true }).catch(() => {});
    }

    /** The room of `/join`. It needs no join command: the hub has joined it already. */
    #openAs({ room: name }) {
        return this.#rooms.get(name) ?? this.#make(name);
    }

    /** The first message of a direct room: `joined` brings it again, with the earlier history. */
    #openDirect(event) {
        return event.room?.startsWith("dm:") ? this.#open(event.room) : undefined;
    }

    #leftRoom(event, room) {
        const asked = this.#outbox.get(event.id);
        if (event.id !== undefined) this.#outbox.settle(event.id, event);
        // After a `leave` the room is already removed, and may have been joined again.
        if (room && (event.id === undefined || asked?.op === "send")) this.#forget(room, event.reason);
    }

    #noticed(event, room) {
        const { id, text } = event;
        if (id !== undefined) this.#outbox.settle(id, event);
        const notice = Object.freeze({ room: event.room, text, id });
        room?._notice(notice);
        this.#emitter.emit("notice", notice);
    }

    #drains({ reconnectAfterMs }) {
        const { min, max } = reconnectAfterMs ?? {};
        if (Number.isFinite(min) && Number.isFinite(max)) this.#drainWindow = { min, max };
        if (this.#isWelcomed) this.#setState({ name: "draining" });
    }

    #refused(event) {
        if (event.id === undefined) this.#lastError = event;
        if (this.#outbox.refused(event)) {
            if (event.id === undefined) for (const room of this.#rooms.values()) room._repeatReceipts();
            return;
        }
        // An error with an id is the reply to a command that was given up.
        if (this.#isWelcomed && event.id === undefined) this.#emitter.emit("error", GoHubError.of(event));
    }
}
