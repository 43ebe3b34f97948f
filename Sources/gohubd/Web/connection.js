// A client's side of the GoHub protocol v1: one connection that says truthfully how it is, comes back by itself, and
// loses, repeats or reorders nothing. It knows no page; `listener` is told what happens. See Docs/Protocol.md.

const RECONNECT = { minMs: 500, firstMs: 2_000, maxMs: 20_000 };
const WELCOME_TIMEOUT_MS = 15_000;
const HEARTBEAT_GRACE_MS = 10_000;
const REPLY_TIMEOUT_MS = 20_000;
/** A connection that lasted so long was a good one: the next attempt starts with a short delay again. */
const STABLE_MS = 30_000;
const PAGE_MESSAGES = 50;
const HELD_MAX = 500;

/** 128 random bits: unique over all devices of the user, as an idempotency key must be. */
export function makeID() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The room of a direct conversation: both ids in byte order, `%` and `:` escaped. */
export function directRoom(one, other) {
    const escape = (id) => id.replaceAll("%", "%25").replaceAll(":", "%3A");
    const bytes = (id) => Array.from(new TextEncoder().encode(id), (byte) => String.fromCharCode(byte)).join("");
    const [first, second] = bytes(one) < bytes(other) ? [one, other] : [other, one];
    return `dm:${escape(first)}:${escape(second)}`;
}

/** The other one of a direct conversation; null for a plain room. */
export function otherUser(room, user) {
    if (!room.startsWith("dm:")) return null;
    const users = room.slice(3).split(":").map((id) => id.replace(/%(25|3A)/g, (code) => (code === "%25" ? "%" : ":")));
    return users.find((id) => id !== user) ?? user;
}

/** Whether to come back after a close. The hub never sends 1005 and 1014: they are a proxy's. */
function shouldReconnect(code) {
    return [1001, 1005, 1006, 1011, 1012, 1013, 1014].includes(code) || (code >= 4000 && code <= 4499 && code !== 4003);
}

/** A room as the client knows it: where it stands, who is there. */
class Room {
    /** joining, joined or refused. */
    status = "joining";
    epoch = null;
    offset = 0;
    members = new Map();
    count = 0;
    /** Messages and facts that came while a join was unanswered. */
    held = [];

    constructor(name) {
        this.name = name;
        this.isDirect = name.startsWith("dm:");
    }

    startOver() {
        this.epoch = null;
        this.offset = 0;
    }
}

export class Connection {
    state = { name: "idle" };
    /** From `welcome`. */
    user = null;
    rooms = new Map();

    #url;
    #device;
    #listener;
    #credentials = {};
    #socket = null;
    #commands = new Map();
    #attempt = 0;
    #retryTimer = null;
    #flushTimer = null;
    #heardAt = 0;
    #welcomedAt = null;
    #watchdogMs = WELCOME_TIMEOUT_MS;
    #budget = { tokens: 0, burst: 1, perMs: Infinity, at: 0 };
    #pausedUntil = 0;
    #drainWindow = null;
    #lastError = null;

    /** `listener` has: state, opened, reset, message, fact, changed, left, settled, notice, members, typing, drain, error. */
    constructor(url, device, listener) {
        this.#url = url;
        this.#device = device;
        this.#listener = listener;
        setInterval(() => this.#tick(), 1_000);
        addEventListener("offline", () => this.#wentOffline());
        addEventListener("online", () => this.state.name === "offline" && this.#retry("back online"));
    }

    // Connecting

    /** Connects as whoever the credentials, `{token}` or `{user}`, speak for. */
    open(credentials) {
        this.#credentials = credentials;
        this.#attempt = 0;
        this.#connect();
    }

    /** Connects at once, instead of waiting or after it had ended. */
    retryNow() {
        if (!["connecting", "connected"].includes(this.state.name)) this.#connect();
    }

    /** Disconnects for good, and forgets the credentials. */
    close() {
        this.#end("ended", "You disconnected.");
        this.#credentials = {};
    }

    #connect() {
        this.#abandon();
        this.#setState({ name: "connecting" });
        this.#heardAt = Date.now();
        this.#watchdogMs = WELCOME_TIMEOUT_MS;
        this.#lastError = null;
        this.#drainWindow = null;
        const socket = new WebSocket(this.#url, ["gohub.v1"]);
        this.#socket = socket;
        socket.onopen = () => this.#write({ op: "hello", device: this.#device, ...this.#credentials });
        socket.onmessage = ({ data }) => socket === this.#socket && this.#received(data);
        socket.onclose = ({ code, reason }) => socket === this.#socket && this.#closed(code, reason);
    }

    /** Turns away from the socket: nothing that it still says is heard. */
    #abandon() {
        clearTimeout(this.#retryTimer);
        const wasStable = this.#welcomedAt && Date.now() - this.#welcomedAt > STABLE_MS;
        if (wasStable) this.#attempt = 0;
        this.#welcomedAt = null;
        const socket = this.#socket;
        this.#socket = null;
        socket?.close(1000);
        // What changes nothing when it comes twice waits for the next connection; the rest is asked anew or given up.
        for (const [id, command] of this.#commands) {
            command.isSent = false;
            if (!command.isLasting) this.#settle(id, { op: "error", message: "the connection was lost" });
        }
    }

    #closed(code, reason) {
        if (code === 4500) return this.#end("replaced", "This session was opened again elsewhere.");
        if (!shouldReconnect(code)) {
            const told = [4003, 4501].includes(code) ? this.#lastError?.message : null;
            return this.#end("ended", told ?? (reason || `closed with code ${code}`), code);
        }
        this.#retry(reason || "connection lost", code === 4004 ? this.#lastError?.retryAfterMs : 0);
    }

    /** Full jitter between a minimum and a maximum that doubles, or inside the window that a draining hub told. */
    #retry(reason, minMs = 0) {
        const window = this.#drainWindow;
        this.#abandon();
        if (!navigator.onLine) return this.#setState({ name: "offline" });
        const ceilingMs = Math.min(RECONNECT.maxMs, RECONNECT.firstMs * 2 ** this.#attempt);
        const { min, max } = window ?? { min: RECONNECT.minMs, max: ceilingMs };
        const delayMs = (minMs || 0) + min + Math.random() * Math.max(0, max - min);
        this.#attempt += 1;
        this.#retryTimer = setTimeout(() => this.#connect(), delayMs);
        this.#setState({ name: "reconnecting", at: Date.now() + delayMs, reason });
    }

    #wentOffline() {
        if (!["connecting", "connected", "reconnecting"].includes(this.state.name)) return;
        this.#abandon();
        this.#setState({ name: "offline" });
    }

    #end(name, reason, code = 1000) {
        this.#abandon();
        this.#setState({ name, reason, code });
    }

    #setState(state) {
        for (const room of this.rooms.values()) {
            if (room.status === "joined" && state.name !== "connected") room.status = "joining";
        }
        this.state = state;
        this.#listener.state(state);
    }

    #tick() {
        if (!this.#socket) return;
        const now = Date.now();
        if (now - this.#heardAt > this.#watchdogMs) return this.#retry("no sign of life");
        for (const command of this.#commands.values()) {
            if (command.isSent && now - command.sentAt > REPLY_TIMEOUT_MS) command.isSent = false;
        }
        this.#flush();
    }

    // What the client says

    /** Sends a text, now or as soon as it can; `settled` tells how it ended. A text with a slash may be a command. */
    send(roomName, text) {
        return this.#enqueue({ op: "send", room: roomName, text }, true);
    }

    /** Enters a room, or follows a direct conversation, with its newest messages. */
    join(name) {
        const room = this.rooms.get(name) ?? new Room(name);
        this.rooms.set(name, room);
        if (room.status !== "joined" && this.state.name === "connected") this.#join(room);
        return room;
    }

    /** Leaves a room. A direct conversation is only no longer followed: it has no membership to give up. */
    leave(name) {
        const room = this.rooms.get(name);
        if (room?.status === "joined" && !room.isDirect) this.#enqueue({ op: "leave", room: name });
        else this.#forget(name);
    }

    /** Asks for the messages before an offset; resolves to the page, or null. */
    history(name, before) {
        return new Promise((resolve) => {
            this.#enqueue({ op: "history", room: name, before, limit: PAGE_MESSAGES }, false, resolve);
        });
    }

    /** Not worth a queue: told now or never. */
    typing(name, active) {
        if (this.rooms.get(name)?.status !== "joined" || !this.#spend()) return;
        this.#write({ op: "typing", room: name, active });
    }

    #join(room) {
        room.status = "joining";
        const position = room.epoch ? { since: { epoch: room.epoch, offset: room.offset } } : { limit: PAGE_MESSAGES };
        this.#enqueue({ op: "join", room: room.name, ...position });
        this.#listener.changed(room);
    }

    #forget(name, reason) {
        this.rooms.delete(name);
        this.#failCommands(name, "you left the room");
        this.#listener.left(name, reason);
    }

    #failCommands(room, message) {
        for (const [id, command] of this.#commands) {
            if (command.fields.room === room) this.#settle(id, { op: "error", message });
        }
    }

    #enqueue(fields, isLasting = false, resolve = null) {
        const command = { ...fields, id: makeID() };
        this.#commands.set(command.id, { fields: command, isLasting, resolve, isSent: false, sentAt: 0, notBefore: 0 });
        this.#flush();
        return command;
    }

    #flush() {
        if (this.state.name !== "connected") return;
        const now = Date.now();
        for (const command of this.#commands.values()) {
            const { op, room } = command.fields;
            if (command.isSent || command.notBefore > now) continue;
            if (op === "send" && this.rooms.get(room)?.status !== "joined") continue;
            if (this.#pausedUntil > now) return this.#flushIn(this.#pausedUntil - now);
            if (!this.#spend()) return this.#flushIn(100);
            command.isSent = true;
            command.sentAt = now;
            this.#write(command.fields);
        }
    }

    #flushIn(delayMs) {
        clearTimeout(this.#flushTimer);
        this.#flushTimer = setTimeout(() => this.#flush(), delayMs);
    }

    /** Stays below the rate that `welcome` told, so that nothing is refused. */
    #spend() {
        const budget = this.#budget;
        const now = Date.now();
        budget.tokens = Math.min(budget.burst, budget.tokens + (now - budget.at) * budget.perMs);
        budget.at = now;
        if (budget.tokens < 1) return false;
        budget.tokens -= 1;
        return true;
    }

    #write(command) {
        if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(command));
    }

    // What the hub says

    #received(text) {
        this.#heardAt = Date.now();
        let event = null;
        try {
            event = JSON.parse(text);
        } catch {
            return;
        }
        const room = this.rooms.get(event?.room);
        switch (event?.op) {
            case "ping": return this.#write({ op: "pong" });
            case "welcome": return this.#welcome(event);
            case "joined": return this.#joined(event);
            case "message": return this.#message(event);
            case "presence": return room && this.#presence(room, event);
            case "typing":
                return room && event.user !== this.user && this.#listener.typing(room, event.user, event.active);
            case "left":
                this.#settle(event.id, event);
                return room && this.#forget(event.room, event.reason);
            case "notice":
                this.#settle(event.id, event);
                return this.#listener.notice(event.room, event.text);
            case "members":
                this.#settle(event.id, event);
                return this.#listener.members(event);
            case "ack":
            case "page": return this.#settle(event.id, event);
            case "drain":
                this.#drainWindow = event.reconnectAfterMs;
                return this.#listener.drain();
            case "error": return this.#refused(event);
            default:
                // A fact about a message, of whatever kind, takes its place in the order; else it's not for us.
                return room && event.of !== undefined && event.offset !== undefined && this.#message(event);
        }
    }

    #welcome(event) {
        if (this.user !== null && this.user !== event.user) {
            for (const name of [...this.rooms.keys()]) this.#forget(name);
            this.#commands.clear();
        }
        this.user = event.user;
        this.#welcomedAt = Date.now();
        this.#watchdogMs = event.heartbeatMs + HEARTBEAT_GRACE_MS;
        const { commandsBurst, commandsPerMinute } = event.limits;
        const isLimited = commandsPerMinute > 0;
        const burst = isLimited ? Math.max(1, commandsBurst / 2) : 1;
        this.#budget = { tokens: burst, burst, perMs: isLimited ? commandsPerMinute / 60_000 : 1, at: Date.now() };
        this.#setState({ name: "connected", user: event.user, displayName: event.name });
        for (const room of this.rooms.values()) this.#join(room);
        this.#flush();
    }

    #joined(event) {
        const asked = this.#commands.get(event.id)?.fields;
        if (!asked) {
            // The answer to a join that was given up: the hub has let us in all the same.
            const isUnwanted = !this.rooms.has(event.room) && !event.room.startsWith("dm:");
            return isUnwanted && this.#enqueue({ op: "leave", room: event.room });
        }
        this.#settle(event.id, event);
        const room = this.rooms.get(event.room) ?? new Room(event.room);
        this.rooms.set(event.room, room);
        // Too far behind, or another epoch: what was shown doesn't lead up to what comes.
        if ((asked?.since && !event.recovered) || (room.epoch && room.epoch !== event.epoch)) {
            room.startOver();
            this.#listener.reset(room);
            if (asked?.since) return this.#join(room);
        }
        if (!room.epoch) {
            room.epoch = event.epoch;
            room.offset = event.messages.length ? event.messages[0].offset - 1 : event.offset;
        }
        room.status = "joined";
        room.members = new Map(event.members.map((member) => [member.user, member]));
        room.count = event.count;
        const held = room.held.splice(0);
        this.#listener.opened(room, asked?.op !== "join");
        for (const message of event.messages) this.#accept(room, { ...message, standsAt: event.offset });
        const isNews = (message) => message.offset > room.offset && (message.epoch ?? room.epoch) === room.epoch;
        for (const message of held) if (isNews(message)) this.#accept(room, message);
        this.#listener.changed(room);
        this.#flush();
    }

    #message(event) {
        let room = this.rooms.get(event.room);
        // Somebody writes to us for the first time: `joined` brings the message again, with what came before it.
        if (!room && event.room.startsWith("dm:")) room = this.join(event.room);
        if (!room) return;
        if (event.offset === undefined) return this.#listener.message(room, event);
        if (room.status === "joined") this.#accept(room, event);
        else if (room.held.length < HELD_MAX) room.held.push(event);
    }

    /** The gap rule: the next offset is taken, an earlier one is known; a hole, or another epoch, asks the hub. */
    #accept(room, message) {
        if (room.status !== "joined") return void (room.held.length < HELD_MAX && room.held.push(message));
        const isOtherEpoch = message.epoch !== undefined && message.epoch !== room.epoch;
        if (isOtherEpoch || message.offset > room.offset + 1) {
            room.held.push(message);
            this.#join(room);
        } else if (message.offset === room.offset + 1) {
            room.offset = message.offset;
            if (message.of === undefined) this.#listener.message(room, message);
            else this.#listener.fact(room, message);
        }
    }

    #presence(room, event) {
        for (const member of event.joined) room.members.set(member.user, member);
        for (const user of event.left) room.members.delete(user);
        room.count = event.count;
        this.#listener.changed(room);
    }

    #refused(event) {
        if (!event.id) this.#lastError = event;
        const command = this.#commands.get(event.id);
        const waitMs = event.retryAfterMs ?? 1_000;
        if (!event.id && event.code === "rate_limited") {
            // Refused unread, so it says not which: all that is unanswered is said again, and its ids make that safe.
            this.#pausedUntil = Date.now() + waitMs;
            for (const command of this.#commands.values()) command.isSent = false;
            this.#flushIn(waitMs);
        } else if (command && ["rate_limited", "unavailable"].includes(event.code)) {
            command.isSent = false;
            command.notBefore = Date.now() + waitMs;
            this.#flushIn(waitMs);
        } else {
            this.#settle(event.id, event);
            const room = command?.fields.op === "join" && this.rooms.get(command.fields.room);
            if (room) {
                room.status = "refused";
                room.held = [];
                this.#failCommands(room.name, event.message);
                this.#listener.changed(room);
            }
        }
        this.#listener.error(event, command?.fields);
    }

    #settle(id, reply) {
        const command = this.#commands.get(id);
        if (!command) return;
        this.#commands.delete(id);
        command.resolve?.(reply.op === "error" ? null : reply);
        if (command.fields.op === "send") this.#listener.settled(command.fields, reply);
    }
}
