// Signing in: with a name in development mode, else with a token. Also asks for a new token when the old one expires.
import { avatar, make } from "./dom.js";

export class SignIn extends HTMLElement {
    #chat;

    attach(chat) {
        this.#chat = chat;
        const isDevelopment = chat.info.development;
        this.field = isDevelopment
            ? make("input", { id: "user", autocomplete: "username", autocapitalize: "none", spellcheck: "false", maxlength: "64" })
            : make("input", { id: "token", type: "password", autocomplete: "off", spellcheck: "false" });
        this.problem = make("p.problem", { id: "sign-in-problem", role: "alert" });
        this.problem.hidden = true;
        const hint = isDevelopment
            ? "This hub runs in development mode: anyone can use any identity."
            : "A JWT from your application. It stays in this tab, and ends with it.";
        this.field.setAttribute("aria-describedby", "sign-in-hint sign-in-problem");
        this.replaceChildren(make("form.card", { method: "post", onsubmit: (event) => this.#submit(event) },
            make("p.logo", { "aria-hidden": "true" }, make("span.ring"), make("span.ring"), make("span.ring")),
            make("h1", {}, "GoHub"), make("p.lead", {}, "Talk with everybody who is here."),
            make("div.labelled", {}, make("label", { for: this.field.id }, isDevelopment ? "Your name" : "Token"), this.field,
                make("p.hint", { id: "sign-in-hint" }, hint), this.problem),
            make("button.primary", { type: "submit" }, "Connect"),
            make("p.hint.version", {}, chat.info.version ? `GoHub ${chat.info.version} · ${chat.info.node}` : "")));
    }

    #submit(event) {
        event.preventDefault();
        const value = this.field.value.trim();
        if (!value) return this.show(this.#chat.info.development ? "Enter a name to connect." : "Enter a token to connect.");
        this.problem.hidden = true;
        if (!this.#chat.info.development) this.field.value = "";
        this.#chat.begin(this.#chat.info.development ? { user: value } : { token: value });
    }

    /** Shows a problem and lets the user try again. */
    show(problem) {
        this.problem.hidden = !problem;
        this.problem.textContent = problem ?? "";
        this.field.setAttribute("aria-invalid", String(Boolean(problem)));
        this.field.focus();
    }
}

/** Asks for another token while the conversation stays open. */
export class Renewal extends HTMLElement {
    attach(chat) {
        const field = make("input", { id: "new-token", type: "password", autocomplete: "off", spellcheck: "false" });
        const label = make("label", { for: field.id }, "Your sign-in ends soon. New token");
        const submit = (event) => {
            event.preventDefault();
            const token = field.value.trim();
            if (!token) return field.focus();
            field.value = "";
            chat.renew(token);
        };
        this.hidden = true;
        this.replaceChildren(make("form", { method: "post", onsubmit: submit }, label, field,
            make("button.primary", { type: "submit" }, "Renew")));
        chat.on("token", ({ isWanted, isExpired }) => {
            const hadFocus = this.contains(document.activeElement);
            this.hidden = !isWanted;
            if (isWanted && isExpired) label.textContent = "Your sign-in has ended. New token";
            else if (!isWanted) label.textContent = "Your sign-in ends soon. New token";
            if (!isWanted && hadFocus) this.dispatchEvent(new CustomEvent("wantscomposer", { bubbles: true }));
        });
    }
}

/** The signed-in user, below the list. */
export class Self extends HTMLElement {
    attach(chat, ...controls) {
        const who = make("span.who");
        const show = () => {
            const { user } = chat;
            if (!user) return;
            const name = chat.hub.displayName ?? user;
            const label = make("span.labels", {}, make("bdi", { id: "whoami" }, name));
            if (name !== user) label.append(make("bdi.user-id", {}, user));
            who.replaceChildren(avatar(user, name), label);
        };
        this.replaceChildren(who, ...controls);
        chat.on("state", show);
    }
}

customElements.define("hub-sign-in", SignIn);
customElements.define("hub-renewal", Renewal);
customElements.define("hub-self", Self);
