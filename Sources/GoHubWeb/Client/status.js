// The connection's current state: a word that is always visible, and a banner while something is wrong.
import { iconButton, icon, make } from "./dom.js";

const WORDS = {
    connecting: "Connecting…", connected: "Connected", draining: "Restarting", reconnecting: "Reconnecting", offline: "Offline",
    closed: "Disconnected",
};

export class Status extends HTMLElement {
    #chat;

    attach(chat) {
        this.#chat = chat;
        this.word = make("span.state-text", { id: "state-text", role: "status" });
        this.replaceChildren(make("span.dot", { "aria-hidden": "true" }), this.word);
        chat.on("state", (state) => this.#show(state));
        this.#show(chat.state);
    }

    #show(state) {
        this.dataset.state = state.name;
        const isElsewhere = state.name === "closed" && state.cause === "replaced";
        const isFirst = state.name === "reconnecting" && this.#chat.user === null;
        const word = isElsewhere ? "Open elsewhere" : isFirst ? "No connection" : WORDS[state.name];
        if (this.word.textContent !== word) this.word.textContent = word;
    }
}

/** The banner below the header: the problem, and the possible actions. */
export class Banner extends HTMLElement {
    #chat;
    #timer = null;
    #text = make("p");
    #countdown = make("span.countdown", { "aria-hidden": "true" });
    #retry = make("button", { type: "button" });

    attach(chat) {
        this.#chat = chat;
        this.#retry.addEventListener("click", () => chat.hub?.connect().catch(() => {}));
        this.replaceChildren(icon("alert"), this.#text, this.#countdown, this.#retry);
        chat.on("state", (state) => this.#show(state));
        this.#show(chat.state);
    }

    #show(state) {
        clearInterval(this.#timer);
        const text = this.#textOf(state);
        const isTokenWanted = state.cause === "unauthorized" || (state.name === "reconnecting" && state.code === 4003);
        this.hidden = !text || !this.#chat.hub;
        this.dataset.state = state.name;
        if (this.#text.textContent !== text) this.#text.textContent = text;
        this.#retry.hidden = !["reconnecting", "closed"].includes(state.name) || isTokenWanted;
        this.#retry.textContent = state.cause === "replaced" ? "Use it here" : state.name === "closed" ? "Connect again" : "Try now";
        this.#countdown.textContent = "";
        if (state.name !== "reconnecting" || isTokenWanted) return;
        const tick = () => {
            const seconds = Math.max(1, Math.ceil((state.nextAttemptAt - Date.now()) / 1_000));
            this.#countdown.textContent = `Next attempt in ${seconds} s`;
        };
        tick();
        this.#timer = setInterval(tick, 500);
    }

    #textOf({ name, reason, cause, code }) {
        const kept = "What you write is kept and sent later.";
        if (name === "draining") return "The hub is restarting. You will be reconnected in a moment.";
        if (name === "reconnecting" && code === 4003) return `Your sign-in has ended: give a new token to go on. ${kept}`;
        if (name === "reconnecting" && this.#chat.user === null) return this.#chat.refusal ?? "There is no connection yet.";
        if (name === "reconnecting") return `${this.#chat.refusal ?? "The connection was lost."} ${kept}`;
        if (name === "offline") return `You are offline. ${kept}`;
        if (name !== "closed" || cause === "new") return "";
        if (cause === "replaced") return "This conversation was opened in another tab and continues there.";
        if (cause === "unauthorized") return "Your sign-in has ended.";
        return `Disconnected: ${(reason || "the hub ended the conversation").replace(/\.$/, "")}.`;
    }
}

/** Errors of the hub, until they are dismissed. */
export class Alert extends HTMLElement {
    attach(chat) {
        const text = make("p");
        this.setAttribute("role", "alert");
        this.hidden = true;
        this.replaceChildren(text, iconButton("close", "Dismiss this message", () => {
            this.hidden = true;
            this.dispatchEvent(new CustomEvent("dismissed", { bubbles: true }));
        }));
        chat.on("alert", (told) => {
            this.hidden = false;
            this.dataset.kind = told.kind;
            text.textContent = told.text;
        });
        chat.on("current", () => { this.hidden = true; });
    }
}

customElements.define("hub-status", Status);
customElements.define("hub-banner", Banner);
customElements.define("hub-alert", Alert);
