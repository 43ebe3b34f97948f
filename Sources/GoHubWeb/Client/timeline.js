// The messages of the current conversation. A room may have ten thousand, so they are grouped into blocks. Only blocks
// near the viewport have their messages in the page; the others keep only their height.
import { BLOCK_OFFSETS, Block, entriesOf } from "./virtual-list.js";
import { announce, make, onceAFrame } from "./dom.js";
import { gistOf } from "./files.js";
import { MessageRow } from "./message.js";
import { MessageActions } from "./actions.js";

const PAGE_MESSAGES = 200;
/** The estimated height of a message before it is first shown. */
const GUESSED_ROW_PX = 46;
/** The distance around the viewport within which messages are in the page. */
const MARGIN_PX = 1_200;
const END_PX = 40;
const ANNOUNCE_MS = 700;
export class Timeline extends HTMLElement {
    #chat;
    #room = null;
    #blocks = new Map();
    #rows = new Map();
    #observer;
    #isAtEnd = true;
    /** The scroll position that `#isAtEnd` was determined for. */
    #top = 0;
    #dividerAt = null;
    #isMarked = false;
    #newCount = 0;
    /** The scroll position by room, saved when another room is opened. */
    #readUpTo = new Map();
    #isLoading = false;
    #heard = [];
    #hearTimer = null;
    #focused = null;
    #render = onceAFrame(() => this.#show());

    attach(chat) {
        this.#chat = chat;
        this.classList.add("timeline");
        this.log = make("div.log", { role: "log", "aria-live": "off", "aria-labelledby": "title", tabindex: "0" });
        this.top = make("p.older", {}, "Loading earlier messages…");
        this.top.hidden = true;
        this.latest = make("button.latest", { type: "button", onclick: () => this.toEnd(true) });
        this.latest.hidden = true;
        this.empty = make("div.empty");
        this.replaceChildren(this.log, this.latest);
        this.actions = new MessageActions(chat, this);
        this.#observer = new IntersectionObserver((changes) => this.#cameNear(changes), {
            root: this.log, rootMargin: `${MARGIN_PX}px 0px`,
        });
        this.log.addEventListener("scroll", onceAFrame(() => this.#scrolled()), { passive: true });
        this.log.addEventListener("keydown", (event) => this.#pressed(event));
        this.log.addEventListener("focusin", (event) => this.#focusCame(event));
        // Waits until the focus has settled: a button that is replaced by another one loses it for a moment.
        const hide = () => setTimeout(() => this.log.contains(document.activeElement) || this.actions.hide());
        this.log.addEventListener("focusout", hide);
        this.log.addEventListener("pointerleave", hide);
        new ResizeObserver(() => {
            this.#noteScroll();
            if (this.#isAtEnd) this.toEnd();
        }).observe(this.log);
        for (const type of ["visibilitychange", "focus"]) addEventListener(type, () => this.#see());
        document.addEventListener("visibilitychange", () => this.#see());
        chat.on("current", (room) => this.#open(room));
        chat.on("room", () => this.#render());
        chat.on("view", () => this.#render());
        chat.on("message", ({ room, message }) => this.#came(room, message));
        chat.on("notice", ({ room, text }) => room === this.#room && this.#hear(text));
        this.#open(chat.current);
    }

    // Opening

    #open(room) {
        this.#observer.disconnect();
        this.actions.hide();
        if (this.#room && this.#isAtEnd) this.#readUpTo.set(this.#room.name, this.#room.offset);
        for (const known of [this.#blocks, this.#rows]) known.clear();
        this.#room = room;
        this.#isAtEnd = true;
        this.#newCount = 0;
        this.#focused = null;
        this.#dividerAt = null;
        this.log.replaceChildren(this.top);
        this.#isMarked = false;
        this.#show();
    }

    /** Sets the unread divider once per room: after the join, before the messages are marked as seen. */
    #markUnread() {
        if (this.#isMarked || this.#room?.status !== "joined") return;
        this.#isMarked = true;
        if (!this.#room.unread) return;
        const seen = this.#room.receipts.get(this.#chat.user)?.seen || -1;
        const read = Math.max(seen, this.#readUpTo.get(this.#room.name) ?? -1);
        if (read >= 0) this.#dividerAt = read;
    }

    // Showing

    #show() {
        const room = this.#room;
        this.#markUnread();
        const entries = room ? entriesOf(room, this.#chat.notices.get(room.name) ?? [], this.#dividerAt) : [];
        this.#keepingPlace(() => {
            this.empty.replaceChildren(...this.#emptiness(entries));
            this.empty.hidden = entries.length > 0;
            this.top.hidden = !this.#isLoading;
            this.#place(entries);
        });
        this.#showLatest();
        // Entries of a join cause no `message` event, but are visible too.
        this.#see();
    }

    #place(entries) {
        const groups = new Map();
        for (const entry of entries) {
            if (!groups.has(entry.block)) groups.set(entry.block, []);
            groups.get(entry.block).push(entry);
        }
        for (const [key, block] of this.#blocks) {
            if (groups.has(key)) continue;
            this.#observer.unobserve(block.element);
            block.element.remove();
            this.#blocks.delete(key);
        }
        let last = this.top;
        // A block that was never shown counts as near if it is at the end, where a conversation opens.
        const keys = [...groups.keys()];
        for (const [index, key] of keys.entries()) {
            let block = this.#blocks.get(key);
            if (!block) {
                block = new Block();
                block.isNear = this.#isAtEnd && index >= keys.length - 3;
                this.#blocks.set(key, block);
            }
            if (last.nextSibling !== block.element) last.after(block.element);
            if (!block.isObserved) this.#observer.observe(block.element);
            block.isObserved = true;
            const group = groups.get(key);
            if (!block.has(group)) {
                block.entries = group;
                if (!block.isNear) block.element.style.height = `${group.length * GUESSED_ROW_PX}px`;
            }
            if (block.isNear) this.#fill(block);
            last = block.element;
        }
        if (this.empty.parentNode !== this.log || last.nextSibling !== this.empty) this.log.append(this.empty);
        if (this.#rows.size > 2 * BLOCK_OFFSETS * 12) this.#sweep();
    }

    /** Adds a block's messages to the page; existing elements are kept. */
    #fill(block) {
        block.element.style.height = "";
        const rows = block.entries.map((entry) => {
            const known = this.#rows.get(entry.message.id);
            const row = known ?? new MessageRow(this.#chat, this);
            if (!known) this.#rows.set(entry.message.id, row);
            row.show(entry, this.#room);
            return row.element;
        });
        let next = block.element.firstChild;
        for (const row of rows) {
            if (row === next) next = next.nextSibling;
            else block.element.insertBefore(row, next);
        }
        while (next) {
            const after = next.nextSibling;
            next.remove();
            next = after;
        }
    }

    #empty(block) {
        block.element.style.height = `${block.element.getBoundingClientRect().height}px`;
        block.element.replaceChildren();
        for (const { message } of block.entries) {
            if (this.#rows.get(message.id)?.element.parentNode === null) this.#rows.delete(message.id);
        }
    }

    #sweep() {
        for (const [id, row] of this.#rows) if (!row.element.isConnected) this.#rows.delete(id);
    }

    #cameNear(changes) {
        this.#keepingPlace(() => {
            for (const { target, isIntersecting } of changes) {
                const block = [...this.#blocks.values()].find((one) => one.element === target);
                if (!block || block.isNear === isIntersecting) continue;
                const hasFocus = target.contains(document.activeElement);
                if (!isIntersecting && hasFocus) continue;
                block.isNear = isIntersecting;
                if (isIntersecting) this.#fill(block);
                else this.#empty(block);
            }
        });
        this.#loadOlder();
    }

    /** Changes the log while the visible messages keep their position, or the end stays visible. */
    #keepingPlace(change) {
        const log = this.log;
        this.#noteScroll();
        const anchor = this.#isAtEnd ? null : this.#firstInSight();
        const before = anchor?.getBoundingClientRect().top;
        change();
        if (this.#isAtEnd) log.scrollTop = log.scrollHeight;
        else if (anchor?.isConnected) {
            const moved = anchor.getBoundingClientRect().top - before;
            if (Math.abs(moved) > 0.5) log.scrollTop += moved;
        }
        this.#top = log.scrollTop;
    }

    #firstInSight() {
        const top = this.log.getBoundingClientRect().top;
        for (const { element, isNear } of this.#inOrder()) {
            if (element.getBoundingClientRect().bottom <= top) continue;
            if (!isNear) return element;
            for (const row of element.children) if (row.getBoundingClientRect().bottom > top) return row;
            return element;
        }
        return null;
    }

    #inOrder() {
        return [...this.#blocks.entries()].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, block]) => block);
    }

    #emptiness(entries) {
        if (entries.length) return [];
        if (!this.#room) return [];
        const { status, error, peer } = this.#room;
        if (status === "refused") return [make("h2", {}, "You can't enter this room"), make("p", {}, error?.message ?? "")];
        if (status === "joining") return [make("p", {}, "Joining…")];
        const title = this.#chat.titleOf(this.#room.name);
        return [
            make("h2", {}, peer ? "Nothing said yet" : "It is quiet here"),
            make("p", {}, "This is the beginning of ", make("bdi", {}, peer ? title : `#${title}`), ". Say something."),
        ];
    }

    // Scrolling

    #scrolled() {
        const wasAtEnd = this.#isAtEnd;
        this.#measure();
        if (this.#isAtEnd && !wasAtEnd) this.#see();
        this.#showLatest();
        this.#loadOlder();
    }

    #measure() {
        const log = this.log;
        this.#top = log.scrollTop;
        this.#isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < END_PX;
    }

    /** Notices that the user has scrolled before the event for it: what is drawn in between must not scroll back. */
    #noteScroll() {
        if (this.log.scrollTop !== this.#top) this.#measure();
    }

    toEnd(isAsked = false) {
        this.#isAtEnd = true;
        this.log.scrollTop = this.log.scrollHeight;
        this.#top = this.log.scrollTop;
        this.#see();
        this.#showLatest();
        if (isAsked) this.dispatchEvent(new CustomEvent("wantscomposer", { bubbles: true }));
    }

    #showLatest() {
        this.latest.hidden = this.#isAtEnd || !this.#room;
        const text = this.#newCount ? `${this.#newCount} new message${this.#newCount > 1 ? "s" : ""} ↓` : "Jump to latest ↓";
        if (this.latest.textContent !== text) this.latest.textContent = text;
        this.latest.classList.toggle("has-new", this.#newCount > 0);
    }

    async #loadOlder() {
        const room = this.#room;
        if (this.#isLoading || !room?.hasOlder || room.status !== "joined" || this.log.scrollTop > MARGIN_PX) return;
        this.#isLoading = true;
        this.#render();
        try {
            await room.loadOlder(PAGE_MESSAGES);
        } catch {
            // Failed for now: the next scroll tries again.
        }
        this.#isLoading = false;
        if (room !== this.#room) return;
        this.#show();
        if (this.log.scrollTop < MARGIN_PX) requestAnimationFrame(() => this.#scrolled());
    }

    /** Marks the messages as seen if the page has the focus and shows the end. */
    #see() {
        if (!this.#room || document.hidden || !document.hasFocus() || !this.#isAtEnd || this.#chat.view !== "chat") return;
        if (this.#room.status !== "joined") return;
        this.#newCount = 0;
        this.#room.seen();
    }

    // New entries

    #came(room, message) {
        if (room !== this.#room) return;
        if (message.isOwn && this.#isAtEnd === false) return;
        if (!message.isOwn) {
            if (!this.#isAtEnd || document.hidden || !document.hasFocus()) {
                if (this.#newCount === 0 && this.#dividerAt === null && message.offset) this.#dividerAt = message.offset - 1;
                if (!this.#isAtEnd) this.#newCount += 1;
            }
            this.#hear(`${message.name}: ${gistOf(message)}`);
        }
        this.#see();
    }

    /** For screen readers: one announcement for messages that arrive together, not one for each. */
    #hear(text) {
        this.#heard.push(text);
        this.#hearTimer ??= setTimeout(() => {
            const heard = this.#heard.splice(0);
            this.#hearTimer = null;
            announce(heard.length > 2 ? `${heard.length} new messages. Last: ${heard.at(-1)}` : heard.join(". "));
        }, ANNOUNCE_MS);
    }

    /** The user sent a message: scrolls to the end and marks everything as read. */
    sent() {
        this.#dividerAt = null;
        this.toEnd();
        this.#render();
    }

    // The keyboard

    rowOf(element) {
        return element?.closest?.(".message") ?? null;
    }

    focusRow(row) {
        if (!row) return;
        if (this.#focused?.isConnected) this.#focused.tabIndex = -1;
        this.#focused = row;
        row.tabIndex = 0;
        row.focus({ preventScroll: true });
        row.scrollIntoView({ block: "nearest" });
    }

    #focusCame(event) {
        const row = this.rowOf(event.target);
        if (row) this.actions.show(row);
    }

    #neighbour(row, step) {
        const rows = [...this.log.querySelectorAll(".message")];
        return rows[rows.indexOf(row) + step];
    }

    #pressed(event) {
        const row = this.rowOf(event.target);
        if (event.target === this.log) {
            if (event.key === "ArrowUp" || event.key === "ArrowDown") {
                event.preventDefault();
                const bottom = this.log.getBoundingClientRect().bottom;
                const rows = [...this.log.querySelectorAll(".message")];
                this.focusRow(rows.findLast((one) => one.getBoundingClientRect().top < bottom - 8) ?? rows.at(-1));
            }
            return;
        }
        if (!row) return;
        if (event.key === "Escape") {
            event.preventDefault();
            if (event.target === row) this.dispatchEvent(new CustomEvent("wantscomposer", { bubbles: true }));
            else row.focus();
        } else if (event.target === row && !event.ctrlKey && !event.metaKey && !event.altKey) {
            if (event.key === "ArrowUp" || event.key === "ArrowDown") {
                event.preventDefault();
                this.focusRow(this.#neighbour(row, event.key === "ArrowUp" ? -1 : 1));
            } else if (event.key === "Enter" || event.key === " ") {
                event.preventDefault();
                this.actions.enter(row);
            } else this.actions.shortcut(row, event);
        }
    }

    /** Shows the message at an offset, if it is in the view. */
    jumpTo(offset) {
        const block = this.#blocks.get(Math.floor(offset / BLOCK_OFFSETS));
        const message = this.#room?.message(offset);
        if (!block || !message) return;
        this.#isAtEnd = false;
        if (!block.isNear) {
            block.isNear = true;
            this.#fill(block);
        }
        const row = this.#rows.get(message.id)?.element.querySelector(".message");
        row?.scrollIntoView({ block: "center" });
        this.focusRow(row);
    }
}

customElements.define("hub-timeline", Timeline);
