// Files that are dragged onto the conversation or pasted into the field.
import { icon, make } from "./dom.js";

const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");

/** The dropped files, without folders; `hasFolders` reports those. */
function dropped(transfer) {
    const isFolder = (item) => item.webkitGetAsEntry?.()?.isDirectory ?? false;
    const items = [...transfer.items].filter(({ kind }) => kind === "file");
    return {
        files: items.filter((item) => !isFolder(item)).map((item) => item.getAsFile()).filter(Boolean),
        hasFolders: items.some(isFolder),
    };
}

/** `target()` is the room that files go to, or null while there is none. */
export function takeDrops(area, chat, target, add) {
    const sign = make("div.drop-sign", { "aria-hidden": "true" }, icon("clip"), make("p"));
    sign.hidden = true;
    area.append(sign);
    const show = (room) => {
        sign.hidden = !room;
        const title = room && (room.peer ? chat.titleOf(room.name) : `#${room.name}`);
        if (room) sign.querySelector("p").replaceChildren("Drop files here for ", make("bdi", {}, title));
    };
    // The browser opens a file that is dropped elsewhere, and leaves the page.
    for (const type of ["dragover", "drop"]) {
        addEventListener(type, (event) => {
            if (!hasFiles(event) || area.contains(event.target)) return;
            event.preventDefault();
            event.dataTransfer.dropEffect = "none";
        });
    }
    area.addEventListener("dragover", (event) => {
        if (!hasFiles(event)) return;
        event.preventDefault();
        const room = target();
        event.dataTransfer.dropEffect = room ? "copy" : "none";
        show(room);
    });
    area.addEventListener("dragleave", (event) => area.contains(event.relatedTarget) || show(null));
    area.addEventListener("drop", (event) => {
        if (!hasFiles(event)) return;
        event.preventDefault();
        show(null);
        const { files, hasFolders } = dropped(event.dataTransfer);
        if (hasFolders) chat.alert("Folders cannot be sent. Drop the files instead.");
        if (target()) add(files);
    });
    addEventListener("dragend", () => show(null));
}

/**
 * Adds pasted files, such as images. If the clipboard also has text, as when copied from a spreadsheet, only the text
 * is pasted.
 */
export function takePastes(field, add) {
    field.addEventListener("paste", (event) => {
        const files = [...(event.clipboardData?.files ?? [])];
        if (!files.length || event.clipboardData.getData("text/plain")) return;
        event.preventDefault();
        add(files);
    });
}
