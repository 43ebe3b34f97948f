// The page's data: the client, the conversations, and which of them is shown. Elements listen to its events and call
// it; it does not depend on any element.
//
//   state    the connection's state              rooms    the list of conversations, or its unread counts
//   current  another conversation is shown       room     the shown conversation has changed
//   view     "chat" or "live"                    alert    a text for the user: { text, kind }
//   message  a new message, in any room          token    a new token is needed, or was accepted
//   refused  the reason why signing in failed
import { GoHub, otherUser } from "./gohub.js";
import { onceAFrame } from "./dom.js";
import { Grants } from "./grants.js";
import { whyRefused } from "./handshake.js";
import { forgetPreviews } from "./media.js";
import { session } from "./session.js";

/** Maximum messages kept of a room; the list shows a part of them at a time. */
const MESSAGES_MAX = 12_000;
const KEPT_BEHIND = 300;
/** The number of messages fetched of a room that is not open yet. */
const FOLLOWED_MESSAGES = 30;
const NOTICES_MAX = 50;

export class Chat extends EventTarget {
    hub = null;
    grants = new Grants(null);
    info = { development: true, node: "hub" };
    /** True until the hub welcomes a new sign-in: errors are shown in the sign-in form. */
    isSigningIn = false;
    /** Why the last connection attempt failed, if the hub gave a reason. */
    refusal = null;
    /** The room that is shown. */
    current = null;
    view = "chat";
    /** The hub's notices by room, with their place in the conversation. */
    notices = new Map();
    drafts = new Map();
    /** Summaries of rooms that are not open here, from the hub's list. */
    summaries = new Map();
    #isShown = onceAFrame(() => this.#tell("rooms"));
    #tokenAsked = null;
    #isConnecting = false;
    #noticeCount = 0;

    #tell(type, detail) {
        this.dispatchEvent(new CustomEvent(type, { detail }));
    }

    on(type, listener) {
        this.addEventListener(type, (event) => listener(event.detail));
    }

    alert(text, kind = "bad") {
        this.#tell("alert", { text: text.charAt(0).toUpperCase() + text.slice(1), kind });
    }

    get user() {
        return this.hub?.user ?? null;
    }

    get state() {
        return this.hub?.state ?? { name: "closed", cause: "new", reason: "" };
    }

    // The connection

    /**
     * Connects with the credentials `{ user }` or `{ token }`: entered by the user, or kept with the tab.
     */
    begin(credentials, { isKept = false } = {}) {
        session.keep(credentials);
        this.isSigningIn = !isKept;
        this.refusal = null;
        this.grants = new Grants(credentials.token);
        const who = credentials.token ? { token: (request) => this.#token(request) } : { user: credentials.user };
        const hub = new GoHub({ ...who, outbox: session.outbox(), messagesMax: MESSAGES_MAX });
        this.hub = hub;
        // Events of an earlier client, such as its close, are ignored.
        const on = (type, listener) => hub.on(type, (event) => hub === this.hub && listener(event));
        on("state", (state) => this.#changed(state));
        on("room", (room) => this.#opened(room));
        on("left", ({ room, reason }) => this.#left(room, reason));
        on("message", (event) => {
            const { room } = event;
            if (room !== this.current && room.messages.length > 2 * KEPT_BEHIND) room.trim(KEPT_BEHIND);
            this.#tell("message", event);
        });
        on("notice", (notice) => this.#noticed(notice));
        on("error", (error) => this.alert(error.message));
        on("tokenerror", () => this.#tell("token", { isWanted: true }));
        hub.connect().catch(() => {});
    }

    /** Signs out and removes the user's data from the page. */
    end() {
        const { hub } = this;
        this.hub = null;
        hub?.close();
        session.forget();
        forgetPreviews();
        this.#show(null);
        for (const known of [this.notices, this.drafts, this.summaries]) known.clear();
        this.#tell("rooms");
    }

    #changed(state) {
        if (["connected", "draining", "closed", "offline"].includes(state.name)) this.refusal = null;
        const isHandshake = state.name === "reconnecting" && state.code === 1006 && this.#isConnecting;
        this.#isConnecting = state.name === "connecting";
        if (isHandshake) this.#askWhy(state);
        // The page is in use: ask for another token while the conversation stays visible.
        if (this.isSigningIn && state.code === 4003) return this.#turnAway("this token has expired");
        if (state.name === "connected") {
            this.isSigningIn = false;
            for (const name of session.rooms()) if (!this.hub.room(name)) this.hub.join(name).catch(() => {});
            this.#follow();
        }
        // The hub refused the kept token: another one is needed.
        if (state.cause === "unauthorized" && this.user !== null) this.#tell("token", { isWanted: true, isExpired: true });
        this.#tell("state", state);
        this.#isShown();
    }

    /** Finds out why a handshake failed: a browser reports only the failure. */
    async #askWhy(state) {
        const hub = this.hub;
        const { text, isFinal } = await whyRefused();
        if (hub !== this.hub || !["reconnecting", "connecting"].includes(hub.state.name)) return;
        if (isFinal && this.isSigningIn) return this.#turnAway(text);
        this.refusal = text;
        if (hub.state === state) this.#tell("state", state);
    }

    /** Returns to the sign-in form. */
    #turnAway(problem) {
        this.end();
        this.#tell("refused", problem);
    }

    /** Joins the user's rooms of all devices, and the direct rooms with unread messages. */
    async #follow() {
        const hub = this.hub;
        const summaries = await hub.follow({ history: FOLLOWED_MESSAGES }).catch(() => null);
        if (!summaries || hub !== this.hub) return;
        this.summaries = new Map(summaries.filter(({ room }) => !hub.room(room)).map((summary) => [summary.room, summary]));
        this.#isShown();
    }

    // The token

    /** The SDK's token callback: the kept token for a connection, else a new token from the user. */
    #token({ reason, signal }) {
        if (reason === "connect") return session.token();
        this.#tell("token", { isWanted: true, isExpired: reason === "expired" });
        return new Promise((resolve, reject) => {
            this.#tokenAsked = resolve;
            signal.addEventListener("abort", () => reject(new Error("No new token was given yet.")), { once: true });
        });
    }

    /** The user has entered another token. */
    renew(token) {
        session.keep({ token });
        this.grants = new Grants(token);
        this.#tell("token", { isWanted: false });
        if (this.#tokenAsked) this.#tokenAsked(token);
        this.#tokenAsked = null;
        if (this.state.name === "closed") this.hub.connect().catch(() => {});
        this.#tell("room");
    }

    // Conversations

    /** Shows a room, joining it first if necessary. */
    open(name) {
        const hub = this.hub;
        if (!hub) return;
        const known = hub.room(name);
        if (known && known.status !== "refused") return this.#show(known);
        const peer = otherUser(name, hub.user ?? "");
        const opening = peer === null ? hub.join(name) : hub.direct(peer);
        // A refused join is shown in place of the messages.
        opening.catch(() => {});
        const room = hub.room(name);
        if (room) this.#show(room);
    }

    /** Shows the conversation with a user. */
    async whisper(user) {
        const hub = this.hub;
        const room = await hub.direct(user).catch((error) => this.alert(error.message));
        if (room) this.#show(room);
    }

    async leave(room) {
        await room.leave().catch((error) => this.alert(error.message));
    }

    showView(view) {
        this.view = view;
        this.#tell("view", view);
    }

    #opened(room) {
        session.open(room.name);
        this.summaries.delete(room.name);
        room.on("change", () => {
            this.#isShown();
            if (room === this.current) this.#tell("room");
        });
        this.#isShown();
        if (!this.current && session.last() === room.name) this.#show(room);
    }

    #left(room, reason) {
        session.close(room.name);
        this.notices.delete(room.name);
        this.drafts.delete(room.name);
        if (room === this.current) {
            const [next] = this.hub?.openRooms.filter((other) => other !== room && other.status !== "left") ?? [];
            this.#show(next ?? null);
        }
        if (reason) this.alert(`You are no longer in ${this.titleOf(room.name)}: ${reason}`);
        this.#isShown();
    }

    #show(room) {
        const before = this.current;
        if (room && room !== before) before?.trim(KEPT_BEHIND);
        this.current = room;
        if (room) session.show(room.name);
        if (this.view !== "chat") this.showView("chat");
        if (room !== before) this.#tell("current", room);
        this.#isShown();
    }

    #noticed(notice) {
        const room = this.hub.room(notice.room ?? "") ?? this.current;
        if (room) this.note(room, notice.text);
        else this.alert(notice.text, "calm");
    }

    /** Adds a notice of the hub to a conversation, in this page only. */
    note(room, text) {
        const notices = this.notices.get(room.name) ?? [];
        notices.push({ isNotice: true, id: `notice-${++this.#noticeCount}`, after: room.offset, at: this.hub.serverNow, text });
        if (notices.length > NOTICES_MAX) notices.shift();
        this.notices.set(room.name, notices);
        this.#tell("notice", { room, text });
        if (room === this.current) this.#tell("room");
    }

    // Queries of elements

    titleOf(name) {
        return otherUser(name, this.user ?? "") ?? name;
    }

    /** A user's display name, if an open room knows it. */
    nameOf(user) {
        if (user === this.user) return this.hub.displayName ?? user;
        for (const room of this.hub?.openRooms ?? []) {
            const name = room.members.get(user)?.name;
            if (name) return name;
        }
        return user;
    }

    isHere(user) {
        return this.hub?.openRooms.some((room) => room.members.has(user)) ?? false;
    }

    /** The open conversations and those of the hub's list, with rooms and direct rooms apart. */
    conversations() {
        const open = this.hub?.openRooms.filter((room) => room.status !== "left") ?? [];
        const entries = open.map((room) => ({
            name: room.name, isOpen: true, isRefused: room.status === "refused",
            unread: room.unread, isDirect: room.peer !== null, at: room.messages.at(-1)?.at ?? 0,
        }));
        const names = new Set(open.map((room) => room.name));
        for (const { room, unread, last } of this.summaries.values()) {
            if (names.has(room)) continue;
            entries.push({ name: room, isOpen: false, unread, isDirect: room.startsWith("dm:"), at: last?.at ?? 0 });
        }
        const inOrder = (one, other) => this.titleOf(one.name).localeCompare(this.titleOf(other.name));
        return {
            rooms: entries.filter((entry) => !entry.isDirect).sort(inOrder),
            direct: entries.filter((entry) => entry.isDirect).sort((one, other) => other.at - one.at || inOrder(one, other)),
            unread: entries.reduce((sum, entry) => sum + (entry.isOpen ? entry.unread : 0), 0),
        };
    }

    canWrite(room) {
        return this.grants.can("write", room.name);
    }

    canModerate(room) {
        return this.grants.can("moderate", room.name);
    }
}
