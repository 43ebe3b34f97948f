// Valid and invalid uses of the SDK in TypeScript: checked by tsc, never run.
import { GoHub, GoHubError, directRoom, otherUser } from "../../../Sources/GoHubWeb/SDK/gohub.js";
import type { FileInfo, HubState, Message, Reply, Room, RoomSummary, Upload } from "../../../Sources/GoHubWeb/SDK/gohub.js";

async function page(fetchToken: (signal: AbortSignal) => Promise<string>): Promise<void> {
    const hub = new GoHub({ url: "https://hub.example.com", token: ({ signal }) => fetchToken(signal), outbox: sessionStorage });
    const guest = new GoHub({ user: "alice", environment: { WebSocket, crypto, random: () => 0.5 } });
    const off: () => void = hub.on("state", (state) => show(state));
    await hub.connect({ timeoutMs: 5_000, signal: new AbortController().signal });
    const room: Room = await hub.join("lobby", { history: 20 });
    room.on("message", (message) => line(message));
    room.on("reset", () => undefined);
    room.on("left", ({ reason }) => reason?.toUpperCase());
    hub.on("message", ({ room, message }) => room.name + message.text, { signal: new AbortController().signal });
    const reply: Reply = await room.send("hi", { replyTo: 1, ephemeral: false, literal: true });
    if (reply.kind === "stored") reply.offset?.toFixed();
    else if (reply.kind === "notice") reply.text.trim();
    else if (reply.kind === "members") reply.members.map(({ user, name }) => name ?? user);
    else reply.room.trim();
    await room.edit(1, "better");
    await room.react(1, "👍", { remove: true });
    const upload: Upload = room.upload(new Blob(["bytes"]), { name: "a.txt", alt: "a", onProgress: ({ sentBytes }) => sentBytes.toFixed() });
    upload.on("state", ({ state, secondsLeft }) => `${state} ${secondsLeft ?? ""}`);
    upload.alt = "b";
    upload.pause();
    upload.discard();
    const file: FileInfo = await upload.finished;
    await room.send("", { files: [upload, { id: file.id, alt: "c" }] });
    const link: string = await hub.fileURL(file.id, { isDownload: true, isRenewed: true, timeoutMs: 1 });
    const blob: Blob = await hub.download(file.id, { firstBytes: 2_048, onProgress: ({ bytes, total }) => bytes / (total ?? 1) });
    link.concat(String(blob.size));
    const more: boolean = await room.loadOlder();
    const seen: number | undefined = room.receipts.get("bob")?.seen;
    const rooms: RoomSummary[] = [...(await hub.rooms()), ...(await hub.follow({ history: 20, timeoutMs: 5_000 }))];
    rooms.map(({ last, unread }) => `${last?.text} ${unread} ${more} ${seen}`);
    const peer: string | null = otherUser(directRoom("alice", "bob"), "alice");
    (await guest.direct(peer ?? "bob")).seen();
    try {
        await room.delete(1);
    } catch (error) {
        if (error instanceof GoHubError && error.code === "forbidden" && error.retryable) error.retryAfterMs?.toFixed();
    }
    off();

    // @ts-expect-error no such event
    room.on("massage", () => undefined);
    // @ts-expect-error the view is read-only
    room.messages.push({});
    // @ts-expect-error a message is read-only
    room.messages[0].text = "other";
    // @ts-expect-error no such state of a connection
    if (hub.state.name === "online") off();
    // @ts-expect-error only the state `reconnecting` has the time of the next attempt
    hub.state.nextAttemptAt;
    // @ts-expect-error a page cannot construct rooms
    new Room("lobby");
    // @ts-expect-error an upload's progress is read-only
    upload.sentBytes = 1;
    // @ts-expect-error no such state of an upload
    if (upload.state === "uploading") off();
    // @ts-expect-error no such option
    await room.send("hi", { urgent: true });
}

function show(state: HubState): string {
    switch (state.name) {
        case "reconnecting": return `${state.reason}, again at ${new Date(state.nextAttemptAt)}`;
        case "closed": return state.cause === "replaced" ? "opened elsewhere" : state.reason;
        case "connecting": case "connected": case "draining": case "offline": return state.name;
    }
}

function line(message: Message): string {
    const reactions = message.reactions.map(({ reaction, count, by }) => `${reaction} ${count} ${by.join()}`);
    return `${message.offset ?? message.status} ${message.name}: ${message.deletedAt ? "deleted" : message.text} ${reactions}`;
}

export { page };
