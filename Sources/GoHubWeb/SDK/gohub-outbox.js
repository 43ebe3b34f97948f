// Commands without a reply: kept over reconnects, in order, repeated with the same id, within the hub's rate limit.
import { GoHubError, Wait, utf8Length } from "./gohub-support.js";

const REPLY_TIMEOUT_MS = 20_000;
const RETRY_MS = 1_000;
/** The hub remembers an id for 24 hours; an older command could be stored twice. */
const AGE_MAX_MS = 23 * 3_600_000;
const IN_FLIGHT_MAX = 32;
/** A hub that sends no `roomsPerJoin` takes one room a `join`, and refuses commands for the room before its reply. */
const DEFAULT_LIMITS = { messageBytes: 65_536, commandsInFlight: 64, commandsPerMinute: 1_200, commandsBurst: 60, roomsPerJoin: 0 };
/** A `join` of several rooms costs one command plus one for each group of this many rooms. */
const ROOMS_A_COMMAND = 4;
/** `{"op":"join","rooms":[]}` */
const JOIN_BYTES = 24;
/** Commands that are stored and sent in their room's order; their ids make a repeat safe. */
const LASTING = new Set(["send", "edit", "delete", "react"]);
/** Commands that are sent first, in their own order: the others wait for rooms. */
const URGENT = new Set(["join", "leave", "refresh"]);

export class Outbox {
    #agenda;
    #write;
    #canSend;
    #restored;
    #storage;
    #storageFailed;
    #commandsMax;
    #bytesMax;
    #commands = new Map();
    #lastingCount = 0;
    #lastingBytes = 0;
    #isOpen = false;
    #limits = DEFAULT_LIMITS;
    #budget = { tokens: 0, burst: 1, perMs: 1, at: 0 };
    #pausedUntil = 0;
    #cancelFlush = null;
    #flushAt = Infinity;
    #isFlushing = false;
    #owner = null;
    #key = null;

    /**
     * `write(fields)` sends a command. `canSend(fields)` returns whether its room is ready. `restored(fields, since)`
     * is called for each command from before a reload.
     */
    constructor(agenda, { write, canSend, restored, storage, storageFailed, commandsMax, bytesMax }) {
        this.#agenda = agenda;
        this.#write = write;
        this.#canSend = canSend;
        this.#restored = restored;
        this.#storage = storage;
        this.#storageFailed = storageFailed;
        this.#commandsMax = commandsMax;
        this.#bytesMax = bytesMax;
    }

    // Adding commands

    /**
     * Keeps a command until its reply, to which the promise resolves. `isOnce`: the command fails with the connection
     * instead of being repeated.
     * @param {any} fields
     * @param {{ signal?: AbortSignal, timeoutMs?: number, isOnce?: boolean, since?: number }} options
     */
    add(fields, { signal, timeoutMs, isOnce = false, since = this.#agenda.now } = {}) {
        const isLasting = LASTING.has(fields.op) && !isOnce;
        const bytes = utf8Length(JSON.stringify(fields));
        const refusal = this.refusal(fields, isOnce);
        if (refusal) return Promise.reject(refusal);
        const bound = isLasting ? { signal, timeoutMs: since + AGE_MAX_MS - this.#agenda.now } : { signal, timeoutMs };
        const command = {
            fields, bytes, isLasting, isOnce, since, isSent: false, sentAt: 0, notBefore: 0, wait: null,
            /** Sent together with other joins, which count as one command. */
            isShared: false,
            /** `isEarly`: sent before its room was joined. `isHeld`: refused for that, and waits for the room. */
            isEarly: false, isHeld: false,
        };
        command.wait = new Wait(this.#agenda, bound, () => this.#forget(command));
        if (command.wait.isOver) return command.wait.promise;
        this.#commands.set(fields.id, command);
        if (isLasting) {
            this.#lastingCount += 1;
            this.#lastingBytes += bytes;
            this.#save();
        }
        // Joins requested at the same time are sent together.
        if (fields.op === "join" && this.#limits.roomsPerJoin > 1) this.#flushSoon();
        else this.flush();
        return command.wait.promise;
    }

    /** The error if a command cannot be added, else null. */
    refusal(fields, isOnce = false) {
        const bytes = utf8Length(JSON.stringify(fields));
        const isLasting = LASTING.has(fields.op) && !isOnce;
        if (bytes > this.#limits.messageBytes) {
            return new GoHubError("too_large", `The command has ${bytes} bytes, more than the hub's limit of ${this.#limits.messageBytes}.`);
        }
        const count = isLasting ? this.#lastingCount : this.#commands.size - this.#lastingCount;
        const isFull = count >= this.#commandsMax || (isLasting && this.#lastingBytes + bytes > this.#bytesMax);
        if (!isFull) return null;
        return new GoHubError("outbox_full", "The outbox is full. Wait until some messages are sent.");
    }

    get(id) {
        return this.#commands.get(id)?.fields;
    }

    /** Ends a command as if the hub had replied; false if there is none. */
    settle(id, reply) {
        const command = this.#commands.get(id);
        command?.wait.resolve(reply);
        return command !== undefined;
    }

    fail(error, isMeant = (_fields) => true) {
        for (const { fields, wait } of [...this.#commands.values()]) if (isMeant(fields)) wait.reject(error);
    }

    failRequests(error) {
        this.fail(error, ({ op }) => !LASTING.has(op));
    }

    /** Takes the cost of a command from the budget; false if too little is left. `isUrgent`: takes it in any case. */
    spend(isUrgent = false, cost = 1) {
        const budget = this.#budget;
        const now = this.#agenda.now;
        budget.tokens = Math.min(budget.burst, budget.tokens + (now - budget.at) * budget.perMs);
        budget.at = now;
        if (!isUrgent && (budget.tokens < cost || this.#pausedUntil > now)) return false;
        budget.tokens -= cost;
        return true;
    }

    /** Sends the commands that may be sent now. */
    flush() {
        if (!this.#isOpen) return;
        const now = this.#agenda.now;
        if (this.#pausedUntil > now) return this.#flushAfter(this.#pausedUntil - now);
        let inFlight = 0;
        for (const command of this.#commands.values()) {
            if (command.isSent && now - command.sentAt >= REPLY_TIMEOUT_MS && !this.#repeat(command)) continue;
            if (command.isSent && !command.isShared) inFlight += 1;
        }
        const inFlightMax = Math.max(1, Math.min(IN_FLIGHT_MAX, this.#limits.commandsInFlight));
        // Only one command of each room is in flight: no other may overtake it while it waits to be repeated.
        const busyRooms = new Set();
        // Rooms whose join is in flight: the hub queues later commands for them and executes them in order.
        const joining = new Set();
        const commands = [...this.#inOrder()];
        for (const [index, command] of commands.entries()) {
            const { op, room } = command.fields;
            if (command.isLasting) {
                if (busyRooms.has(room)) continue;
                busyRooms.add(room);
            }
            if (command.isSent) {
                this.#flushAfter(command.sentAt + REPLY_TIMEOUT_MS - now);
                if (op === "join" && this.#limits.roomsPerJoin > 0) joining.add(room);
                continue;
            }
            if (command.notBefore > now) {
                this.#flushAfter(command.notBefore - now);
                continue;
            }
            const isReady = this.#canSend(command.fields);
            const isEarly = !isReady && !command.isHeld && !URGENT.has(op) && joining.has(room);
            if ((!isReady && !isEarly) || inFlight >= inFlightMax) continue;
            const together = op === "join" ? this.#joinsFrom(commands, index) : [command];
            const cost = together.length === 1 ? 1 : 1 + Math.ceil(together.length / ROOMS_A_COMMAND);
            if (!this.spend(false, cost)) return this.#flushAfter(Math.ceil((cost - this.#budget.tokens) / this.#budget.perMs));
            inFlight += 1;
            command.isEarly = isEarly;
            if (together.length > 1) this.#sayTogether(together, now);
            else this.#say(command, now);
            if (op === "join" && this.#limits.roomsPerJoin > 0) for (const { fields } of together) joining.add(fields.room);
        }
    }

    *#inOrder() {
        // Commands left by an earlier page are older than this page's own.
        const commands = [...this.#commands.values()].sort((one, other) => one.since - other.since);
        yield* commands.filter(({ fields }) => URGENT.has(fields.op));
        yield* commands.filter(({ fields }) => !URGENT.has(fields.op));
    }

    /** The join at an index, and the later joins that fit into the same command. */
    #joinsFrom(commands, index) {
        const { roomsPerJoin, messageBytes } = this.#limits;
        // The budget must cover the whole cost at once.
        const countMax = Math.min(roomsPerJoin, (Math.floor(this.#budget.burst) - 1) * ROOMS_A_COMMAND);
        const joins = [commands[index]];
        let bytes = JOIN_BYTES + commands[index].bytes;
        for (const command of commands.slice(index + 1)) {
            // A room may be left and joined again: no join may overtake a `leave`.
            if (command.fields.op !== "join") break;
            if (command.isSent || command.notBefore > this.#agenda.now) continue;
            bytes += command.bytes + 1;
            if (joins.length >= countMax || bytes > messageBytes) break;
            joins.push(command);
        }
        return joins;
    }

    #sayTogether(joins, now) {
        for (const command of joins) Object.assign(command, { isSent: true, sentAt: now, isShared: true });
        this.#flushAfter(REPLY_TIMEOUT_MS);
        this.#write({ op: "join", rooms: joins.map(({ fields: { op, ...entry } }) => entry) });
    }

    #say(command, now) {
        const { bytes, fields, wait } = command;
        const { messageBytes } = this.#limits;
        if (bytes > messageBytes) {
            return wait.reject(new GoHubError("too_large", `The command has ${bytes} bytes, more than the hub's limit of ${messageBytes}.`));
        }
        Object.assign(command, { isSent: true, sentAt: now, isShared: false });
        this.#flushAfter(REPLY_TIMEOUT_MS);
        this.#write(fields);
    }

    /** Marks a command to be sent again; false if it fails instead (`isOnce`). */
    #repeat(command) {
        command.isSent = false;
        if (command.isOnce) command.wait.reject(new GoHubError("timeout", "The hub did not answer."));
        return !command.isOnce;
    }

    #flushAfter(delayMs) {
        const at = this.#agenda.now + Math.max(1, delayMs);
        if (at >= this.#flushAt) return;
        this.#cancelFlush?.();
        this.#flushAt = at;
        this.#cancelFlush = this.#agenda.at(at, () => {
            this.#flushAt = Infinity;
            this.flush();
        });
    }

    #forget(command) {
        if (this.#commands.get(command.fields.id) !== command) return;
        this.#commands.delete(command.fields.id);
        if (command.isLasting) {
            this.#lastingCount -= 1;
            this.#lastingBytes -= command.bytes;
            this.#save();
        }
        this.#flushSoon();
    }

    /** Flushes once for all changes of the same task. A microtask: timers are throttled in the background. */
    #flushSoon() {
        if (this.#isFlushing) return;
        this.#isFlushing = true;
        queueMicrotask(() => {
            this.#isFlushing = false;
            this.flush();
        });
    }

    // The connection's events

    /** A connection is welcomed: all commands without a reply are sent again, within its limits. */
    opened(limits, owner, key) {
        this.#limits = { ...DEFAULT_LIMITS, ...limits };
        const { commandsBurst, commandsPerMinute } = this.#limits;
        const burst = commandsPerMinute > 0 ? Math.max(1, commandsBurst / 2) : IN_FLIGHT_MAX;
        const perMs = commandsPerMinute > 0 ? commandsPerMinute / 60_000 : 1;
        this.#budget = { tokens: burst, burst, perMs, at: this.#agenda.now };
        this.#pausedUntil = 0;
        this.#isOpen = true;
        this.#owner = owner;
        if (this.#key !== key) {
            this.#key = key;
            this.#restore();
        }
        this.#save();
        this.flush();
    }

    /** The connection was lost: no command is in flight any more. */
    closed() {
        this.#isOpen = false;
        this.#cancelFlush?.();
        this.#flushAt = Infinity;
        for (const command of [...this.#commands.values()]) {
            command.isSent = false;
            command.isHeld = false;
            if (command.isOnce) command.wait.reject(new GoHubError("disconnected", "The connection was lost."));
        }
    }

    /** Handles an `error` of the hub. False if it belongs to no command. */
    refused(event) {
        const waitMs = Number(event.retryAfterMs ?? RETRY_MS);
        if (event.id === undefined && event.code === "rate_limited") {
            // The hub did not read the command, so the error has no id: all unanswered commands are sent again. Their
            // ids make that safe.
            this.#pausedUntil = this.#agenda.now + waitMs;
            for (const command of [...this.#commands.values()]) {
                if (!command.isSent) continue;
                command.isSent = false;
                if (command.isOnce) command.wait.reject(GoHubError.of(event, command.fields.room));
            }
            this.#flushAfter(waitMs);
            return true;
        }
        const command = this.#commands.get(event.id);
        if (!command) return false;
        const passes = ["rate_limited", "unavailable"].includes(event.code);
        const isBusy = event.code === "conflict" && command.fields.op === "join";
        if (event.code === "conflict" && command.isEarly) {
            // Its join was refused, or the hub queues too many commands: sent again once the room is joined.
            command.isSent = false;
            command.isHeld = true;
            this.#flushSoon();
        } else if (!command.isOnce && (passes || isBusy)) {
            command.isSent = false;
            command.notBefore = this.#agenda.now + waitMs;
            this.#flushAfter(waitMs);
        } else {
            command.wait.reject(GoHubError.of(event, command.fields.room));
        }
        return true;
    }

    // Surviving a reload

    /** Removes the user's stored commands, after a close or a change of user. */
    clear() {
        if (this.#key !== null) this.#store(null);
        this.#key = null;
        this.#owner = null;
    }

    #restore() {
        if (!this.#storage) return;
        let record = null;
        try {
            record = JSON.parse(this.#storage.getItem(this.#key) ?? "null");
        } catch {
            return; // Not written by the SDK, or damaged: ignored.
        }
        if (record?.owner !== this.#owner || !Array.isArray(record.commands)) return;
        for (const { fields, since } of record.commands) {
            const isWhole = LASTING.has(fields?.op) && [fields.id, fields.room].every((field) => typeof field === "string");
            const isFresh = since > this.#agenda.now - AGE_MAX_MS && since <= this.#agenda.now;
            if (isWhole && isFresh && !this.#commands.has(fields.id)) this.#restored(fields, since);
        }
    }

    #save() {
        if (!this.#storage || this.#key === null || this.#owner === null) return;
        const lasting = [...this.#commands.values()].filter((command) => command.isLasting);
        const commands = lasting.map(({ fields, since }) => ({ fields, since }));
        this.#store(commands.length ? JSON.stringify({ owner: this.#owner, commands }) : null);
    }

    #store(text) {
        try {
            if (text === null) this.#storage?.removeItem(this.#key);
            else this.#storage?.setItem(this.#key, text);
        } catch (error) {
            const message = "The outbox cannot be stored, so unsent messages are lost when the page is reloaded.";
            this.#storageFailed(new GoHubError("unavailable", message, { cause: error }));
        }
    }
}
