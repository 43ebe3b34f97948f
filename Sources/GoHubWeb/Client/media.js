// The sources of a message's media: fetched previews, links that expire and are renewed, files to be saved.
import { make } from "./dom.js";

const PREVIEWS_MAX = 300;
const PREVIEW_BYTES_MAX = 1_048_576;
/** A link that fails this soon after a renewal has not expired: the file is gone, or cannot be shown. */
const RENEWED_MS = 10_000;

/** Object URLs by file id. The URL of an image that is already loaded may be revoked. */
const previews = new Map();

/** A file's preview, requested once. */
export async function previewURL(chat, id) {
    const known = previews.get(id);
    previews.delete(id);
    const fetched = () => chat.hub.download(id, { isPreview: true, bytesMax: PREVIEW_BYTES_MAX });
    const made = known ?? fetched().then((blob) => URL.createObjectURL(blob));
    previews.set(id, made);
    if (previews.size > PREVIEWS_MAX) forget(previews.keys().next().value);
    try {
        return await made;
    } catch (error) {
        if (previews.get(id) === made) previews.delete(id);
        throw error;
    }
}

function forget(id) {
    previews.get(id)?.then((url) => URL.revokeObjectURL(url), () => {});
    previews.delete(id);
}

/** Drops all previews when the user changes. */
export function forgetPreviews() {
    for (const id of [...previews.keys()]) forget(id);
}

/** Whether a retry may succeed: not if the file is gone or forbidden. */
const mayBeHad = ({ code, retryable }) => retryable || code === "closed";

/** Runs a function. On failure calls `failed` with the error and, if a retry may help, a function that retries. */
export async function attempt(run, failed) {
    try {
        await run();
    } catch (error) {
        failed(error, mayBeHad(error) ? () => attempt(run, failed) : null);
    }
}

/**
 * Sets the source of an image, audio or video element to a link. An expired link is renewed, and playback continues at
 * the same position. `failed` is called as in `attempt` if there is no link, and without an error if a valid link
 * leads to content that cannot be shown.
 */
export function show(chat, element, id, failed) {
    const { hub } = chat;
    let renewedAt = -Infinity;
    const load = (isRenewed) => attempt(async () => {
        const url = await hub.fileURL(id, { isRenewed });
        if (hub !== chat.hub) return;
        const at = element.currentTime ?? 0;
        const isPlaying = element.paused === false;
        element.src = url;
        if (at > 0) element.addEventListener("loadedmetadata", () => (element.currentTime = at), { once: true });
        if (isPlaying) element.play().catch(() => {});
    }, failed);
    element.addEventListener("error", () => {
        const now = performance.now();
        if (now - renewedAt < RENEWED_MS) return failed(null, null);
        renewedAt = now;
        load(true);
    });
    load(false);
}

/** Saves a file under its name through the browser. */
export async function save(chat, { id, name }) {
    try {
        const url = await chat.hub.fileURL(id, { isDownload: true });
        make("a", { href: url, download: name ?? "file" }).click();
    } catch (error) {
        chat.alert(`${name ?? "The file"} can't be fetched: ${error.message}`);
    }
}
