// The composer: a growing text field, the reply or edit it belongs to, and the completions of commands.
import { announce, icon, iconButton, make } from "./dom.js";
import { completions } from "./commands.js";
import { takeDrops, takePastes } from "./drop.js";
import { gistOf } from "./files.js";
import { Attachments } from "./attachments.js";

const OPTIONS_SHOWN = 8;
const encoder = new TextEncoder();

export class Composer extends HTMLElement {
    #chat;
    #timeline;
    #room = null;
    /** A reply or an edit: { kind, message }. */
    #about = null;
    /** The files of drafts, and messages that wait for their files. */
    #attachments;
    #options = [];
    #chosen = -1;

    attach(chat, timeline, panel) {
        this.#chat = chat;
        const send = (room, { text, replyTo }, files) => this.#send(room, text, { replyTo, files });
        this.#attachments = new Attachments(chat, send);
        this.#timeline = timeline;
        this.classList.add("composer");
        this.text = make("textarea", {
            id: "text", rows: "1", "aria-label": "Message", "aria-describedby": "composer-hint", "aria-autocomplete": "list",
            "aria-haspopup": "listbox", enterkeyhint: "send", autocomplete: "off", maxlength: "65536",
        });
        this.button = iconButton("send", "Send", null, { type: "submit" });
        this.button.classList.add("primary");
        this.input = make("input", { id: "attach", type: "file", multiple: true, "aria-label": "Files to send", hidden: true });
        this.clip = iconButton("clip", "Attach files", () => this.input.click());
        this.context = make("div.context");
        this.context.hidden = true;
        this.list = make("ul.options", { id: "options", role: "listbox", "aria-label": "Completions" });
        this.list.hidden = true;
        this.counter = make("span.counter");
        this.typing = make("p.typing", { id: "typing" });
        const hint = make("p.unseen", { id: "composer-hint" },
            "Enter sends, Shift and Enter makes a new line, the up arrow edits your last message, a slash lists commands.");
        const form = make("form", { method: "post", onsubmit: (event) => this.#submit(event) },
            make("div.field", {}, this.clip, this.text, this.counter, this.button), this.input, hint);
        this.replaceChildren(this.typing, this.list, this.context, form);
        panel.attach(chat, this.#attachments);
        this.#takeFiles(panel, form);
        this.text.addEventListener("input", () => this.#changed());
        this.text.addEventListener("keydown", (event) => this.#pressed(event));
        this.text.addEventListener("blur", () => this.#closeOptions());
        chat.on("current", (room) => this.#open(room));
        chat.on("room", () => this.#show());
        chat.on("state", () => this.#show());
        for (const kind of ["reply", "edit"]) timeline.addEventListener(kind, ({ detail }) => this.#begin(kind, detail));
        timeline.addEventListener("wantscomposer", () => this.focusText());
        this.#open(chat.current);
    }

    #takeFiles(panel, form) {
        const add = (files) => {
            this.#attachments.add(this.#room, files);
            this.focusText();
        };
        this.input.addEventListener("change", () => {
            add([...this.input.files]);
            // Allows choosing the same file again.
            this.input.value = "";
        });
        takeDrops(document.getElementById("chat"), this.#chat, () => (this.text.disabled ? null : this.#room), add);
        takePastes(this.text, add);
        panel.addEventListener("wantssending", () => form.requestSubmit());
        panel.addEventListener("takeback", ({ detail: { room, message } }) => this.#takeBack(room, message));
    }

    /** Makes text, files and reply the draft again. An edit in progress ends: it belongs to another message. */
    #takeBack(room, message) {
        if (room !== this.#room || !this.#attachments.takeBack(room, message)) return;
        if (this.#about?.kind === "edit") this.#cancel();
        if (message.replyTo) this.#about = { kind: "reply", message: message.replyTo };
        this.text.value = [message.text, this.text.value].filter(Boolean).join("\n");
        this.#showContext();
        this.#fit();
        this.focusText();
    }

    focusText() {
        if (!this.text.disabled) this.text.focus();
    }

    #open(room) {
        if (this.#room) this.#chat.drafts.set(this.#room.name, this.#about?.kind === "edit" ? "" : this.text.value);
        this.#room?.typing(false);
        this.#room = room;
        this.#about = null;
        this.text.value = (room && this.#chat.drafts.get(room.name)) ?? "";
        this.#closeOptions();
        this.#show();
        this.#fit();
        // Without focus on touch screens: the on-screen keyboard would cover the conversation.
        if (matchMedia("(hover: hover)").matches) this.focusText();
    }

    #show() {
        const room = this.#room;
        this.hidden = !room;
        if (!room) return;
        const isReadOnly = !this.#chat.canWrite(room);
        this.text.disabled = this.button.disabled = this.clip.disabled = isReadOnly || room.status === "refused" || this.#chat.state.name === "closed";
        const title = this.#chat.titleOf(room.name);
        const placeholder = isReadOnly ? "You may only read here" : `Message ${room.peer ? title : `#${title}`}`;
        if (this.text.placeholder !== placeholder) this.text.placeholder = placeholder;
        this.#showContext();
        this.#showTyping();
    }

    #showTyping() {
        const users = this.#room.typingUsers.map((user) => this.#chat.nameOf(user));
        const who = users.length > 3 ? `${users.length} people` : users.join(", ");
        const text = users.length ? `${who} ${users.length > 1 ? "are" : "is"} typing…` : "";
        if (this.typing.textContent !== text) this.typing.textContent = text;
    }

    // Replies and edits

    #begin(kind, message) {
        if (this.#about?.kind === "edit" && kind !== "edit") this.text.value = "";
        if (kind === "edit") this.text.value = message.text;
        this.#about = { kind, message };
        this.#showContext();
        this.#fit();
        this.focusText();
        this.text.setSelectionRange(this.text.value.length, this.text.value.length);
        announce(kind === "edit" ? "Editing your message" : `Replying to ${message.name}`);
    }

    #cancel() {
        if (this.#about?.kind === "edit") this.text.value = "";
        this.#about = null;
        this.#showContext();
        this.#fit();
        this.focusText();
    }

    #showContext() {
        const about = this.#about;
        this.context.hidden = !about;
        if (!about) return this.context.replaceChildren();
        const { kind, message } = about;
        const now = this.#room.message(message.offset) ?? message;
        this.context.replaceChildren(icon(kind),
            make("p", {}, make("strong", {}, kind === "edit" ? "Editing" : "Replying to "),
                kind === "edit" ? "" : make("bdi", {}, now.name), make("span.quoted", { dir: "auto" }, gistOf(now).slice(0, 120))),
            iconButton("close", kind === "edit" ? "Stop editing" : "Don't reply", () => this.#cancel()));
    }

    #editLast() {
        const message = this.#room?.messages.findLast((one) => one.isOwn && one.offset !== undefined && one.deletedAt === undefined);
        if (message) this.#begin("edit", message);
        return Boolean(message);
    }

    // Sending

    #submit(event) {
        event.preventDefault();
        const text = this.text.value.trim();
        const room = this.#room;
        const about = this.#about;
        // A command is sent without the files; they stay for the next message.
        const isCommand = text.startsWith("/") && !text.startsWith("//");
        const hasFiles = Boolean(room) && about?.kind !== "edit" && !isCommand && this.#attachments.of(room).draft.length > 0;
        if ((!text && !hasFiles) || !room || this.text.disabled || this.#isTooLong(text)) return this.focusText();
        this.#about = null;
        this.text.value = "";
        // The focus leaves a file's description first, because it holds its message back.
        this.focusText();
        room.typing(false);
        if (about?.kind === "edit") {
            if (text !== about.message.text) room.edit(about.message.offset, text).catch((error) => this.#chat.alert(error.message));
        } else if (hasFiles) this.#attachments.post(room, { text, replyTo: about?.message });
        // A refused text stays in the field.
        else if (!this.#send(room, text, { replyTo: about?.message })) [this.text.value, this.#about] = [text, about];
        this.#closeOptions();
        this.#showContext();
        this.#fit();
    }

    /** False if the text was refused at once: no pending message is shown, and the caller keeps the text. */
    #send(room, text, { replyTo, files }) {
        let isTaken = false;
        const off = room.on("pending", () => (isTaken = true));
        const sending = room.send(text, { replyTo: replyTo?.offset, files });
        off();
        this.#follow(room, sending, isTaken);
        if (isTaken && room === this.#room) this.#timeline.sent();
        return isTaken;
    }

    async #follow(room, sending, isTaken) {
        try {
            const reply = await sending;
            if (reply.kind === "members") {
                const names = reply.members.map(({ user, name }) => name ?? user).join(", ");
                this.#chat.note(room, `${reply.count} here: ${names}${reply.count > reply.members.length ? ", …" : ""}`);
            } else if (reply.kind === "joined") this.#chat.open(reply.room);
            else if (reply.kind === "stored" && reply.room !== room.name) {
                this.#chat.note(room, `You wrote to ${this.#chat.titleOf(reply.room)}.`);
            }
        } catch (error) {
            // A visible message shows its failure itself.
            if (!isTaken) this.#chat.alert(error.message);
        }
    }

    #isTooLong(text) {
        return encoder.encode(text).length > (this.#chat.hub?.limits?.textBytes ?? Infinity);
    }

    #changed() {
        this.#fit();
        const text = this.text.value;
        const isCommand = text.startsWith("/") && !text.startsWith("//");
        if (this.#room?.status === "joined") this.#room.typing(Boolean(text) && !isCommand);
        this.#complete();
    }

    /** Fits the height to the text, up to the style sheet's maximum. Shows the remaining length when it is short. */
    #fit() {
        this.text.style.height = "auto";
        this.text.style.height = `${this.text.scrollHeight}px`;
        const most = this.#chat.hub?.limits?.textBytes ?? Infinity;
        const left = most - encoder.encode(this.text.value).length;
        this.counter.textContent = left < most / 5 ? String(left) : "";
        this.counter.classList.toggle("over", left < 0);
        this.button.setAttribute("aria-label", this.#about?.kind === "edit" ? "Save" : "Send");
    }

    // Completion

    #complete() {
        const { value, selectionStart } = this.text;
        this.#options = selectionStart === value.length && this.#about?.kind !== "edit" ? completions(value, this.#chat) : [];
        this.#chosen = this.#options.length ? 0 : -1;
        const hadNone = this.list.hidden;
        this.#showOptions();
        if (hadNone && this.#options.length) announce(`${this.#options.length} completions, use the arrow keys`);
    }

    #closeOptions() {
        this.#options = [];
        this.#chosen = -1;
        this.#showOptions();
    }

    #showOptions() {
        this.list.hidden = this.#options.length === 0;
        // Shows the options around the chosen one: a scrolling list would need the focus, which stays in the text.
        const first = Math.max(0, Math.min(this.#chosen - OPTIONS_SHOWN / 2, this.#options.length - OPTIONS_SHOWN));
        const shown = this.#options.slice(first, first + OPTIONS_SHOWN);
        this.list.replaceChildren(...shown.map((option, place) => this.#option(option, first + place)));
        if (this.#chosen >= 0) {
            this.text.setAttribute("aria-activedescendant", `option-${this.#chosen}`);
            this.text.setAttribute("aria-controls", "options");
        } else {
            this.text.removeAttribute("aria-activedescendant");
            this.text.removeAttribute("aria-controls");
        }
    }

    #option({ label, help }, index) {
        return make("li", {
            role: "option", id: `option-${index}`, "aria-selected": String(index === this.#chosen),
            "aria-setsize": this.#options.length, "aria-posinset": index + 1,
            onpointerdown: (event) => (event.preventDefault(), this.#take(index)),
        }, make("bdi", {}, label), make("span.help", {}, help));
    }

    #take(index) {
        this.text.value = this.#options[index].text;
        this.#fit();
        this.#complete();
        this.focusText();
    }

    #pressed(event) {
        if (event.isComposing) return;
        const { key } = event;
        if (this.#options.length && this.#pressedInOptions(event)) return event.preventDefault();
        if (key === "Enter" && !event.shiftKey) {
            event.preventDefault();
            this.querySelector("form").requestSubmit();
        } else if (key === "ArrowUp" && !this.text.value && !event.shiftKey) {
            if (this.#editLast()) event.preventDefault();
        } else if (key === "Escape" && this.#about) {
            event.preventDefault();
            this.#cancel();
        }
    }

    #pressedInOptions({ key, shiftKey }) {
        const step = { ArrowDown: 1, ArrowUp: -1 }[key];
        if (step) this.#chosen = (this.#chosen + step + this.#options.length) % this.#options.length;
        else if (key === "Escape") this.#options = [];
        else if (key === "Tab" && !shiftKey) return this.#take(this.#chosen), true;
        // A complete command is sent, not completed.
        else if (key === "Enter" && this.#options[this.#chosen].text.trim() !== this.text.value.trim()) return this.#take(this.#chosen), true;
        else return false;
        if (!this.#options.length) this.#chosen = -1;
        this.#showOptions();
        return true;
    }
}

customElements.define("hub-composer", Composer);
