// The files of a message. Previews reserve their space from the beginning, so that nothing moves when they load. Names
// and descriptions come from users and are inserted only as text.
import { icon, iconButton, make, sizeText } from "./dom.js";
import { attempt, previewURL, save, show } from "./media.js";
import { drawPlaceholder } from "./placeholder.js";
import { openViewer } from "./viewer.js";

const PICTURE = { width: 360, height: 300 };
/** An image of unknown size. */
const FRAME = { width: 240, height: 160 };
/** A larger image without a preview is shown only on request. */
const UNASKED_BYTES_MAX = 2_097_152;
const SIDE_MAX = 1_000_000;
const TEXT_BYTES = 2_048;
/** An estimate, for the space reserved for a text before it is loaded. */
const LINE_BYTES = 30;

/** A file's kind: the name of its icon, and a word. */
export function kindOf(type = "") {
    if (type.startsWith("image/")) return { sign: "image", word: "Image" };
    if (type.startsWith("audio/")) return { sign: "sound", word: "Sound" };
    if (type.startsWith("video/")) return { sign: "film", word: "Video" };
    if (type === "text/plain") return { sign: "text", word: "Text" };
    return { sign: "file", word: type === "application/pdf" ? "PDF" : "File" };
}

/** A message in one line, also if it has only files. */
export function gistOf({ text, files = [] }) {
    if (text || !files.length) return text;
    const [first] = files;
    const name = first.alt || first.name || "a file";
    return files.length === 1 ? `${kindOf(first.type).word}: ${name}` : `${files.length} files: ${name}, …`;
}

/** Makes the element for all files of a message. */
export function filesOf(message, chat) {
    return make("ul.files", { "aria-label": message.files.length === 1 ? "File" : "Files" },
        ...message.files.map((file) => make("li", {}, elementOf(file, message, chat))));
}

function elementOf(file, message, chat) {
    const { sign } = kindOf(file.type);
    if (sign === "image" && (file.preview || file.size <= UNASKED_BYTES_MAX)) return picture(file, message, chat);
    if (sign === "sound" || sign === "film") return player(file, sign, chat);
    if (sign === "text") return excerpt(file, chat);
    return make("div.file", {}, ...line(file, message, chat));
}

/** Icon, name, size and actions. */
function line(file, message, chat) {
    const { sign, word } = kindOf(file.type);
    const name = file.name ?? "file";
    return [
        icon(sign),
        make("p.file-name", {}, make("bdi", {}, name),
            make("span.size", {}, file.size === undefined ? word : `${word}, ${sizeText(file.size)}`)),
        sign === "image" && message && iconButton("image", `Open ${name}`, () => openViewer(chat, file, message.name)),
        iconButton("download", `Download ${name}`, () => save(chat, file)),
    ];
}

const isSide = (value) => Number.isFinite(value) && value >= 1 && value <= SIDE_MAX;

/** An image's displayed size: within bounds, never larger than the image. */
function sizeShown({ width, height }) {
    if (!isSide(width) || !isSide(height)) return FRAME;
    const scale = Math.min(1, PICTURE.width / width, PICTURE.height / height);
    return { width: Math.max(48, Math.round(width * scale)), height: Math.max(32, Math.round(height * scale)) };
}

function picture(file, message, chat) {
    const name = file.name ?? "image";
    const size = sizeShown(file);
    // The label belongs to the button: it names the image and the action.
    const image = make("img", { alt: "", width: size.width, height: size.height, decoding: "async" });
    const canvas = make("canvas", { "aria-hidden": "true" });
    const open = () => openViewer(chat, file, message.name);
    let act = open;
    const button = make("button.preview", { type: "button", title: file.alt || name, onclick: () => act() });
    const label = (words) => button.setAttribute("aria-label", `${file.alt || `Image ${name}`}, ${words}`);
    button.style.width = `${size.width}px`;
    button.style.aspectRatio = `${size.width} / ${size.height}`;
    const hasPlaceholder = drawPlaceholder(file.placeholder, canvas);
    const begin = () => {
        button.replaceChildren(canvas, image);
        button.classList.remove("broken");
        canvas.hidden = !hasPlaceholder;
        label("open");
        act = open;
    };
    /** Shows that the image failed. A click tries again, or opens the viewer, which shows the reason. */
    const failed = (error, again) => {
        const [sign, words] = again ? ["retry", "Try again"] : ["image", "can't be shown"];
        button.replaceChildren(icon(sign), make("span", {}, words));
        button.classList.add("broken");
        label(again ? "can't be fetched. Try again" : "can't be shown, open");
        if (!again) return;
        act = () => {
            begin();
            again();
        };
    };
    begin();
    image.addEventListener("load", () => (canvas.hidden = true));
    if (file.preview) {
        attempt(async () => (image.src = await previewURL(chat, file.id)), failed);
        image.addEventListener("error", () => failed(null, null));
    } else show(chat, image, file.id, failed);
    return button;
}

/** Replaces content that cannot be shown: a text, and a button if a retry may help. */
function failure(selector, words, again, back) {
    const retry = () => {
        back();
        again();
    };
    return make(selector, {}, again ? `${words} ` : words,
        again && make("button.quiet", { type: "button", onclick: retry }, "Try again"));
}

function player(file, sign, chat) {
    const name = file.name ?? "file";
    const element = make(sign === "film" ? "video.player" : "audio.player", {
        controls: true, preload: "metadata", playsinline: true,
        "aria-label": file.alt || `${kindOf(file.type).word} ${name}`,
    });
    const box = make("div.media", {}, element, make("div.file", {}, ...line(file, null, chat)));
    const what = `This ${sign === "film" ? "video" : "sound"}`;
    show(chat, element, file.id, (error, again) => {
        // If the browser does not support the format, the file can still be saved.
        const words = again ? `${what} can't be fetched: ${error.message}` : `${what} can't be played here.`;
        const notice = failure("p.media-failure", words, again, () => {
            notice.replaceWith(element);
            element.focus();
        });
        element.replaceWith(notice);
    });
    return box;
}

/** The beginning of a text file. */
function excerpt(file, chat) {
    const name = file.name ?? "text";
    const label = `Beginning of ${name}`;
    const text = make("pre.excerpt", { tabindex: "0", role: "region", "aria-label": label, dir: "auto" });
    const lines = Math.min(8, Math.max(2, Math.ceil((file.size ?? 0) / LINE_BYTES)));
    text.style.height = `${lines * 1.3 + 1}em`;
    const box = make("div.media", {}, text, make("div.file", {}, ...line(file, null, chat)));
    const read = async () => {
        text.textContent = "";
        const blob = await chat.hub.download(file.id, { firstBytes: TEXT_BYTES });
        // A character that is cut off at the end is omitted.
        const shown = new TextDecoder().decode(await blob.arrayBuffer(), { stream: true });
        text.textContent = file.size > TEXT_BYTES ? `${shown}…` : shown;
    };
    attempt(read, (error, again) => {
        text.replaceChildren(failure("span", `It can't be shown: ${error.message}`, again, () => text.focus()));
    });
    return box;
}
