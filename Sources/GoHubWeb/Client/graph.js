// The live view of the hub: its node, the rooms that are open here, the users in them. It follows presence. A list
// shows the same as text.
import { avatar, icon, initialOf, make, onceAFrame, svg, toneOf } from "./dom.js";
import { Layout } from "./layout.js";

const USERS_MAX = 120;
const RADIUS = { node: 28, room: 22, user: 15 };
const STILL = 0.05;
const STEPS_AT_ONCE = 400;
const LABEL_MAX = 16;

const isCalm = matchMedia("(prefers-reduced-motion: reduce)");
const shorten = (text) => ([...text].length > LABEL_MAX ? `${[...text].slice(0, LABEL_MAX - 1).join("")}…` : text);

export class Graph extends HTMLElement {
    #chat;
    #layout = new Layout();
    #elements = new Map();
    #frame = null;
    #shownKey = "";
    #view = null;
    #update = onceAFrame(() => this.#show());

    attach(chat) {
        this.#chat = chat;
        this.lines = svg("g", { class: "edges" });
        this.marks = svg("g", { class: "nodes" });
        this.picture = svg("svg", { class: "picture", role: "group", "aria-labelledby": "live-title", "aria-describedby": "live-summary" },
            this.lines, this.marks);
        this.picture.addEventListener("keydown", (event) => this.#pressed(event));
        this.summary = make("p.summary", { id: "live-summary" });
        this.text = make("div.in-words");
        this.replaceChildren(
            make("div.canvas", {}, make("div.live-head", {}, make("h2.unseen", { id: "live-title" }, "Live picture"), this.summary), this.picture),
            make("section.words", { "aria-label": "The same in words", tabindex: "0" }, make("h2", {}, "In words"), this.text));
        for (const type of ["rooms", "room", "state", "view"]) chat.on(type, () => this.#update());
        chat.on("message", ({ room, message }) => this.#pulse(room, message));
        isCalm.addEventListener("change", () => this.#move());
        new ResizeObserver(() => this.#isShown && this.#draw()).observe(this);
        this.#show();
    }

    get #isShown() {
        return this.#chat.view === "live";
    }

    /** The graph's nodes, and its edges from the hub to rooms and from rooms to users. */
    #collect() {
        const { node } = this.#chat.info;
        const rooms = (this.#chat.hub?.openRooms ?? []).filter((room) => !room.peer && room.status === "joined");
        const nodes = [{ id: "node", kind: "node", label: node }];
        const edges = [];
        const users = new Set();
        for (const room of rooms) {
            nodes.push({ id: `room:${room.name}`, kind: "room", label: room.name, room });
            edges.push({ from: "node", to: `room:${room.name}` });
            for (const { user, name } of room.members.values()) {
                const id = `user:${user}`;
                if (!users.has(user) && users.size < USERS_MAX) {
                    users.add(user);
                    nodes.push({ id, kind: "user", label: name ?? user, user });
                }
                if (users.has(user)) edges.push({ from: `room:${room.name}`, to: id });
            }
        }
        return { rooms, nodes, edges, users };
    }

    #show() {
        if (!this.#isShown) return this.#rest();
        const { rooms, nodes, edges, users } = this.#collect();
        const key = JSON.stringify([nodes.map(({ id, label }) => [id, label]), edges, rooms.map((room) => room.count), this.#chat.state.name]);
        if (key === this.#shownKey) return;
        this.#shownKey = key;
        const isConnected = ["connected", "draining"].includes(this.#chat.state.name);
        this.summary.textContent = isConnected
            ? `${rooms.length} ${rooms.length === 1 ? "room" : "rooms"}, ${users.size} ${users.size === 1 ? "user" : "users"} on ${this.#chat.info.node}`
            : "Not connected: who is here can't be told now.";
        this.#layout.set(nodes, edges);
        this.#mark(nodes, edges);
        this.#write(rooms);
        this.#move();
    }

    /** Makes an element for each node and edge. Existing elements are kept, with their focus. */
    #mark(nodes, edges) {
        const ids = new Set([...nodes.map(({ id }) => id), ...edges.map(({ from, to }) => `${from}>${to}`)]);
        for (const [id, element] of this.#elements) {
            if (ids.has(id)) continue;
            element.remove();
            this.#elements.delete(id);
        }
        for (const edge of edges) {
            const id = `${edge.from}>${edge.to}`;
            if (this.#elements.has(id)) continue;
            const line = svg("line", { class: edge.from === "node" ? "trunk" : "twig" });
            this.#elements.set(id, line);
            this.lines.append(line);
        }
        for (const node of nodes) {
            if (this.#elements.has(node.id)) continue;
            const element = this.#nodeElement(node);
            this.#elements.set(node.id, element);
            this.marks.append(element);
        }
        if (!this.marks.querySelector("[tabindex='0']")) this.marks.querySelector("[tabindex]")?.setAttribute("tabindex", "0");
    }

    #nodeElement({ id, kind, label, user, room }) {
        const isSelf = user !== undefined && user === this.#chat.user;
        const run = user !== undefined && !isSelf ? () => this.#chat.whisper(user) : room ? () => this.#chat.open(room.name) : null;
        const text = { node: `Node ${label}`, room: `Room ${label}`, user: isSelf ? `${label}, you` : `Write to ${label}` }[kind];
        const group = svg("g", {
            class: `point ${kind}${isSelf ? " self" : ""}${user === undefined ? "" : ` tone-${toneOf(user)}`}`, "data-id": id,
            ...(run ? { role: "button", tabindex: "-1", "aria-label": text, onclick: run } : { role: "img", "aria-label": text }),
        }, svg("title", {}, text), svg("circle", { class: "halo", r: RADIUS[kind] }), svg("circle", { class: "disc", r: RADIUS[kind] }));
        const sign = kind === "node" ? svg("circle", { class: "ring", r: RADIUS.node * 0.42 })
            : svg("text", { class: "sign", "text-anchor": "middle", dy: "0.36em", "aria-hidden": "true" }, room ? "#" : initialOf(label));
        group.append(sign,
            svg("text", { class: "label", "text-anchor": "middle", y: RADIUS[kind] + 15, "aria-hidden": "true" }, shorten(label)));
        return group;
    }

    /** Writes the same as text: rooms with their users. A click on a user opens the direct conversation. */
    #write(rooms) {
        const focused = this.text.contains(document.activeElement) ? document.activeElement.dataset.key : null;
        this.text.replaceChildren(...rooms.map((room) => make("section", {},
            make("h3", {}, make("button.quiet", { type: "button", "data-key": room.name, onclick: () => this.#chat.open(room.name) },
                make("bdi", {}, `#${room.name}`)), make("span.hint", {}, `${room.count} here`)),
            make("ul", {}, ...[...room.members.values()].map(({ user, name }) => this.#person(room, user, name))))));
        if (!rooms.length) this.text.append(make("p.hint", {}, "You are in no room. Join one to see who is there."));
        if (focused) this.text.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
    }

    #person(room, user, name) {
        const label = make("bdi", {}, name ?? user);
        if (user === this.#chat.user) return make("li", {}, make("span.person", {}, avatar(user, name), label, make("span.hint", {}, "you")));
        return make("li", {}, make("button.person", {
            type: "button", "data-key": `${room.name}/${user}`, title: `Write to ${name ?? user}`, onclick: () => this.#chat.whisper(user),
        }, avatar(user, name), label, icon("whisper")));
    }

    // Moving

    #move() {
        cancelAnimationFrame(this.#frame);
        this.#frame = null;
        if (!this.#isShown) return;
        if (isCalm.matches || document.hidden || this.#view === null) {
            for (let step = 0; step < STEPS_AT_ONCE && this.#layout.step() > STILL; step++);
            this.#view = null;
            return this.#draw();
        }
        const next = () => {
            const speed = this.#layout.step();
            this.#draw();
            this.#frame = speed > STILL && this.#isShown ? requestAnimationFrame(next) : null;
        };
        this.#frame = requestAnimationFrame(next);
    }

    #rest() {
        cancelAnimationFrame(this.#frame);
        this.#frame = null;
        this.#shownKey = "";
        this.#view = null;
    }

    #draw() {
        const { left, top, width, height } = this.#layout.bounds(60);
        // The view box follows slowly, so that a new node does not make the picture jump.
        const goal = [left, top, width, height];
        this.#view = this.#view && !isCalm.matches ? this.#view.map((now, index) => now + (goal[index] - now) * 0.12) : goal;
        this.picture.setAttribute("viewBox", this.#view.map((number) => number.toFixed(1)).join(" "));
        for (const [id, { x, y }] of this.#layout.points) {
            this.#elements.get(id)?.setAttribute("transform", `translate(${x.toFixed(1)} ${y.toFixed(1)})`);
        }
        for (const { from, to } of this.#layout.edges) {
            const line = this.#elements.get(`${from}>${to}`);
            const [one, other] = [this.#layout.points.get(from), this.#layout.points.get(to)];
            for (const [name, value] of [["x1", one.x], ["y1", one.y], ["x2", other.x], ["y2", other.y]]) line?.setAttribute(name, value.toFixed(1));
        }
    }

    /** Highlights the sender of a new message for a moment. */
    #pulse(room, message) {
        if (!this.#isShown || isCalm.matches) return;
        for (const id of [`user:${message.from}`, `room:${room.name}`, `room:${room.name}>user:${message.from}`]) {
            const element = this.#elements.get(id);
            if (!element) continue;
            element.classList.remove("pulse");
            requestAnimationFrame(() => element.classList.add("pulse"));
            element.addEventListener("animationend", () => element.classList.remove("pulse"), { once: true });
        }
    }

    /** One tab stop for the whole graph; the arrow keys move within it. */
    #pressed(event) {
        const points = [...this.marks.querySelectorAll("[role='button']")];
        const index = points.indexOf(document.activeElement);
        if (index < 0) return;
        const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
        if (step) {
            event.preventDefault();
            const next = points[(index + step + points.length) % points.length];
            points[index].setAttribute("tabindex", "-1");
            next.setAttribute("tabindex", "0");
            next.focus();
        } else if (event.key === "Enter" || event.key === " ") {
            event.preventDefault();
            points[index].dispatchEvent(new MouseEvent("click"));
        }
    }
}

customElements.define("hub-graph", Graph);
