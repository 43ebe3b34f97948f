// The members of the current room, and the actions on them.
import { avatar, iconButton, make } from "./dom.js";
import { asArgument } from "./commands.js";

const MODERATION = [["kick", "kick", "Put out"], ["mute", "mute", "Mute for 10 min"], ["ban", "ban", "Ban for 10 min"]];

export class People extends HTMLElement {
    #chat;
    #shown = "";
    /** The user whose moderation actions are open. */
    #opened = null;

    attach(chat) {
        this.#chat = chat;
        this.heading = make("h2", { id: "people-title" }, "People");
        this.list = make("ul.people-list", { "aria-labelledby": "people-title" });
        this.more = make("p.hint");
        this.replaceChildren(this.heading, this.list, this.more);
        for (const type of ["room", "current", "state"]) chat.on(type, () => this.#show());
        this.#show();
    }

    #show() {
        const room = this.#chat.current;
        const members = room ? [...room.members.values()] : [];
        const isModerator = room && !room.peer && this.#chat.canModerate(room);
        const key = JSON.stringify([room?.name, room?.count, isModerator, this.#opened, members, this.#chat.user]);
        if (key === this.#shown) return;
        this.#shown = key;
        const focused = this.contains(document.activeElement) ? document.activeElement.dataset.key : null;
        this.heading.textContent = room && !room.peer ? `People · ${room.count}` : "People";
        const inOrder = (one, other) => (one.name ?? one.user).localeCompare(other.name ?? other.user);
        this.list.replaceChildren(...members.sort(inOrder).map((member) => this.#item(member, isModerator)));
        const hidden = (room?.count ?? 0) - members.length;
        this.more.hidden = !room || room.peer !== null || hidden <= 0;
        this.more.textContent = `and ${hidden} more`;
        if (focused) this.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
    }

    #item({ user, name }, isModerator) {
        const label = make("span.who", {}, make("bdi", {}, name ?? user));
        if (name && name !== user) label.append(make("bdi.user-id", {}, user));
        if (user === this.#chat.user) {
            label.append(make("span.hint", {}, "you"));
            return make("li", {}, make("span.person", {}, avatar(user, name), label));
        }
        const write = make("button.person", {
            type: "button", title: `Write to ${name ?? user}`, "data-key": `write-${user}`, onclick: () => this.#whisper(user),
        }, avatar(user, name), label);
        const item = make("li", {}, write);
        if (!isModerator) return item;
        const isOpen = this.#opened === user;
        item.append(iconButton("more", `Moderate ${name ?? user}`, () => this.#open(isOpen ? null : user), {
            "data-key": `more-${user}`, "aria-expanded": String(isOpen),
        }));
        if (isOpen) {
            item.append(make("div.moderation", { role: "group", "aria-label": `Moderate ${name ?? user}` },
                ...MODERATION.map(([command, sign, text]) => this.#moderate(user, command, sign, text)),
                this.#moderate(user, "pardon", "pardon", "Pardon")));
        }
        return item;
    }

    #moderate(user, command, sign, text) {
        const button = iconButton(sign, text, () => {
            const room = this.#chat.current;
            this.#open(null);
            room.send(`/${command} ${asArgument(user)}`).catch((error) => this.#chat.alert(error.message));
        }, { "data-key": `${command}-${user}` });
        button.append(make("span", {}, text));
        return button;
    }

    #open(user) {
        this.#opened = user;
        this.#show();
    }

    #whisper(user) {
        this.#chat.whisper(user);
        this.dispatchEvent(new CustomEvent("chose", { bubbles: true }));
    }
}

customElements.define("hub-people", People);
