// The actions on a message: one toolbar, shown at the message that is hovered or focused.
import { iconButton, make } from "./dom.js";

const REACTIONS = [["👍", "Thumbs up"], ["❤️", "Heart"], ["😂", "Laughing"], ["🎉", "Party"], ["👀", "Eyes"], ["✅", "Done"]];

export class MessageActions {
    #chat;
    #timeline;
    #bar = make("div.actions", { role: "toolbar", "aria-label": "Message actions" });
    #row = null;

    constructor(chat, timeline) {
        this.#chat = chat;
        this.#timeline = timeline;
        this.#bar.addEventListener("keydown", (event) => this.#pressed(event));
        timeline.log.addEventListener("pointerover", (event) => {
            const row = event.pointerType === "mouse" && timeline.rowOf(event.target);
            if (row && !this.#bar.contains(document.activeElement)) this.show(row);
        });
        // Touch has no hover: a tap on a message shows its toolbar.
        timeline.log.addEventListener("click", (event) => {
            const row = timeline.rowOf(event.target);
            if (row && !event.target.closest("a, button, audio, video, pre") && getSelection().isCollapsed) timeline.focusRow(row);
        });
    }

    hide() {
        this.#row = null;
        this.#bar.remove();
    }

    #messageOf(row) {
        const id = row.dataset.id;
        return this.#chat.current?.messages.findLast((message) => message.id === id) ?? null;
    }

    show(row) {
        if (row === this.#row && this.#bar.parentNode === row) return;
        const message = this.#messageOf(row);
        const can = this.#can(message);
        if (!Object.values(can).some(Boolean)) return this.hide();
        this.#row = row;
        this.#offer(message, can);
        row.append(this.#bar);
    }

    /** The actions offered to this user for a message. The hub decides which are permitted. */
    #can(message) {
        const room = this.#chat.current;
        const isThere = message?.offset !== undefined && message.deletedAt === undefined && this.#chat.canWrite(room);
        return {
            react: isThere, reply: isThere, edit: isThere && message.isOwn,
            delete: isThere && (message.isOwn || this.#chat.canModerate(room)),
        };
    }

    #fill(...buttons) {
        const hadFocus = this.#bar.contains(document.activeElement);
        this.#bar.replaceChildren(...buttons);
        for (const button of buttons) button.tabIndex = -1;
        if (hadFocus) buttons[0]?.focus();
    }

    #offer(message, can) {
        const row = this.#row;
        this.#fill(...[
            can.react && iconButton("smile", "React", () => this.#offerReactions(message), { "aria-haspopup": "true" }),
            can.reply && iconButton("reply", "Reply", () => this.#ask("reply", message)),
            can.edit && iconButton("edit", "Edit", () => this.#ask("edit", message)),
            can.delete && iconButton("trash", "Delete", () => this.#offerDeletion(row, message)),
        ].filter(Boolean));
    }

    #offerReactions(message) {
        this.#fill(...REACTIONS.map(([reaction, name]) => make("button.icon-button.emoji", {
            type: "button", "aria-label": name, title: name, onclick: () => this.#react(message, reaction),
        }, reaction)));
        this.#bar.firstElementChild.focus();
    }

    #offerDeletion(row, message) {
        const keep = () => {
            this.#offer(message, this.#can(message));
            row.focus();
        };
        this.#fill(
            make("button.danger", { type: "button", onclick: () => this.#delete(message) }, "Delete for everyone"),
            make("button.quiet", { type: "button", onclick: keep }, "Keep"));
        this.#bar.firstElementChild.focus();
    }

    #ask(what, message) {
        this.#timeline.dispatchEvent(new CustomEvent(what, { bubbles: true, detail: message }));
    }

    #react(message, reaction) {
        const room = this.#chat.current;
        const now = room.message(message.offset) ?? message;
        const isMine = now.reactions.some((one) => one.reaction === reaction && one.by.includes(this.#chat.user));
        room.react(message.offset, reaction, { remove: isMine }).catch((error) => this.#chat.alert(error.message));
        this.#done();
    }

    #delete(message) {
        this.#chat.current.delete(message.offset).catch((error) => this.#chat.alert(error.message));
        this.#done();
    }

    /** Returns the focus to the message, with the toolbar unchanged. */
    #done() {
        const row = this.#row;
        const hadFocus = this.#bar.contains(document.activeElement);
        this.hide();
        if (hadFocus && row?.isConnected) row.focus();
    }

    // The keyboard

    enter(row) {
        this.show(row);
        this.#bar.firstElementChild?.focus();
    }

    /** Single keys, only while a message has the focus. */
    shortcut(row, event) {
        const message = this.#messageOf(row);
        const can = this.#can(message);
        const run = {
            r: can.reply && (() => this.#ask("reply", message)),
            e: can.edit && (() => this.#ask("edit", message)),
            "+": can.react && (() => (this.show(row), this.#offerReactions(message))),
            Delete: can.delete && (() => (this.show(row), this.#offerDeletion(row, message))),
        }[event.key];
        if (!run) return;
        event.preventDefault();
        run();
    }

    #pressed(event) {
        const buttons = [...this.#bar.children];
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (step) {
            event.preventDefault();
            event.stopPropagation();
            buttons[(buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length]?.focus();
        } else if (event.key === "Escape") {
            event.preventDefault();
            event.stopPropagation();
            this.#offer(this.#messageOf(this.#row), this.#can(this.#messageOf(this.#row)));
            this.#row.focus();
        }
    }
}
