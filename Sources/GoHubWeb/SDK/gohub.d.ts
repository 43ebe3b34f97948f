/** GoHub's client: one connection that comes back by itself, and loses, repeats or reorders nothing. See Docs/SDK.md. */

// The hub

export interface GoHubOptions {
    /**
     * Where the hub is: `https://hub.example.com`, or the whole address of its WebSocket. Relative to the page.
     * Without it: the page's own origin.
     */
    url?: string | URL;
    /**
     * Fetches a token: for the first connection, in time before the token of a live connection ends, and for a reconnection
     * if the last token ends within a minute or was refused as expired.
     */
    token?: (request: TokenRequest) => string | Promise<string>;
    /** Instead of a token, for a hub in development mode: who to be. With neither, the hub makes up a guest. */
    user?: string;
    /**
     * Names this tab or install, 1–64 bytes. A newer connection of the same user and device replaces the older one.
     * Without it: in a browser one that lasts as long as the tab, elsewhere a random one.
     */
    device?: string;
    /**
     * Where what isn't acknowledged waits. `"memory"` (the default) survives reconnects; `sessionStorage` (or the like
     * of it) also a reload of the page.
     */
    outbox?: "memory" | OutboxStorage;
    /** What the outbox holds at most, of all rooms; more is refused with `outbox_full`. Default 1,000. */
    outboxCommandsMax?: number;
    /** The same in bytes of UTF-8. Default 1 MiB. */
    outboxBytesMax?: number;
    /** How many messages a room's view holds at most. Default 1,000. */
    messagesMax?: number;
    /** For runtimes that lack what a browser has, and for tests. */
    environment?: Partial<Environment>;
}

export interface TokenRequest {
    /**
     * `connect`: for a new connection. `refresh`: the connection's token ends soon, or the page asked. `expired`: the hub refused
     * the last one as expired. For the latter two the same token again counts as a failure.
     */
    readonly reason: "connect" | "refresh" | "expired";
    /** Aborted when the answer isn't wanted any more, at the latest after 15 s. */
    readonly signal: AbortSignal;
}

/** What the SDK uses of `Storage`. */
export interface OutboxStorage {
    getItem(key: string): string | null;
    setItem(key: string, value: string): void;
    removeItem(key: string): void;
}

/** The world around the SDK: a browser's by default. */
export interface Environment {
    /** Node before 22 has none of its own: the class `WebSocket` of the package `ws` will do. */
    WebSocket: WebSocketConstructor;
    /** Node before 20 has it as `webcrypto` of `node:crypto`. */
    crypto: {
        getRandomValues(bytes: Uint8Array): unknown;
        /** Where it is missing, as in pages without TLS, files have no hash. */
        readonly subtle?: { digest(algorithm: "SHA-256", bytes: Uint8Array): Promise<ArrayBuffer> };
    };
    /** For files. */
    fetch(url: string, init: RequestInit): Promise<Response>;
    /** Milliseconds since 1970. */
    now(): number;
    /** At least 0, less than 1. */
    random(): number;
    setTimeout(callback: () => void, delayMs: number): unknown;
    clearTimeout(handle: unknown): void;
    /** Whether there is a network, as far as the system says. */
    isOnline(): boolean;
    /** Calls back at each `online`, `offline`, `focus`, `pageshow` and `visibilitychange`; returns what ends it. */
    observe(callback: (event: "online" | "offline" | "awake") => void): () => void;
}

export interface WebSocketConstructor {
    new (url: string, protocols: string[]): WebSocketLike;
}

export interface WebSocketLike {
    readonly readyState: number;
    onopen: ((event: any) => void) | null;
    onmessage: ((event: any) => void) | null;
    onclose: ((event: any) => void) | null;
    onerror: ((event: any) => void) | null;
    send(text: string): void;
    close(code?: number, reason?: string): void;
}

/** How the connection is. It is true at the moment it is read: a connection that has been silent for too long isn't `connected`. */
export type HubState =
    | { readonly name: "connecting" }
    | { readonly name: "connected" }
    /** Connected, to a hub that stops in a moment and has told when to come back. Rooms can't be joined. */
    | { readonly name: "draining" }
    /** Waiting for the next attempt, at `nextAttemptAt` (of the environment's clock). */
    | { readonly name: "reconnecting"; readonly nextAttemptAt: number; readonly reason: string; readonly code?: number }
    /** The system says that there is no network. The SDK connects when there is one. */
    | { readonly name: "offline" }
    /** Not connected, and not going to be by itself: `connect` starts anew. */
    | { readonly name: "closed"; readonly cause: ClosedCause; readonly reason: string; readonly code?: number };

/**
 * - `new`: `connect` wasn't called yet.
 * - `ended`: `close` was called, or the hub ended the conversation.
 * - `replaced`: another connection of this user and device took its place, such as a copy of the tab.
 * - `unauthorized`: the token is wrong or missing, or has expired and there is no callback for another one.
 * - `removed`: a moderator or the server has thrown the user out.
 * - `refused`: the hub doesn't want this client for another reason, which `reason` tells.
 */
export type ClosedCause = "new" | "ended" | "replaced" | "unauthorized" | "removed" | "refused";

export interface HubEvents {
    /** The connection's state has changed. */
    state: HubState;
    /** A room was opened, by whatever way: `join`, `/join`, or a direct conversation that somebody has begun. */
    room: Room;
    /** A room was left, or one has been put out of it; `reason` is a moderator's or the token's. */
    left: { readonly room: Room; readonly reason?: string };
    /** A message that is new, in any room. See the room's event. */
    message: { readonly room: Room; readonly message: Message };
    /** A text from the hub, for the room or for oneself (the answer to a slash command, as `send` resolves to as well). */
    notice: Notice;
    /** What the hub refused and no promise tells of. */
    error: GoHubError;
    /**
     * The callback for tokens has failed or gave the same token again, or the hub refused its token for a live connection.
     * It is asked again. The moment to let the user sign in: then call `connect`, or `refresh` on a live connection.
     */
    tokenerror: GoHubError;
}

export interface HubLimits {
    readonly messageBytes: number;
    readonly textBytes: number;
    readonly rooms: number;
    readonly pageMessages: number;
    readonly commandsInFlight: number;
    readonly commandsPerMinute: number;
    readonly commandsBurst: number;
    /** How many rooms one `join` may name; left out by hubs that take one. */
    readonly roomsPerJoin?: number;
}

export interface WaitOptions {
    /** Gives up the wait, with the code `aborted`. */
    signal?: AbortSignal;
    /** How long to wait at most, after which the code is `timeout`. Default 30 s. */
    timeoutMs?: number;
}

export interface ListenOptions {
    /** Ends the subscription. */
    signal?: AbortSignal;
}

export class GoHub {
    constructor(options?: GoHubOptions);

    readonly state: HubState;
    /** Who the hub says we are; null before the first welcome. */
    readonly user: string | null;
    /** The name that others see. */
    readonly displayName: string | null;
    readonly tenant: string | null;
    /** The device's id; null before the first `connect`. */
    readonly device: string | null;
    /** What the hub allows, from the last welcome. */
    readonly limits: HubLimits | null;
    /** The hub's clock, as far as the last welcome tells. */
    readonly serverNow: number;
    /** The rooms that are open: joined, being joined, or refused. The same array until another one is opened or left. */
    readonly openRooms: readonly Room[];

    /**
     * Connects, and keeps connected until `close`. In the state `reconnecting` it tries at once.
     * Resolves when the hub has welcomed us; rejects when the state becomes `closed`, or after the time.
     * The wait's end doesn't end the trying. Nobody has to wait for it: a rejection that isn't looked at is no error.
     */
    connect(options?: WaitOptions): Promise<void>;
    /**
     * Disconnects for good. What isn't acknowledged is rejected with `closed`, fails in the views, and is taken out of the
     * outbox's storage. (When the hub closes, it waits for another `connect` instead.)
     */
    close(): void;

    /** An open room. */
    room(name: string): Room | undefined;
    /**
     * Opens a room and keeps it joined, over reconnects, until `leave`. Resolves when it is joined, with its newest messages.
     * Rejects when the hub refuses (the room's status is `refused`), or after the time, when the joining still goes on.
     */
    join(name: string, options?: JoinOptions): Promise<Room>;
    /** Opens the direct conversation with a user. Its room has no members and can't be refused. */
    direct(user: string, options?: JoinOptions): Promise<Room>;
    /** The user's rooms with their unread counts: all pages of them. */
    rooms(options?: WaitOptions): Promise<RoomSummary[]>;
    /**
     * Opens the rooms that the user follows, which are those that were joined on any device and not left: as many as
     * `limits.rooms` allows, those with the newest messages first; and direct conversations with unread messages, as others
     * open by themselves when somebody writes. `unread` of each room is then what the hub counts, and goes on from there.
     * To be called after each connection. Resolves to what `rooms` says; the rooms are joined after that. Nobody has to wait
     * for it: a rejection that isn't looked at is no error.
     */
    follow(options?: JoinOptions): Promise<RoomSummary[]>;
    /** Asks the callback for a token and gives it to the live connection, as is done by itself before a token ends. */
    refresh(options?: WaitOptions): Promise<void>;

    /**
     * A link to a file, for `<img>`, `<video>` and the like: good without a token for everybody who has it, for an hour if
     * the operator hasn't said otherwise. The same one is given out until shortly before its end.
     */
    fileURL(id: string, options?: FileURLOptions): Promise<string>;
    /** Fetches a file's bytes by token, into memory: its preview, its beginning, or all of it. */
    download(id: string, options?: DownloadOptions): Promise<Blob>;

    /** Calls back at each event of the type. Returns what ends that. */
    on<Type extends keyof HubEvents>(
        type: Type, listener: (event: HubEvents[Type]) => void, options?: ListenOptions): () => void;
}

export interface JoinOptions extends WaitOptions {
    /** How many of the newest messages to begin with. Default 50. */
    history?: number;
}

export interface RoomSummary {
    readonly room: string;
    readonly epoch: string;
    readonly offset: number;
    readonly delivered: number;
    readonly seen: number;
    readonly unread: number;
    readonly last?: Message;
}

export interface Notice {
    readonly room?: string;
    readonly text: string;
    /** Of the `send` that it answers. */
    readonly id?: string;
}

// Rooms

/** `joining` is also what a room is while there is no connection. */
export type RoomStatus = "joining" | "joined" | "refused" | "left";

export interface RoomEvents {
    /** A message that is new: told now, or missed while away. Not those that `join` and `loadOlder` bring. */
    message: Message;
    /** A message in the view has changed: it was edited, deleted or reacted to. */
    update: Message;
    /** One's own message is waiting, was acknowledged, has failed, or was discarded. */
    pending: Message;
    /** The hub couldn't tell all that was missed, or the room's history is another one now: the view was emptied, and what follows are the newest messages. */
    reset: void;
    /** `status` has changed. */
    status: RoomStatus;
    /** `members` or `count` have changed. */
    members: void;
    /** `receipts` have changed. */
    receipts: void;
    /** `typingUsers` have changed. */
    typing: void;
    /** A text from the hub, for this room or about it. */
    notice: Notice;
    /** Out of the room. */
    left: { readonly reason?: string };
    /** Anything above, once for all that happens at a time: the moment to render. */
    change: void;
}

export interface Member {
    readonly user: string;
    /** Where it differs from `user`. */
    readonly name?: string;
}

export interface Receipt {
    readonly delivered: number;
    readonly seen: number;
}

/** Comes from the hub: from `join` and `direct`, or with its event `room`. */
export interface Room {
    readonly name: string;
    /** The other user of a direct conversation; null for a plain room. */
    readonly peer: string | null;
    readonly status: RoomStatus;
    /** Why the hub refused. */
    readonly error: GoHubError | null;
    /** The position: everything up to here was taken, in order. */
    readonly epoch: string | null;
    readonly offset: number;

    /**
     * The view: the newest messages in their order, as they are now, at most `messagesMax`; behind them one's own that aren't
     * acknowledged. A message is never changed, but replaced: what is the same object is the same.
     */
    readonly messages: readonly Message[];
    /** Whether there are earlier messages than those in the view, as far as is known. */
    readonly hasOlder: boolean;
    /** Messages of others beyond one's own `seen`: those in the view, and those before it that were in it once or that `follow` counts. */
    readonly unread: number;
    /** Who is here, by user id, 200 at most. */
    readonly members: ReadonlyMap<string, Member>;
    /** How many are here. */
    readonly count: number;
    /** How far each user has got, by user id. Empty in large rooms. */
    readonly receipts: ReadonlyMap<string, Receipt>;
    /** Who is typing, oneself apart. The same array while they are the same. */
    readonly typingUsers: readonly string[];

    /** The message at an offset, if the view has it: what a reply shows of what it answers. */
    message(offset: number): Message | undefined;
    /** The users, oneself and the sender apart, who have seen the message at an offset. The same array while they are the same. */
    seenBy(offset: number): readonly string[];

    /**
     * Says something, now or as soon as it can be: it is in the view at once, survives reconnects, is repeated with the same
     * id until the hub has answered, and keeps its place behind what was said in the room before.
     * Resolves when the hub has stored it. Rejects when the hub refuses it, the outbox is full, the room is left, `close` is
     * called, `signal` gives it up (the hub may have it all the same), or after 23 hours. What failed stays in the view;
     * see `resend` and `discard`. Nobody has to wait for it: a rejection that isn't looked at is no error.
     *
     * A text that begins with `/` is a slash command, unless it is `literal`.
     */
    send(text: string, options?: SendOptions): Promise<Reply>;
    /** Tries a failed message again, under the same id. */
    resend(id: string): Promise<Reply>;
    /** Takes a failed message out of the view. */
    discard(id: string): void;
    /** These three are kept and repeated like `send`, in the same order. They show when they are stored. */
    edit(offset: number, text: string, options?: ChangeOptions): Promise<Reply>;
    delete(offset: number, options?: ChangeOptions): Promise<Reply>;
    react(offset: number, reaction: string, options?: ReactOptions): Promise<Reply>;

    /**
     * Sends a file to the room, as soon as there is a connection and no more than another one is on its way: in parts, and
     * on from where it stands after a lost connection. After a reload, the same `File` in the same room goes on too. Others
     * see it once a message has it: `send("", { files: [upload] })`.
     */
    upload(file: Blob, options?: UploadOptions): Upload;

    /** Fetches a page of messages without touching the view: before or after an offset, or the newest. */
    history(options?: HistoryOptions): Promise<Page>;
    /** Adds up to `limit` (50) entries before the view. Resolves to `hasOlder`. A full view is `too_large`: see `trim`. */
    loadOlder(limit?: number, options?: WaitOptions): Promise<boolean>;
    /** Takes all but the newest messages out of the view. */
    trim(keep?: number): void;
    /** Asks who is here, and brings `members` and `count` up to date. */
    who(options?: WaitOptions): Promise<{ readonly members: readonly Member[]; readonly count: number }>;

    /** To be called at each key: says so every 3 s at most, and that it is over with `false` or after 6 s without a call. */
    typing(active?: boolean): void;
    /** To be called when messages are on a screen that somebody looks at: up to an offset, or all. Told once a second at most. */
    seen(offset?: number): void;
    /**
     * Gives up the room: the user doesn't follow it any more. Without a connection the hub hears of it with the next one.
     * A direct conversation is only closed here, until somebody writes in it.
     */
    leave(options?: WaitOptions): Promise<void>;

    /** Calls back at each event of the type. Returns what ends that. */
    on<Type extends keyof RoomEvents>(
        type: Type, listener: (event: RoomEvents[Type]) => void, options?: ListenOptions): () => void;
}

export interface ChangeOptions {
    signal?: AbortSignal;
}

export interface SendOptions extends ChangeOptions {
    /** The offset of the message that this one answers. */
    replyTo?: number;
    /** For whoever is there now: not stored, not repeated; fails when there is no connection. */
    ephemeral?: boolean;
    /** Sends a text as it is, even if it begins with `/`. For what others wrote. */
    literal?: boolean;
    /**
     * Files of the room, at most ten: uploads that are `done`, or a file's `id`; `alt` says in at most 1,000 bytes what is
     * seen in it. With files the text may be empty. A slash command has none.
     */
    files?: readonly (Upload | (Partial<FileInfo> & { readonly id: string }))[];
}

// Files

export interface FileInfo {
    readonly id: string;
    /** Of others' choice: text, never markup or a path. */
    readonly name: string;
    /** What the hub has told from the first bytes, such as `image/png`. */
    readonly type: string;
    /** In bytes. */
    readonly size: number;
    /** Of an image that was looked at, in pixels, as it is seen. */
    readonly width?: number;
    readonly height?: number;
    /** A BlurHash. */
    readonly placeholder?: string;
    /** Whether there is a preview: `download(id, { isPreview: true })`. */
    readonly preview?: boolean;
    /** What is seen in it, as its sender says. */
    readonly alt?: string;
}

/**
 * - `waiting`: for its turn, for a connection, or for the next attempt at `nextAttemptAt`; `error` says why the last one failed.
 * - `checking`: the file is hashed, the hub is asked how far it has it.
 * - `sending`. `paused`: by `pause`.
 * - `done`: the hub has all of it; `file` says what. `failed`: see `error`; `retry` tries again. `cancelled`: by `cancel`
 *   or `discard`.
 */
export type UploadState = "waiting" | "checking" | "sending" | "paused" | "done" | "failed" | "cancelled";

export interface UploadEvents {
    /** `state` has changed, or another attempt has failed. */
    state: Upload;
    /** `sentBytes` has changed, and with it what depends on it. */
    progress: Upload;
}

export interface UploadOptions {
    /** Cancels it. */
    signal?: AbortSignal;
    /** What the file is called, for people. Default: its own name. */
    name?: string;
    /** What is seen in it, for those who don't see it: at most 1,000 bytes. It can be said later. */
    alt?: string;
    /** As `on("progress", …)`. */
    onProgress?: (upload: Upload) => void;
}

/** A file on its way: from `Room.upload`. */
export interface Upload {
    readonly room: Room;
    readonly name: string;
    /** In bytes. */
    readonly size: number;
    /** What the page says it is; the hub looks for itself. */
    readonly type: string;
    alt: string;
    readonly state: UploadState;
    readonly error: GoHubError | null;
    /** When the next attempt is due, on the clock of `Date.now()`; while one is. */
    readonly nextAttemptAt: number | null;
    /** What the hub has stored. */
    readonly sentBytes: number;
    /** Smoothed; null while nothing is sent. */
    readonly bytesPerSecond: number | null;
    readonly secondsLeft: number | null;
    /** What the hub knows of it, once it is done. */
    readonly file: FileInfo | null;
    /** Whether nothing will change by itself any more: `done`, `failed` or `cancelled`. */
    readonly isOver: boolean;
    /**
     * Resolves when it is done; rejects when it has failed or was cancelled, with the code `aborted`. `retry` begins
     * another one. Nobody has to wait for it: a rejection that isn't looked at is no error.
     */
    readonly finished: Promise<FileInfo>;

    /** What has come to the hub stays there, for a day at least. */
    pause(): void;
    resume(): void;
    /** Tries again what has failed, or at once what waits for its next attempt. */
    retry(): void;
    /** Gives it up, and throws away what the hub has of it. What is done already stays. */
    cancel(): void;
    /**
     * As `cancel`, and also deletes the file of an upload that is done: for one that no message was sent with. A file that
     * the hub had already stays, since it may be in messages.
     */
    discard(): void;

    on<Type extends keyof UploadEvents>(
        type: Type, listener: (event: UploadEvents[Type]) => void, options?: ListenOptions): () => void;
}

export interface FileURLOptions extends WaitOptions {
    /** Has browsers save it, whatever it is. */
    isDownload?: boolean;
    /** Asks for another link, where the one before didn't lead to the file. */
    isRenewed?: boolean;
}

export interface DownloadOptions {
    signal?: AbortSignal;
    /** The small image that stands for a large one. */
    isPreview?: boolean;
    /** Only so many bytes from the beginning. */
    firstBytes?: number;
    /** More is refused with `too_large`. Default 64 MiB. */
    bytesMax?: number;
    /** `total` is null where the hub doesn't say it. */
    onProgress?: (progress: { readonly bytes: number; readonly total: number | null }) => void;
}

export interface ReactOptions extends ChangeOptions {
    /** Takes the reaction back. */
    remove?: boolean;
}

export interface HistoryOptions extends WaitOptions {
    before?: number;
    after?: number;
    /** Messages and changes. Default 50. */
    limit?: number;
}

export interface Page {
    /** Ascending, as they are now. */
    readonly messages: readonly Message[];
    /** Whether there are further ones in the direction that was asked for. */
    readonly more: boolean;
    /** The offsets of the page's first and last entry, changes included: where to go on. */
    readonly first?: number;
    readonly last?: number;
}

/** What the hub answered to a `send`, `edit`, `delete` or `react`. */
export type Reply =
    /** Stored. Without `offset`: an ephemeral message, or a reaction that changed nothing (`unchanged`). */
    | {
        readonly kind: "stored"; readonly id: string; readonly room: string; readonly at: number;
        readonly epoch?: string; readonly offset?: number;
        /** It was stored before, by an earlier attempt. */
        readonly duplicate?: boolean;
        readonly unchanged?: boolean;
    }
    /** The answers to slash commands. */
    | { readonly kind: "notice"; readonly id: string; readonly room?: string; readonly text: string }
    | { readonly kind: "members"; readonly id: string; readonly room: string; readonly members: readonly Member[]; readonly count: number }
    | { readonly kind: "joined" | "left"; readonly id: string; readonly room: string };

export interface Message {
    readonly id: string;
    readonly room: string;
    /** Its place in the room; none while it isn't stored, and for ephemeral ones. */
    readonly offset?: number;
    readonly from: string;
    /** The sender's name to show: that of the token, or the user id. */
    readonly name: string;
    readonly isOwn: boolean;
    /** Milliseconds since 1970, of the hub; an estimate while it isn't stored. */
    readonly at: number;
    /** Text, never markup. Empty once it is deleted. */
    readonly text: string;
    readonly replyTo?: number;
    readonly ephemeral?: boolean;
    readonly editedAt?: number;
    readonly deletedAt?: number;
    readonly reactions: readonly Reaction[];
    /** None once it is deleted. After a reload, of what isn't stored yet, only `id` and `alt` are known. */
    readonly files: readonly (Partial<FileInfo> & { readonly id: string })[];
    /** `sending`: not acknowledged. `sent`: stored. `failed`: see `error`. */
    readonly status: "sending" | "sent" | "failed";
    readonly error?: GoHubError;
}

export interface Reaction {
    readonly reaction: string;
    readonly count: number;
    /** Up to five of those who gave it. */
    readonly by: readonly string[];
}

// Errors

/** The protocol's codes, then the SDK's own. The hub may add codes. */
export type ErrorCode =
    | "bad_request" | "unauthorized" | "forbidden" | "not_found" | "rate_limited" | "too_large" | "conflict" | "unavailable"
    | "internal"
    /** The wait is over, without an answer. */
    | "timeout"
    /** The caller's signal. */
    | "aborted"
    /** The hub is closed; or was, before an answer came. */
    | "closed"
    /** The room was left before an answer came. */
    | "left"
    /** There is no connection, or it was lost before an answer came: for what isn't repeated. */
    | "disconnected"
    /** Too much waits to be sent already. */
    | "outbox_full"
    /** The callback for tokens failed; `cause` is what it threw. */
    | "token_failed"
    /** A file is more than its sender, or all of the tenant, may have. (`too_large`: than anybody may.) */
    | "quota_exceeded"
    /** The bytes that the hub got aren't the file's. */
    | "hash_mismatch"
    /** The browser can't read the file any more. */
    | "unreadable"
    | (string & {});

export class GoHubError extends Error {
    constructor(code: ErrorCode, message: string, options?: { retryAfterMs?: number; room?: string; cause?: unknown });
    /** For programs. */
    readonly code: ErrorCode;
    /** For people. */
    readonly message: string;
    /** Whether the same may succeed later. */
    readonly retryable: boolean;
    /** When it may, where the hub told. */
    readonly retryAfterMs?: number;
    readonly room?: string;
}

// Names

/** The name of two users' direct conversation. */
export function directRoom(one: string, other: string): string;
/** The other user of a direct conversation; null for a plain room. */
export function otherUser(room: string, user: string): string | null;
