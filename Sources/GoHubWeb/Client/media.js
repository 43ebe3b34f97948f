// Where what messages show comes from: previews that were fetched, links that end and are renewed, files to be saved.
import { make } from "./dom.js";

const PREVIEWS_MAX = 300;
const PREVIEW_BYTES_MAX = 1_048_576;
/** A link that failed so soon after another one isn't over: the file is gone, or can't be shown. */
const RENEWED_MS = 10_000;

/** By file: an address in this page's memory. One that is shown already may be revoked. */
const previews = new Map();

/** The small image of a file; asked for once. */
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

/** Another user has no business with them. */
export function forgetPreviews() {
    for (const id of [...previews.keys()]) forget(id);
}

/** Whether the same may be had later, if somebody asks again: not what is gone, or not for them. */
const mayBeHad = ({ code, retryable }) => retryable || code === "closed";

/** Does what may fail; then calls `failed` with the error and, where that may help, with what tries again. */
export async function attempt(run, failed) {
    try {
        await run();
    } catch (error) {
        failed(error, mayBeHad(error) ? () => attempt(run, failed) : null);
    }
}

/**
 * Gives an image, a sound or a video its file, by a link that is renewed when it is over, and then goes on where it
 * was. `failed` is called as that of `attempt` when there is no link, and without an error when a link that was good
 * leads to nothing that can be shown.
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

/** Has the browser save a file under its name. */
export async function save(chat, { id, name }) {
    try {
        const url = await chat.hub.fileURL(id, { isDownload: true });
        make("a", { href: url, download: name ?? "file" }).click();
    } catch (error) {
        chat.alert(`${name ?? "The file"} can't be fetched: ${error.message}`);
    }
}
