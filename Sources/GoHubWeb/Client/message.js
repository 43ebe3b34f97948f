// One message of the log, with the day and the unread divider above it. It renders only the parts that have changed.
import { avatar, dayName, icon, linked, make, time } from "./dom.js";
import { filesOf, gistOf } from "./files.js";

const QUOTE_MAX = 120;

/** The delivery state of the user's own message: a text and a sign. */
export function markOf(message, room) {
    if (message.status === "sending") return { sign: "clock", label: "sending" };
    if (message.status === "failed") return { sign: "alert", label: "not sent" };
    if (message.offset === undefined) return { sign: "check", label: "sent" };
    if (room.peer !== null) {
        const { delivered, seen } = room.receipts.get(room.peer) ?? { delivered: 0, seen: 0 };
        if (seen >= message.offset) return { sign: "checks", label: "seen", isSeen: true };
        if (delivered >= message.offset) return { sign: "checks", label: "delivered" };
        return { sign: "check", label: "sent" };
    }
    const seenBy = room.seenBy(message.offset);
    if (seenBy.length) {
        return { sign: "checks", label: `seen by ${seenBy.length}`, isSeen: true, names: seenBy };
    }
    const isDelivered = [...room.receipts].some(([user, { delivered }]) => user !== message.from && delivered >= message.offset);
    return isDelivered ? { sign: "checks", label: "delivered" } : { sign: "check", label: "sent" };
}

export class MessageRow {
    element = make("div.row");
    #chat;
    #timeline;
    #shown = null;
    #key = null;
    #mark = "";
    /** The files' element and its key: media that is playing or loaded stays when the message changes. */
    #files = null;
    #filesKey = "";

    constructor(chat, timeline) {
        this.#chat = chat;
        this.#timeline = timeline;
    }

    show(entry, room) {
        const { message, key } = entry;
        const replied = message.replyTo === undefined ? undefined : room.message(message.replyTo);
        const fullKey = `${key}${replied?.id}${replied?.text}${replied?.deletedAt}`;
        if (message !== this.#shown || fullKey !== this.#key) {
            this.#shown = message;
            this.#key = fullKey;
            this.#mark = "";
            this.#make(entry, room, replied);
        }
        if (message.isOwn && message.deletedAt === undefined) this.#showMark(message, room);
    }

    #make(entry, room, replied) {
        const { message, isNewDay, isFirstUnread } = entry;
        const hadFocus = this.element.contains(document.activeElement);
        const above = [];
        if (isNewDay) above.push(make("div.divider", {}, make("span", {}, dayName(message.at))));
        if (isFirstUnread) above.push(make("div.divider.unread-divider", {}, make("span", {}, "New")));
        const main = message.isNotice ? this.#notice(message) : this.#message(entry, room, replied);
        this.element.replaceChildren(...above, main);
        if (hadFocus) this.#timeline.focusRow(main.matches(".message") ? main : null);
    }

    #notice({ text, at }) {
        return make("div.notice", {}, make("p", { dir: "auto" }, text), time(at));
    }

    #message({ message, isGrouped }, room, replied) {
        const isDeleted = message.deletedAt !== undefined;
        const row = make("article.message", {
            tabindex: "-1", "aria-label": `${message.name}, ${new Date(message.at).toLocaleTimeString([], { timeStyle: "short" })}`,
            "data-id": message.id, "data-offset": message.offset, "data-status": message.status,
        });
        row.classList.toggle("grouped", isGrouped);
        row.classList.toggle("own", message.isOwn);
        row.classList.toggle("deleted", isDeleted);
        row.classList.toggle("ephemeral", Boolean(message.ephemeral));
        const body = make("div.body");
        if (isGrouped) row.append(make("span.gutter", {}, time(message.at)));
        else {
            row.append(avatar(message.from, message.name));
            const head = make("p.head", {}, make("bdi.author", {}, message.name));
            if (message.name !== message.from) head.append(make("bdi.user-id", {}, message.from));
            head.append(time(message.at));
            if (message.ephemeral) head.append(make("span.note", {}, "not stored"));
            body.append(head);
        }
        if (message.replyTo !== undefined) body.append(this.#quote(message.replyTo, replied));
        const text = make("p.text", { dir: "auto" });
        if (isDeleted) text.append("This message was deleted.");
        else text.append(...linked(message.text));
        if (message.editedAt !== undefined && !isDeleted) text.append(" ", make("span.note.edited", {}, "(edited)"));
        // Without text, the delivery state is below the files.
        body.append(...(message.text || isDeleted ? [text, this.#filesOf(message)] : [this.#filesOf(message), text]).filter(Boolean));
        if (message.reactions.length) body.append(this.#reactions(message, room));
        if (message.status === "failed") body.append(this.#failure(message, room));
        row.append(body);
        return row;
    }

    #filesOf(message) {
        if (!message.files?.length) return null;
        const key = JSON.stringify(message.files.map(({ id, name, alt, preview }) => [id, name, alt, preview]));
        if (key !== this.#filesKey) this.#files = filesOf(message, this.#chat);
        this.#filesKey = key;
        return this.#files;
    }

    #quote(offset, replied) {
        if (!replied) return make("p.quote", {}, icon("reply"), "an earlier message");
        const text = replied.deletedAt !== undefined ? "This message was deleted." : gistOf(replied).slice(0, QUOTE_MAX);
        return make("button.quote", { type: "button", onclick: () => this.#timeline.jumpTo(offset) },
            icon("reply"), make("bdi.author", {}, replied.name), make("span.quoted", { dir: "auto" }, text));
    }

    #reactions(message, room) {
        return make("ul.reactions", { "aria-label": "Reactions" }, ...message.reactions.map(({ reaction, count, by }) => {
            const isMine = by.includes(this.#chat.user);
            const names = by.map((user) => this.#chat.nameOf(user)).join(", ") + (count > by.length ? " and others" : "");
            const toggle = () => room.react(message.offset, reaction, { remove: isMine }).catch((error) => this.#chat.alert(error.message));
            return make("li", {}, make("button.reaction", {
                type: "button", "aria-pressed": String(isMine), title: names, onclick: toggle,
            }, make("bdi", {}, reaction), make("span.count", {}, String(count)), make("span.unseen", {}, ` by ${names}`)));
        }));
    }

    #failure(message, room) {
        const retry = () => room.resend(message.id).catch(() => {});
        return make("p.failure", {}, make("span", {}, `Not sent: ${message.error?.message ?? "the hub refused it"}`),
            make("button.quiet", { type: "button", onclick: retry }, "Try again"),
            make("button.quiet", { type: "button", onclick: () => room.discard(message.id) }, "Discard"));
    }

    /** The delivery state changes independently of the message. */
    #showMark(message, room) {
        const mark = markOf(message, room);
        const key = `${mark.sign}${mark.label}`;
        if (key === this.#mark) return;
        this.#mark = key;
        this.element.querySelector(".mark")?.remove();
        const names = mark.names?.slice(0, 12).map((user) => this.#chat.nameOf(user)).join(", ");
        const element = make("span.mark", { title: names ? `Seen by ${names}` : mark.label }, icon(mark.sign),
            make("span.mark-label", {}, mark.label));
        element.classList.toggle("seen", Boolean(mark.isSeen));
        this.element.querySelector(".text")?.append(" ", element);
    }
}

