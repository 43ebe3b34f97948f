// An image at full size over the page. The browser keeps the focus inside the dialog and restores it afterwards.
import { icon, iconButton, make, sizeText } from "./dom.js";
import { previewURL, save, show } from "./media.js";

export function openViewer(chat, file, author) {
    const name = file.name ?? "image";
    const { width, height } = file;
    const image = make("img", { alt: file.alt || `Image ${name}`, width, height, decoding: "async" });
    const state = make("p.viewer-state", { role: "status" }, "Loading…");
    const closing = iconButton("close", "Close", () => dialog.close(), { autofocus: true });
    const dialog = make("dialog.viewer", { "aria-label": `Image ${name}, from ${author}` },
        make("div.viewer-bar", {},
            make("p.viewer-name", {}, make("bdi", {}, name),
                make("span.size", {}, file.size === undefined ? "" : sizeText(file.size))),
            make("button.quiet", { type: "button", onclick: () => save(chat, file) }, icon("download"), "Download"),
            closing),
        make("div.viewer-stage", {}, image, state),
        file.alt ? make("p.viewer-alt", { dir: "auto" }, file.alt) : null);
    dialog.addEventListener("click", (event) => {
        // Ignores the second click of a double click whose first click opened the viewer.
        if (event.detail > 1) return;
        if (event.target === dialog || event.target.matches(".viewer-stage")) dialog.close();
    });
    // Keys must not reach the conversation behind the viewer.
    dialog.addEventListener("keydown", (event) => event.stopPropagation());
    dialog.addEventListener("close", () => dialog.remove());
    image.hidden = true;
    // The preview first: the full image covers it once it is loaded.
    if (file.preview) {
        previewURL(chat, file.id).then((url) => {
            if (image.src) return;
            dialog.querySelector(".viewer-stage").style.backgroundImage = `url("${url}")`;
        }, () => {});
    }
    image.addEventListener("load", () => {
        image.hidden = false;
        state.textContent = "";
        dialog.querySelector(".viewer-stage").style.backgroundImage = "";
    });
    const failed = (error, again) => {
        const words = error ? `It can't be shown: ${error.message}` : "It can't be shown. It may have been deleted.";
        const retry = () => {
            state.textContent = "Loading…";
            closing.focus();
            again();
        };
        state.replaceChildren(words);
        if (again) state.append(" ", make("button.quiet", { type: "button", onclick: retry }, "Try again"));
    };
    show(chat, image, file.id, failed);
    document.body.append(dialog);
    dialog.showModal();
}
