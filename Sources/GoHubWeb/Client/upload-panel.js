// The panel above the field: uploads with progress and actions, and messages that wait for their uploads.
import { durationText, icon, iconButton, make, onceAFrame, sizeText } from "./dom.js";
import { kindOf } from "./files.js";

const TICK_MS = 500;

const focusText = () => document.getElementById("text").focus();

/** An upload's state as text. */
export function wordsOf(upload, chat) {
    const { state, error, sentBytes, size, bytesPerSecond, secondsLeft, nextAttemptAt } = upload;
    const amount = `${sizeText(sentBytes)} of ${sizeText(size)}`;
    switch (state) {
        case "waiting": {
            if (!["connected", "draining"].includes(chat.state.name)) return `Waits for a connection, ${amount}`;
            if (nextAttemptAt === null) return "Waits for its turn";
            const seconds = Math.max(1, Math.ceil((nextAttemptAt - Date.now()) / 1_000));
            return `${error?.message ?? "The upload was interrupted."} Next attempt in ${seconds} s`;
        }
        case "checking": return sentBytes ? `Goes on at ${amount}…` : "Begins…";
        case "sending": {
            if (!bytesPerSecond) return amount;
            return `${amount}, ${sizeText(bytesPerSecond)}/s, ${durationText(secondsLeft)} left`;
        }
        case "paused": return `Paused, ${amount}`;
        case "done": return sizeText(size);
        case "failed": return `Not sent: ${error.message}`;
        default: return "Given up";
    }
}

/** One upload's row. Its elements are updated and never replaced, so that they keep the focus. */
class Row {
    element = make("li.upload");
    #upload;
    #chat;

    constructor(upload, chat, attachments) {
        this.#upload = upload;
        this.#chat = chat;
        const { name } = upload;
        const { sign } = kindOf(upload.type);
        this.bar = make("progress", { max: "100", value: "0", "aria-label": `Progress of ${name}` });
        this.words = make("p.upload-state");
        this.step = iconButton("pause", "", () => this.#act());
        const remove = iconButton("close", `Remove ${name}`, () => {
            const next = this.element.nextElementSibling ?? this.element.previousElementSibling;
            attachments.remove(upload.room, upload);
            if (next) next.querySelector("button:not([hidden])").focus();
            else focusText();
        });
        this.element.append(make("span.thumb", {}, icon(sign)),
            make("div.upload-body", {}, make("p.file-name", {}, make("bdi", {}, name)), this.bar, this.words),
            this.step, remove);
        if (sign === "image") this.element.append(this.#altField(name));
    }

    /** The field for an image's alternative text. */
    #altField(name) {
        const field = make("input", {
            type: "text", maxlength: "1000", autocomplete: "off", value: this.#upload.alt,
            placeholder: "Describe the image", "aria-label": `Description of ${name}`, "aria-describedby": "alt-hint", dir: "auto",
        });
        field.addEventListener("input", () => {
            try {
                this.#upload.alt = field.value.replace(/\p{Cc}+/gu, " ");
            } catch {
                field.value = this.#upload.alt; // Longer than the hub accepts.
            }
        });
        // Enter sends the message, as in the composer's text field.
        field.addEventListener("keydown", (event) => {
            if (event.key !== "Enter" || event.isComposing) return;
            event.preventDefault();
            this.element.dispatchEvent(new CustomEvent("wantssending", { bubbles: true }));
        });
        return make("div.alt", {}, field);
    }

    #act() {
        const upload = this.#upload;
        if (upload.state === "paused") upload.resume();
        else if (upload.state === "failed" || upload.nextAttemptAt !== null) upload.retry();
        else upload.pause();
    }

    show() {
        const upload = this.#upload;
        const { state, name, sentBytes, size } = upload;
        this.element.dataset.state = state;
        const percent = size ? Math.floor((100 * sentBytes) / size) : state === "done" ? 100 : 0;
        if (this.bar.value !== percent) this.bar.value = percent;
        this.bar.hidden = state === "done";
        const words = wordsOf(upload, this.#chat);
        if (this.words.textContent !== words) this.words.textContent = words;
        const isAgain = state === "failed" || upload.nextAttemptAt !== null;
        const [sign, label] = state === "paused" ? ["play", "Resume"]
            : isAgain ? ["retry", "Try again"] : ["pause", "Pause"];
        if (this.step.dataset.sign !== sign) {
            this.step.dataset.sign = sign;
            this.step.replaceChildren(icon(sign));
            this.step.title = `${label} ${name}`;
            this.step.setAttribute("aria-label", this.step.title);
        }
        const hadFocus = this.step === document.activeElement;
        this.step.hidden = upload.isOver && state !== "failed";
        if (!hadFocus || !this.step.hidden) return;
        // The focus must not move to the neighbour, which removes the file: a second press would hit it.
        const field = this.element.querySelector("input");
        if (field) field.focus();
        else focusText();
    }
}

export class UploadPanel extends HTMLElement {
    #chat;
    #attachments;
    #rows = new Map();
    #timer = null;
    #render = onceAFrame(() => this.#show());
    #list = make("ul.uploads", { "aria-label": "Files to send" });
    #held = make("ul.held", { "aria-label": "Messages that wait for their files" });

    attach(chat, attachments) {
        this.#chat = chat;
        this.#attachments = attachments;
        this.hidden = true;
        this.replaceChildren(this.#held, this.#list,
            make("p.unseen", { id: "alt-hint" }, "For people who don't see the image. It is sent with the message."));
        attachments.addEventListener("change", () => this.#render());
        for (const type of ["current", "state"]) chat.on(type, () => this.#render());
    }

    #rowOf(upload) {
        if (!this.#rows.has(upload)) this.#rows.set(upload, new Row(upload, this.#chat, this.#attachments));
        return this.#rows.get(upload);
    }

    #show() {
        const focused = this.contains(document.activeElement) ? document.activeElement : null;
        this.#update();
        if (!focused || this.contains(document.activeElement)) return;
        // A file that moves from the draft into a message moves its field too, and the field loses the focus.
        if (this.contains(focused)) focused.focus();
        if (document.activeElement !== focused) focusText();
    }

    #update() {
        const room = this.#chat.current;
        const { draft, held } = room ? this.#attachments.of(room) : { draft: [], held: [] };
        const shown = new Set([...held.flatMap(({ uploads }) => uploads), ...draft]);
        for (const upload of this.#rows.keys()) if (!shown.has(upload)) this.#rows.delete(upload);
        place(this.#list, draft.map((upload) => this.#rowOf(upload).element));
        place(this.#held, held.map((message) => this.#message(room, message)));
        for (const upload of shown) this.#rowOf(upload).show();
        this.hidden = shown.size === 0 && held.length === 0;
        this.#list.hidden = draft.length === 0;
        this.#held.hidden = held.length === 0;
        // Countdowns change without events.
        const isCounting = [...shown].some(({ nextAttemptAt }) => nextAttemptAt !== null);
        if (isCounting && !this.#timer) this.#timer = setInterval(this.#render, TICK_MS);
        if (isCounting) return;
        clearInterval(this.#timer);
        this.#timer = null;
    }

    #message(room, message) {
        if (!message.element) {
            const detail = { room, message };
            const takeBack = () => this.dispatchEvent(new CustomEvent("takeback", { detail, bubbles: true }));
            message.list = make("ul.uploads", { "aria-label": "Files of this message" });
            message.element = make("li", {},
                make("p.held-text", {}, make("strong", {}, "Sent when its files are there"),
                    make("span.quoted", { dir: "auto" }, message.text.slice(0, 120)),
                    make("button.quiet", { type: "button", onclick: takeBack }, "Take back")),
                message.list);
            this.#keepWhileWritten(room, message);
        }
        place(message.list, message.uploads.map((upload) => this.#rowOf(upload).element));
        return message.element;
    }

    /** Holds a message back while the user edits its files' descriptions. */
    #keepWhileWritten(room, message) {
        const { element } = message;
        element.addEventListener("focusin", ({ target }) => target.matches("input") && this.#attachments.keep(message));
        element.addEventListener("focusout", ({ relatedTarget }) => {
            // A user who switches to another window returns to the same field.
            const stays = element.contains(relatedTarget) || element.contains(document.activeElement);
            if (!stays) this.#attachments.letGo(room);
        });
    }
}

/** Replaces the children, changing only those that differ. */
function place(parent, elements) {
    const wanted = new Set(elements);
    for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
    for (const [index, element] of elements.entries()) {
        if (parent.children[index] !== element) parent.insertBefore(element, parent.children[index] ?? null);
    }
}

customElements.define("hub-upload-panel", UploadPanel);
