/**
 * GoHub's client: one connection that reconnects by itself and does not lose, repeat or reorder messages. See
 * Docs/SDK.md.
 */

// The hub

export interface GoHubOptions {
    /**
     * The hub's URL, such as `https://hub.example.com`, or the full URL of its WebSocket. Resolved against the page's
     * URL. Default: the page's origin.
     */
    url?: string | URL;
    /**
     * Fetches a token. Called for the first connection, before the token of a live connection expires, and for a
     * reconnection if the last token expires within a minute or was refused as expired.
     */
    token?: (request: TokenRequest) => string | Promise<string>;
    /** The user id, instead of a token, for a hub in development mode. With neither, the hub creates a guest. */
    user?: string;
    /**
     * Names this tab or install, 1–64 bytes. A newer connection of the same user and device replaces the older one.
     * Default: in a browser an id that lasts as long as the tab, elsewhere a random id.
     */
    device?: string;
    /**
     * Where unacknowledged commands are kept. `"memory"` (the default) survives reconnects. `sessionStorage`, or an
     * object with the same methods, also survives a reload of the page.
     */
    outbox?: "memory" | OutboxStorage;
    /** Maximum commands in the outbox, over all rooms. Further commands fail with `outbox_full`. Default 1,000. */
    outboxCommandsMax?: number;
    /** Maximum size of the outbox in bytes of UTF-8. Default 1 MiB. */
    outboxBytesMax?: number;
    /** Maximum messages in a room's view. Default 1,000. */
    messagesMax?: number;
    /** Replaces browser features in runtimes that lack them, and in tests. */
    environment?: Partial<Environment>;
}

export interface TokenRequest {
    /**
     * `connect`: for a new connection. `refresh`: the connection's token expires soon, or the page called `refresh`.
     * `expired`: the hub refused the last token as expired. For `refresh` and `expired`, returning the same token again
     * counts as a failure.
     */
    readonly reason: "connect" | "refresh" | "expired";
    /** Aborted when the token is no longer needed, at the latest after 15 s. */
    readonly signal: AbortSignal;
}

/** The part of `Storage` that the SDK uses. */
export interface OutboxStorage {
    getItem(key: string): string | null;
    setItem(key: string, value: string): void;
    removeItem(key: string): void;
}

/** The runtime features that the SDK uses. Default: the browser's. */
export interface Environment {
    /** Node before 22 has no built-in one: use the class `WebSocket` of the package `ws`. */
    WebSocket: WebSocketConstructor;
    /** In Node before 20: `webcrypto` of `node:crypto`. */
    crypto: {
        getRandomValues(bytes: Uint8Array): unknown;
        /** Missing in pages without TLS, for example. Uploads are then sent without a hash. */
        readonly subtle?: { digest(algorithm: "SHA-256", bytes: Uint8Array): Promise<ArrayBuffer> };
    };
    /** Used for files. */
    fetch(url: string, init: RequestInit): Promise<Response>;
    /** Milliseconds since 1970. */
    now(): number;
    /** At least 0, less than 1. */
    random(): number;
    setTimeout(callback: () => void, delayMs: number): unknown;
    clearTimeout(handle: unknown): void;
    /** Whether the system reports a network. */
    isOnline(): boolean;
    /**
     * Calls back at each `online`, `offline`, `focus`, `pageshow` and `visibilitychange`. Returns a function that stops
     * it.
     */
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

/** The connection's state. Computed when read: a connection that has been silent for too long is not `connected`. */
export type HubState =
    | { readonly name: "connecting" }
    | { readonly name: "connected" }
    /** Connected to a hub that is about to stop and has said when to reconnect. Rooms cannot be joined. */
    | { readonly name: "draining" }
    /** Waiting for the next attempt, at `nextAttemptAt` on the environment's clock. */
    | { readonly name: "reconnecting"; readonly nextAttemptAt: number; readonly reason: string; readonly code?: number }
    /** The system reports no network. The SDK reconnects when there is one. */
    | { readonly name: "offline" }
    /** Not connected, and no automatic reconnect. Call `connect` to start again. */
    | { readonly name: "closed"; readonly cause: ClosedCause; readonly reason: string; readonly code?: number };

/**
 * - `new`: `connect` has not been called yet.
 * - `ended`: `close` was called, or the hub ended the session.
 * - `replaced`: a newer connection of the same user and device replaced this one, for example from a copy of the tab.
 * - `unauthorized`: the token is invalid or missing, or has expired and there is no callback to fetch another one.
 * - `removed`: a moderator or the server removed the user.
 * - `refused`: the hub refused this client for another reason, given in `reason`.
 */
export type ClosedCause = "new" | "ended" | "replaced" | "unauthorized" | "removed" | "refused";

export interface HubEvents {
    /** The connection's state has changed. */
    state: HubState;
    /** A room was opened: by `join`, by `/join`, or because another user started a direct conversation. */
    room: Room;
    /** The user left a room or was removed from it. `reason` comes from a moderator or the token. */
    left: { readonly room: Room; readonly reason?: string };
    /** A new message in any room. See the room's `message` event. */
    message: { readonly room: Room; readonly message: Message };
    /** A text from the hub, for the room or for this user. Replies to slash commands are also the result of `send`. */
    notice: Notice;
    /** A refusal by the hub that no promise reports. */
    error: GoHubError;
    /**
     * The token callback failed or returned the same token again, or the hub refused its token for a live connection.
     * The SDK calls the callback again. Let the user sign in, then call `connect`, or `refresh` on a live connection.
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
    /** Maximum rooms in one `join`. Absent if the hub takes only one. */
    readonly roomsPerJoin?: number;
}

export interface WaitOptions {
    /** Aborts the wait with the code `aborted`. */
    signal?: AbortSignal;
    /** Maximum wait, after which the call rejects with the code `timeout`. Default 30 s. */
    timeoutMs?: number;
}

export interface ListenOptions {
    /** Ends the subscription. */
    signal?: AbortSignal;
}

export class GoHub {
    constructor(options?: GoHubOptions);

    readonly state: HubState;
    /** The user id that the hub assigned; null before the first welcome. */
    readonly user: string | null;
    /** The name that other users see. */
    readonly displayName: string | null;
    readonly tenant: string | null;
    /** The device's id; null before the first `connect`. */
    readonly device: string | null;
    /** The hub's limits, from the last welcome. */
    readonly limits: HubLimits | null;
    /** The hub's clock, estimated from the last welcome. */
    readonly serverNow: number;
    /** The open rooms: joined, joining, or refused. The same array until a room is opened or left. */
    readonly openRooms: readonly Room[];

    /**
     * Connects, and keeps connected until `close`. In the state `reconnecting` it tries at once.
     * Resolves when the hub has sent its welcome. Rejects when the state becomes `closed`, or after the timeout.
     * The SDK keeps trying after a timeout. The promise may be ignored: its rejection is never reported as unhandled.
     */
    connect(options?: WaitOptions): Promise<void>;
    /**
     * Disconnects permanently. Unacknowledged commands are rejected with `closed`, shown as failed in the views, and
     * removed from the outbox storage. (If the hub closes the connection, they wait for another `connect` instead.)
     */
    close(): void;

    /** An open room. */
    room(name: string): Room | undefined;
    /**
     * Opens a room and keeps it joined, over reconnects, until `leave`. Resolves when it is joined, with its newest
     * messages. Rejects when the hub refuses (the room's status is `refused`), or after the timeout; the SDK then keeps
     * trying to join.
     */
    join(name: string, options?: JoinOptions): Promise<Room>;
    /** Opens the direct conversation with a user. Its room has no members and cannot be refused. */
    direct(user: string, options?: JoinOptions): Promise<Room>;
    /** Fetches all of the user's rooms with their unread counts. */
    rooms(options?: WaitOptions): Promise<RoomSummary[]>;
    /**
     * Opens the rooms that the user follows: those joined on any device and not left. Opens at most `limits.rooms`, the
     * rooms with the newest messages first. Also opens direct conversations with unread messages; other direct
     * conversations open when somebody writes. `unread` of each room then starts from the hub's count.
     * Call it after each connection. Resolves to the result of `rooms`; the rooms are joined after that.
     * The promise may be ignored: its rejection is never reported as unhandled.
     */
    follow(options?: JoinOptions): Promise<RoomSummary[]>;
    /** Fetches a token and gives it to the live connection. The SDK also does this by itself before a token expires. */
    refresh(options?: WaitOptions): Promise<void>;

    /**
     * Makes a link to a file, for `<img>`, `<video>` and similar elements. Anybody who has the link can use it without
     * a token until it expires (after an hour by default). Returns the same link until shortly before it expires.
     */
    fileURL(id: string, options?: FileURLOptions): Promise<string>;
    /** Downloads a file into memory, authorized by the token: its preview, its first bytes, or the whole file. */
    download(id: string, options?: DownloadOptions): Promise<Blob>;

    /** Calls back at each event of the type. Returns a function that ends the subscription. */
    on<Type extends keyof HubEvents>(
        type: Type, listener: (event: HubEvents[Type]) => void, options?: ListenOptions): () => void;
}

export interface JoinOptions extends WaitOptions {
    /** Number of newest messages to fetch first. Default 50. */
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
    /** The id of the `send` that it answers. */
    readonly id?: string;
}

// Rooms

/** A room is also `joining` while there is no connection. */
export type RoomStatus = "joining" | "joined" | "refused" | "left";

export interface RoomEvents {
    /** A new message, live or recovered after a reconnect. Not sent for messages that `join` and `loadOlder` fetch. */
    message: Message;
    /** A message in the view has changed: it was edited, deleted or reacted to. */
    update: Message;
    /** One of the user's own messages is waiting, was acknowledged, has failed, or was discarded. */
    pending: Message;
    /**
     * Recovery was incomplete, or the room has a new epoch. The view was emptied; the newest messages follow.
     */
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
    /** The user left the room or was removed from it. */
    left: { readonly reason?: string };
    /** Any of the above; sent once for events that happen together. Render here. */
    change: void;
}

export interface Member {
    readonly user: string;
    /** Present if it differs from `user`. */
    readonly name?: string;
}

export interface Receipt {
    readonly delivered: number;
    readonly seen: number;
}

/** An open room: from `join`, `direct`, or the hub's event `room`. */
export interface Room {
    readonly name: string;
    /** The other user of a direct conversation; null for a plain room. */
    readonly peer: string | null;
    readonly status: RoomStatus;
    /** Why the hub refused. */
    readonly error: GoHubError | null;
    /** The position: all entries up to it were received, in order. */
    readonly epoch: string | null;
    readonly offset: number;

    /**
     * The view: the newest messages in order and in their current form, at most `messagesMax`, followed by the user's
     * own unacknowledged messages. Message objects are immutable: a changed message is a new object.
     */
    readonly messages: readonly Message[];
    /** Whether earlier messages than those in the view are known to exist. */
    readonly hasOlder: boolean;
    /**
     * Number of messages from others after the user's own `seen`: those in the view, and earlier ones that were in the
     * view before or that `follow` counted.
     */
    readonly unread: number;
    /** The members who are present, by user id; at most 200. */
    readonly members: ReadonlyMap<string, Member>;
    /** Number of members who are present. */
    readonly count: number;
    /** The receipts of each user, by user id. Empty in large rooms. */
    readonly receipts: ReadonlyMap<string, Receipt>;
    /** Other users who are typing. The same array until they change. */
    readonly typingUsers: readonly string[];

    /** The message at an offset, if it is in the view; for example the message that a reply answers. */
    message(offset: number): Message | undefined;
    /**
     * The users who have seen the message at an offset, except this user and the sender. The same array until they
     * change.
     */
    seenBy(offset: number): readonly string[];

    /**
     * Sends a message now, or as soon as possible. It appears in the view at once and survives reconnects. The SDK
     * repeats it with the same id until the hub has replied, and keeps the order of the messages sent to the room.
     * Resolves when the hub has stored it. Rejects when the hub refuses it, the outbox is full, the room is left,
     * `close` is called, `signal` is aborted (the hub may have stored it anyway), or after 23 hours. A failed message
     * stays in the view; see `resend` and `discard`. The promise may be ignored: its rejection is never reported as
     * unhandled.
     *
     * A text that begins with `/` is a slash command, unless it is `literal`.
     */
    send(text: string, options?: SendOptions): Promise<Reply>;
    /** Sends a failed message again with the same id. */
    resend(id: string): Promise<Reply>;
    /** Removes a failed message from the view. */
    discard(id: string): void;
    /**
     * `edit`, `delete` and `react` are kept and repeated like `send`, in the same order. The view shows them once
     * stored.
     */
    edit(offset: number, text: string, options?: ChangeOptions): Promise<Reply>;
    delete(offset: number, options?: ChangeOptions): Promise<Reply>;
    react(offset: number, reaction: string, options?: ReactOptions): Promise<Reply>;

    /**
     * Uploads a file to the room in parts, once there is a connection and at most one other upload is running. The
     * upload resumes after a lost connection. After a reload, uploading the same `File` to the same room resumes it
     * too. Other users see the file once a message contains it: `send("", { files: [upload] })`.
     */
    upload(file: Blob, options?: UploadOptions): Upload;

    /** Fetches a page of messages before or after an offset, or the newest. Does not change the view. */
    history(options?: HistoryOptions): Promise<Page>;
    /**
     * Adds up to `limit` (50) entries before the view. Resolves to `hasOlder`. Fails with `too_large` if the view is
     * full: see `trim`.
     */
    loadOlder(limit?: number, options?: WaitOptions): Promise<boolean>;
    /** Removes all but the newest messages from the view. */
    trim(keep?: number): void;
    /** Fetches the members who are present, and updates `members` and `count`. */
    who(options?: WaitOptions): Promise<{ readonly members: readonly Member[]; readonly count: number }>;

    /**
     * Call it at each key press. It is sent at most every 3 s. Typing ends with `false`, or after 6 s without a call.
     */
    typing(active?: boolean): void;
    /**
     * Call it when the user can see the messages up to an offset, or all of them. It is sent at most once a second.
     */
    seen(offset?: number): void;
    /**
     * Leaves the room: the user no longer follows it. Without a connection, the SDK leaves it on the next one.
     * A direct conversation is only closed on this client, until somebody writes in it.
     */
    leave(options?: WaitOptions): Promise<void>;

    /** Calls back at each event of the type. Returns a function that ends the subscription. */
    on<Type extends keyof RoomEvents>(
        type: Type, listener: (event: RoomEvents[Type]) => void, options?: ListenOptions): () => void;
}

export interface ChangeOptions {
    signal?: AbortSignal;
}

export interface SendOptions extends ChangeOptions {
    /** The offset of the message that this one answers. */
    replyTo?: number;
    /** Delivers only to members who are present now. Not stored, not repeated; fails without a connection. */
    ephemeral?: boolean;
    /** Sends the text unchanged, even if it begins with `/`. Use it for text that others wrote. */
    literal?: boolean;
    /**
     * Files of the room, at most ten: uploads that are `done`, or a file's `id`. `alt` is a description of at most
     * 1,000 bytes. With files the text may be empty. A slash command cannot have files.
     */
    files?: readonly (Upload | (Partial<FileInfo> & { readonly id: string }))[];
}

// Files

export interface FileInfo {
    readonly id: string;
    /** Chosen by the sender. Treat it as text, never as markup or a path. */
    readonly name: string;
    /** The media type that the hub detected from the first bytes, such as `image/png`. */
    readonly type: string;
    /** In bytes. */
    readonly size: number;
    /** Displayed size in pixels, for images that the hub has examined. */
    readonly width?: number;
    readonly height?: number;
    /** A BlurHash. */
    readonly placeholder?: string;
    /** Whether there is a preview: `download(id, { isPreview: true })`. */
    readonly preview?: boolean;
    /** The sender's description of the content. */
    readonly alt?: string;
}

/**
 * - `waiting`: for its turn, for a connection, or for the next attempt at `nextAttemptAt`; `error` is why the last
 *   attempt failed.
 * - `checking`: the file is hashed, and the hub is asked how many bytes it has.
 * - `sending`: parts are being sent. `paused`: by `pause`.
 * - `done`: the hub has the whole file, described in `file`. `failed`: see `error`; `retry` tries again. `cancelled`:
 *   by `cancel` or `discard`.
 */
export type UploadState = "waiting" | "checking" | "sending" | "paused" | "done" | "failed" | "cancelled";

export interface UploadEvents {
    /** `state` has changed, or another attempt has failed. */
    state: Upload;
    /** `sentBytes` and the values that depend on it have changed. */
    progress: Upload;
}

export interface UploadOptions {
    /** Cancels the upload. */
    signal?: AbortSignal;
    /** The file's display name. Default: its own name. */
    name?: string;
    /** A text alternative of at most 1,000 bytes. It can be set later. */
    alt?: string;
    /** Same as `on("progress", …)`. */
    onProgress?: (upload: Upload) => void;
}

/** An upload, from `Room.upload`. */
export interface Upload {
    readonly room: Room;
    readonly name: string;
    /** In bytes. */
    readonly size: number;
    /** The media type that the page states. The hub detects the type itself. */
    readonly type: string;
    alt: string;
    readonly state: UploadState;
    readonly error: GoHubError | null;
    /** When the next attempt is due, on the clock of `Date.now()`; null if none is. */
    readonly nextAttemptAt: number | null;
    /** Bytes that the hub has stored. */
    readonly sentBytes: number;
    /** Smoothed; null while nothing is sent. */
    readonly bytesPerSecond: number | null;
    readonly secondsLeft: number | null;
    /** The hub's description of the file, once the upload is done. */
    readonly file: FileInfo | null;
    /** Whether the state is final unless the page acts: `done`, `failed` or `cancelled`. */
    readonly isOver: boolean;
    /**
     * Resolves when the upload is done. Rejects when it has failed, or with the code `aborted` when it was cancelled.
     * `retry` creates a new promise. The promise may be ignored: its rejection is never reported as unhandled.
     */
    readonly finished: Promise<FileInfo>;

    /** Pauses. The hub keeps the bytes that it has received for at least a day. */
    pause(): void;
    resume(): void;
    /** Retries a failed upload, or starts the next attempt now. */
    retry(): void;
    /** Cancels the upload and deletes the hub's part of it. An upload that is already done stays. */
    cancel(): void;
    /**
     * Like `cancel`, but also deletes the file of an upload that is done. Use it if no message was sent with the file.
     * A file that the hub had before stays, because messages may contain it.
     */
    discard(): void;

    on<Type extends keyof UploadEvents>(
        type: Type, listener: (event: UploadEvents[Type]) => void, options?: ListenOptions): () => void;
}

export interface FileURLOptions extends WaitOptions {
    /** Makes browsers save the file, whatever its type. */
    isDownload?: boolean;
    /** Fetches a new link. Use it if the previous link failed. */
    isRenewed?: boolean;
}

export interface DownloadOptions {
    signal?: AbortSignal;
    /** Downloads the preview image instead. */
    isPreview?: boolean;
    /** Downloads only this many bytes from the beginning. */
    firstBytes?: number;
    /** Maximum download size; a larger file fails with `too_large`. Default 64 MiB. */
    bytesMax?: number;
    /** `total` is null if the hub does not state it. */
    onProgress?: (progress: { readonly bytes: number; readonly total: number | null }) => void;
}

export interface ReactOptions extends ChangeOptions {
    /** Removes the reaction. */
    remove?: boolean;
}

export interface HistoryOptions extends WaitOptions {
    before?: number;
    after?: number;
    /** Messages and changes. Default 50. */
    limit?: number;
}

export interface Page {
    /** In ascending order and in their current form. */
    readonly messages: readonly Message[];
    /** Whether there are more in the requested direction. */
    readonly more: boolean;
    /** Offsets of the page's first and last entry, changes included. Continue from them. */
    readonly first?: number;
    readonly last?: number;
}

/** The hub's reply to a `send`, `edit`, `delete` or `react`. */
export type Reply =
    /** Stored. Without `offset`: an ephemeral message, or a reaction that changed nothing (`unchanged`). */
    | {
        readonly kind: "stored"; readonly id: string; readonly room: string; readonly at: number;
        readonly epoch?: string; readonly offset?: number;
        /** An earlier attempt had already stored it. */
        readonly duplicate?: boolean;
        readonly unchanged?: boolean;
    }
    /** Replies to slash commands. */
    | { readonly kind: "notice"; readonly id: string; readonly room?: string; readonly text: string }
    | { readonly kind: "members"; readonly id: string; readonly room: string; readonly members: readonly Member[]; readonly count: number }
    | { readonly kind: "joined" | "left"; readonly id: string; readonly room: string };

export interface Message {
    readonly id: string;
    readonly room: string;
    /** Its offset in the room. Absent until it is stored, and for ephemeral messages. */
    readonly offset?: number;
    readonly from: string;
    /** The sender's display name: the token's, or the user id. */
    readonly name: string;
    readonly isOwn: boolean;
    /** Milliseconds since 1970 on the hub's clock; an estimate until it is stored. */
    readonly at: number;
    /** Text, never markup. Empty if the message is deleted. */
    readonly text: string;
    readonly replyTo?: number;
    readonly ephemeral?: boolean;
    readonly editedAt?: number;
    readonly deletedAt?: number;
    readonly reactions: readonly Reaction[];
    /** Empty if the message is deleted. After a reload, files of an unstored message have only `id` and `alt`. */
    readonly files: readonly (Partial<FileInfo> & { readonly id: string })[];
    /** `sending`: not acknowledged. `sent`: stored. `failed`: see `error`. */
    readonly status: "sending" | "sent" | "failed";
    readonly error?: GoHubError;
}

export interface Reaction {
    readonly reaction: string;
    readonly count: number;
    /** Up to five of the users who reacted. */
    readonly by: readonly string[];
}

// Errors

/** The protocol's codes, then the SDK's own. The hub may add codes. */
export type ErrorCode =
    | "bad_request" | "unauthorized" | "forbidden" | "not_found" | "rate_limited" | "too_large" | "conflict" | "unavailable"
    | "internal"
    /** The wait ended without a reply. */
    | "timeout"
    /** The caller's signal was aborted. */
    | "aborted"
    /** The `GoHub` object is closed, or was closed before the reply. */
    | "closed"
    /** The room was left before the reply. */
    | "left"
    /** No connection, or it was lost before the reply. Only for commands that are not repeated. */
    | "disconnected"
    /** The outbox is full. */
    | "outbox_full"
    /** The token callback failed; `cause` is the thrown value. */
    | "token_failed"
    /** The file exceeds the quota of its sender or tenant. (`too_large`: the file exceeds the size limit for all.) */
    | "quota_exceeded"
    /** The bytes that the hub received do not match the file's hash. */
    | "hash_mismatch"
    /** The browser can no longer read the file. */
    | "unreadable"
    | (string & {});

export class GoHubError extends Error {
    constructor(code: ErrorCode, message: string, options?: { retryAfterMs?: number; room?: string; cause?: unknown });
    /** For programs to compare. */
    readonly code: ErrorCode;
    /** For people to read. */
    readonly message: string;
    /** Whether the same may succeed later. */
    readonly retryable: boolean;
    /** Delay before a retry, if the hub stated one. */
    readonly retryAfterMs?: number;
    readonly room?: string;
}

// Names

/** The room name of the direct conversation of two users. */
export function directRoom(one: string, other: string): string;
/** The other user of a direct conversation; null for a plain room. */
export function otherUser(room: string, user: string): string | null;
