// The list of conversations: rooms and direct rooms with their unread counts, and the form for a new one.
import { avatar, icon, make } from "./dom.js";

const ROOM = /^[a-z0-9][a-z0-9._-]{0,63}$/;

export class Rooms extends HTMLElement {
    #chat;

    attach(chat) {
        this.#chat = chat;
        this.rooms = make("ul.places", { "aria-labelledby": "rooms-title" });
        this.direct = make("ul.places", { "aria-labelledby": "direct-title" });
        this.live = make("button.place.live", { type: "button", onclick: () => this.#showLive() },
            icon("live"), make("span.name", {}, "Live picture"));
        this.replaceChildren(this.live,
            make("h2", { id: "rooms-title" }, "Rooms"), this.rooms,
            this.#form("join-room", "Join a room", "Room name", (value) => this.#join(value)),
            make("h2", { id: "direct-title" }, "People"), this.direct,
            this.#form("whisper-user", "Write to a person", "User id", (value) => void this.#chat.whisper(value)));
        for (const type of ["rooms", "state", "current", "view"]) chat.on(type, () => this.#show());
        this.#show();
    }

    #form(id, label, placeholder, run) {
        const field = make("input", {
            id, placeholder, "aria-label": label, autocomplete: "off", autocapitalize: "none", spellcheck: "false", maxlength: "128",
            oninput: () => field.setCustomValidity(""),
        });
        const submit = (event) => {
            event.preventDefault();
            const value = field.value.trim();
            if (!value) return field.focus();
            const problem = run(value);
            if (problem) {
                field.setCustomValidity(problem);
                return field.reportValidity();
            }
            field.value = "";
            this.#chose();
        };
        return make("form.add", { method: "post", novalidate: true, onsubmit: submit }, icon("plus"), field,
            make("button.quiet", { type: "submit", "aria-label": label }, "Open"));
    }

    #join(value) {
        const name = value.toLowerCase().replace(/^#/, "").replace(/\s+/g, "-");
        if (!ROOM.test(name)) {
            return "A room's name has up to 64 of a–z, 0–9, dot, hyphen and underscore, and begins with a letter or a digit.";
        }
        this.#chat.open(name);
        return "";
    }

    #showLive() {
        this.#chat.showView("live");
        this.#chose();
    }

    /** On a small screen the list closes after a choice. */
    #chose() {
        this.dispatchEvent(new CustomEvent("chose", { bubbles: true }));
    }

    #show() {
        const { rooms, direct, unread } = this.#chat.conversations();
        document.title = unread ? `(${unread}) GoHub` : "GoHub";
        this.live.toggleAttribute("aria-current", false);
        if (this.#chat.view === "live") this.live.setAttribute("aria-current", "page");
        const focused = this.contains(document.activeElement) ? document.activeElement.dataset.room : null;
        this.rooms.replaceChildren(...rooms.map((entry) => this.#item(entry)));
        this.direct.replaceChildren(...direct.map((entry) => this.#item(entry)));
        this.rooms.hidden = !rooms.length;
        this.direct.hidden = !direct.length;
        if (focused) this.querySelector(`[data-room="${CSS.escape(focused)}"]`)?.focus();
    }

    #item({ name, isOpen, isRefused, unread, isDirect }) {
        const title = this.#chat.titleOf(name);
        const sign = isDirect ? this.#person(title) : make("span.sign", { "aria-hidden": "true" }, "#");
        const label = make("bdi.name", {}, isDirect ? this.#chat.nameOf(title) : title);
        const button = make("button.place", { type: "button", "data-room": name, onclick: () => this.#open(name) }, sign, label);
        const isCurrent = this.#chat.current?.name === name && this.#chat.view === "chat";
        if (isCurrent) button.setAttribute("aria-current", "page");
        button.classList.toggle("closed", !isOpen || Boolean(isRefused));
        if (isRefused) button.append(make("span.hint", {}, "refused"));
        if (unread && !isRefused) {
            button.classList.add("has-unread");
            button.append(make("span.unread", {}, unread > 999 ? "999+" : String(unread), make("span.unseen", {}, " unread")));
        }
        return make("li", {}, button);
    }

    #person(user) {
        const picture = avatar(user, this.#chat.nameOf(user));
        picture.classList.toggle("here", this.#chat.isHere(user));
        return picture;
    }

    #open(name) {
        this.#chat.open(name);
        this.#chose();
    }
}

customElements.define("hub-rooms", Rooms);
