// The page: it shows what the connection tells and passes on what the user does. What others wrote is only ever set as
// text, never as markup.
import { Connection, directRoom, makeID, otherUser } from "./connection.js";

const SHOWN_MAX = 500;
const TYPING_EVERY_MS = 3_000;
const TYPING_SHOWN_MS = 6_000;
const REACTION_NAMES_MAX = 5;

const $ = (id) => document.getElementById(id);
const connection = new Connection(socketURL(), deviceID(), {
    state: showState, opened, reset, message: received, fact, changed, left, settled, notice, members, typing, drain, error,
});
/** What the page holds of each room: its list, its unread count, who types. */
const places = new Map();
let current = null;
let isDevelopment = false;
/** Wide enough, the forms and the list of people stand open. */
const isWide = matchMedia("(min-width: 60rem)");
const empty = $("empty");

function socketURL() {
    const url = new URL("v1/ws", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    return url.href;
}

/** One for each tab, so that tabs live side by side and a reload takes its own session's place. */
function deviceID() {
    try {
        const known = sessionStorage.getItem("gohub.device") ?? `web-${makeID()}`;
        sessionStorage.setItem("gohub.device", known);
        return known;
    } catch {
        return `web-${makeID()}`;
    }
}

/** An element with a class and text or children. */
function make(tag, className, ...children) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    element.append(...children);
    return element;
}

// Connecting

async function begin() {
    try {
        const info = await (await fetch("v1/info")).json();
        isDevelopment = info.development === true;
    } catch {
        // A hub that can't be asked shows in the connection's state soon enough.
    }
    $("user-field").hidden = !isDevelopment;
    $("token-field").hidden = isDevelopment;
    $(isDevelopment ? "user" : "token").focus();
}

$("sign-in").addEventListener("submit", (event) => {
    event.preventDefault();
    const field = $(isDevelopment ? "user" : "token");
    const value = field.value.trim();
    if (!value) {
        showAlert(isDevelopment ? "Enter a name to connect." : "Enter a token to connect.");
        return field.focus();
    }
    hideAlert();
    $("token").value = "";
    connection.open(isDevelopment ? { user: value } : { token: value });
});

$("sign-out").addEventListener("click", () => connection.close());
$("retry").addEventListener("click", () => connection.retryNow());

function showState(state) {
    const texts = {
        connecting: "connecting…", connected: "connected", reconnecting: "reconnecting", offline: "offline",
        replaced: "replaced", ended: "disconnected",
    };
    $("state").dataset.state = state.name;
    $("state-text").textContent = texts[state.name] + (state.name === "reconnecting" ? ` (${state.reason})` : "");
    showCountdown();
    const isOver = ["ended", "replaced"].includes(state.name);
    const wantsCredentials = state.name === "ended" && [1000, 4003, 4501].includes(state.code);
    $("retry").hidden = ["connecting", "connected"].includes(state.name) || wantsCredentials;
    $("retry").textContent = isOver ? "Connect again" : "Try now";
    $("sign-out").hidden = isOver;
    if (state.name === "connected") {
        $("whoami").textContent = state.displayName;
        $("whoami").hidden = false;
        hideAlert();
        if (document.body.dataset.view === "sign-in") {
            document.body.dataset.view = "chat";
            $(current ? "text" : "join-room").focus();
        }
    }
    if (isOver) showAlert(state.reason);
    if (wantsCredentials) {
        document.body.dataset.view = "sign-in";
        $(isDevelopment ? "user" : "token").focus();
    }
    for (const place of places.values()) {
        showPending(place);
        if (state.name !== "connected") place.typing.clear();
    }
    showPlace();
}

function showCountdown() {
    const { name, at } = connection.state;
    const seconds = Math.max(1, Math.ceil((at - Date.now()) / 1_000));
    $("state-countdown").textContent = name === "reconnecting" ? `in ${seconds} s` : "";
}
setInterval(showCountdown, 500);

function drain() {
    showAlert("The hub is restarting. You will be reconnected.");
}

/** Tells of an error, and how long it lasts where the hub said so. */
function error(event, command) {
    if (command?.op === "send" && !event.retryAfterMs) return; // Shown at the message itself.
    const wait = event.retryAfterMs ? ` Wait ${Math.ceil(event.retryAfterMs / 1_000)} s.` : "";
    const room = command?.room ? ` (${titleOf(command.room)})` : "";
    showAlert(`${event.message}${room}.${wait}`.replace("..", "."));
}

function showAlert(text) {
    $("alert-text").textContent = text.charAt(0).toUpperCase() + text.slice(1);
    $("alert").hidden = false;
}

function hideAlert() {
    $("alert").hidden = true;
}
$("alert-close").addEventListener("click", () => {
    hideAlert();
    if (document.body.dataset.view === "chat") $(current ? "text" : "join-room").focus();
    else $(isDevelopment ? "user" : "token").focus();
});

// Places: rooms and direct conversations

function titleOf(room) {
    return otherUser(room, connection.user) ?? room;
}

function placeOf(name) {
    if (!places.has(name)) {
        const older = make("button", "quiet older", "Earlier messages");
        older.type = "button";
        older.hidden = true;
        const list = make("ol", "messages");
        const place = { name, older, list, unread: 0, oldest: null, facts: null, typing: new Map(), draft: "" };
        older.addEventListener("click", () => loadOlder(place));
        places.set(name, place);
    }
    return places.get(name);
}

$("join").addEventListener("submit", (event) => {
    event.preventDefault();
    const room = $("join-room").value.trim().toLowerCase();
    if (!/^[a-z0-9][a-z0-9._-]{0,63}$/.test(room)) {
        showAlert("A room's name has 1–64 of a–z, 0–9, . _ and -, and starts with a letter or a digit.");
        return $("join-room").focus();
    }
    $("join-room").value = "";
    connection.join(room);
    openPlace(room);
});

$("whisper").addEventListener("submit", (event) => {
    event.preventDefault();
    const user = $("whisper-user").value.trim();
    if (!user) return $("whisper-user").focus();
    $("whisper-user").value = "";
    openDirect(user);
});

$("leave").addEventListener("click", () => current && connection.leave(current.name));

function openDirect(user) {
    const name = directRoom(connection.user, user);
    connection.join(name);
    openPlace(name);
}

/** Makes a place the one that is shown. */
function openPlace(name) {
    if (current) current.draft = $("text").value;
    current = placeOf(name);
    current.unread = 0;
    $("text").value = current.draft;
    $("log").setAttribute("aria-busy", "true");
    $("log").replaceChildren(current.older, current.list);
    $("log").scrollTop = $("log").scrollHeight;
    $("log").setAttribute("aria-busy", "false");
    $("new").open = isWide.matches;
    showPlaces();
    showPlace();
    fitComposer();
    $("text").focus();
}

function opened(room, isTyped) {
    placeOf(room.name);
    if (isTyped || !current) openPlace(room.name);
    else showPlaces();
}

function changed(room) {
    placeOf(room.name);
    showPlaces();
    if (current?.name === room.name) showPlace();
}

function left(name, reason) {
    const wasCurrent = current?.name === name;
    places.delete(name);
    if (reason) showAlert(`You are no longer in ${titleOf(name)}: ${reason}`);
    if (wasCurrent) {
        current = null;
        const next = places.keys().next().value;
        if (next) return openPlace(next);
        $("text").value = "";
        $("log").replaceChildren(empty);
        $("new").open = true;
        showPlace();
        if (document.body.dataset.view === "chat") $("join-room").focus();
    }
    showPlaces();
}

function showPlaces() {
    const unread = [...places.values()].reduce((sum, place) => sum + place.unread, 0);
    document.title = unread ? `(${unread}) GoHub` : "GoHub";
    const focused = document.activeElement?.dataset?.place;
    $("place-list").replaceChildren(...[...places.values()].map((place) => {
        const sign = make("span", "sign", place.name.startsWith("dm:") ? "@" : "#");
        sign.setAttribute("aria-hidden", "true");
        const button = make("button", "place", sign, make("bdi", "", titleOf(place.name)));
        button.type = "button";
        button.dataset.place = place.name;
        if (place === current) button.setAttribute("aria-current", "true");
        const unread = make("span", "unread", String(place.unread), make("span", "unseen", " unread"));
        if (place.unread) button.append(unread);
        button.addEventListener("click", () => openPlace(place.name));
        return make("li", "", button);
    }));
    if (focused) document.querySelector(`[data-place="${CSS.escape(focused)}"]`)?.focus();
}

const countOf = (room) => (room?.count === 1 ? "1 person here" : `${room?.count} people here`);

/** Shows the current place's heading, people and composer. */
function showPlace() {
    const room = current && connection.rooms.get(current.name);
    const isConnected = connection.state.name === "connected";
    $("title").textContent = current ? titleOf(current.name) : "No conversation yet";
    const subtitles = {
        joining: isConnected ? "joining…" : "waiting for the connection",
        refused: "you can't enter this room",
        joined: room?.isDirect ? "direct conversation" : countOf(room),
    };
    $("subtitle").textContent = subtitles[room?.status] ?? "";
    $("leave").hidden = !current;
    $("leave").textContent = room?.isDirect ? "Close" : "Leave";
    const isOver = ["ended", "replaced"].includes(connection.state.name);
    $("text").disabled = $("send").disabled = !room || room.status === "refused" || isOver;
    showTyping();
    $("people").hidden = !room || room.isDirect;
    if (!room || room.isDirect) return;
    $("people-count").textContent = String(room.count);
    $("people-list").replaceChildren(...[...room.members.values()].map((member) => {
        const name = make("bdi", "", member.name ?? member.user);
        const isSelf = member.user === connection.user;
        if (isSelf) return make("li", "", avatar(member.user), name, make("span", "hint", " (you)"));
        const button = make("button", "person", avatar(member.user), name);
        button.type = "button";
        button.title = `Write to ${member.user}`;
        button.addEventListener("click", () => openDirect(member.user));
        return make("li", "", button);
    }));
    const hidden = room.count - room.members.size;
    $("people-more").hidden = hidden <= 0;
    $("people-more").textContent = `and ${hidden} more`;
}

// Messages

/** Does something to the log, and keeps its end in sight if it was. */
function keepingEnd(place, change) {
    if (!keepingPlace(place, change) && place === current) $("newer").hidden = false;
}

/** The same for what is nothing new at the end. */
function keepingPlace(place, change) {
    const log = $("log");
    const wasAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 48;
    change();
    if (place === current && wasAtEnd) log.scrollTop = log.scrollHeight;
    return wasAtEnd;
}
$("log").addEventListener("scroll", () => {
    const log = $("log");
    if (log.scrollHeight - log.scrollTop - log.clientHeight < 48) $("newer").hidden = true;
});
$("newer").addEventListener("click", () => {
    $("log").scrollTop = $("log").scrollHeight;
    $("text").focus();
});

function received(room, message) {
    const place = placeOf(room.name);
    const own = message.from === connection.user;
    if (own) place.list.querySelector(`[data-pending="${CSS.escape(message.id)}"]`)?.remove();
    if (place.oldest === null && message.offset) place.oldest = message.offset;
    keepingEnd(place, () => {
        const firstPending = place.list.querySelector("[data-pending]");
        place.list.insertBefore(messageItem(message), firstPending);
        while (place.list.childElementCount > SHOWN_MAX) {
            place.list.firstElementChild.remove();
            place.oldest = Number(place.list.querySelector("[data-offset]")?.dataset.offset) || place.oldest;
        }
        place.older.hidden = !(place.oldest > 1);
    });
    place.typing.delete(message.from);
    if (place === current) showTyping();
    else if (!own) {
        place.unread += 1;
        showPlaces();
    }
}

function messageItem(message) {
    const author = make("bdi", "author", message.name ?? message.from);
    const meta = make("p", "meta", author);
    if (message.name) meta.append(make("bdi", "user", message.from));
    const at = new Date(message.at);
    const isToday = at.toDateString() === new Date().toDateString();
    const style = isToday ? { timeStyle: "short" } : { dateStyle: "short", timeStyle: "short" };
    const time = make("time", "", at.toLocaleString([], style));
    time.dateTime = at.toISOString();
    meta.append(time);
    if (message.ephemeral) meta.append(make("span", "note", "not stored"));
    const text = make("p", "text");
    text.dir = "auto";
    const item = make("li", "message", avatar(message.from), make("div", "body", meta, text));
    if (message.from === connection.user) item.classList.add("own");
    if (message.offset) item.dataset.offset = message.offset;
    shown.set(item, { standsAt: message.offset, ...message });
    showMessage(item);
    return item;
}

/** The messages behind the items, each with the offset up to which facts are in it. */
const shown = new WeakMap();

/** Shows what facts make of a message: its text as it is now, or that it was deleted, and how many gave which reaction. */
function showMessage(item) {
    const message = shown.get(item);
    const text = item.querySelector(".text");
    item.classList.toggle("deleted", message.deleted !== undefined);
    text.textContent = message.deleted === undefined ? message.text : "This message was deleted.";
    item.querySelector(".edited")?.remove();
    if (message.edited) item.querySelector(".meta").append(make("span", "note edited", "edited"));
    item.querySelector(".reactions")?.remove();
    if (!message.reactions?.length) return;
    text.after(make("ul", "reactions", ...message.reactions.map(({ reaction, count, by }) => {
        const names = by.join(", ") + (count > by.length ? ", …" : "");
        const users = make("span", "unseen", ` by ${names}`);
        const entry = make("li", "", make("bdi", "", reaction), ` ${count}`, users);
        entry.title = names;
        return entry;
    })));
}

/** Something was done to a message. One that isn't shown comes as it is, with the page that brings it. */
function fact(room, event) {
    const place = placeOf(room.name);
    place.oldest ??= event.offset;
    place.older.hidden = !(place.oldest > 1);
    place.facts?.push(event);
    const item = place.list.querySelector(`[data-offset="${event.of}"]`);
    if (item) keepingPlace(place, () => apply(item, event));
}

function apply(item, event) {
    const message = shown.get(item);
    if (!message || event.offset <= message.standsAt) return;
    message.standsAt = event.offset;
    if (message.deleted !== undefined) return;
    if (event.op === "edited" && event.text !== undefined) {
        message.text = event.text;
        message.edited = event.offset;
    } else if (event.op === "deleted") {
        Object.assign(message, { text: "", deleted: event.offset, edited: undefined, reactions: [] });
    } else if (event.op === "reaction") {
        const reactions = message.reactions ?? [];
        const known = reactions.find(({ reaction }) => reaction === event.reaction);
        const entry = { reaction: event.reaction, count: event.count, by: known?.by.filter((user) => user !== event.from) ?? [] };
        if (!event.removed && known?.by.includes(event.from)) entry.by = known.by;
        else if (!event.removed && entry.by.length < REACTION_NAMES_MAX) entry.by.push(event.from);
        const others = known ? reactions.map((other) => (other === known ? entry : other)) : [...reactions, entry];
        message.reactions = others.filter(({ count }) => count > 0);
    }
    showMessage(item);
}

/** A letter on one of a few tones, the same for a user wherever it is shown. */
function avatar(user) {
    let hash = 0;
    for (const character of user) hash = (hash * 33 + character.codePointAt(0)) % 9_973;
    const element = make("span", `avatar tone-${hash % 6}`, [...user][0].toUpperCase());
    element.setAttribute("aria-hidden", "true");
    return element;
}

async function loadOlder(place) {
    place.older.disabled = true;
    // What comes before the page may be newer than it.
    const facts = (place.facts = []);
    const page = await connection.history(place.name, place.oldest);
    place.older.disabled = false;
    place.facts = null;
    if (!page || page.epoch !== connection.rooms.get(place.name)?.epoch) return;
    const log = $("log");
    const fromEnd = log.scrollHeight - log.scrollTop;
    log.setAttribute("aria-busy", "true");
    const messages = page.messages.filter((entry) => entry.of === undefined);
    place.list.prepend(...messages.map((message) => messageItem({ ...message, standsAt: page.offset })));
    for (const event of facts) {
        const item = place.list.querySelector(`[data-offset="${event.of}"]`);
        if (item) apply(item, event);
    }
    place.oldest = page.messages[0]?.offset ?? place.oldest;
    place.older.hidden = !page.more;
    if (!page.more) $("log").focus();
    if (place === current) log.scrollTop = log.scrollHeight - fromEnd;
    log.setAttribute("aria-busy", "false");
}

function reset(room) {
    const place = placeOf(room.name);
    const pending = [...place.list.querySelectorAll("[data-pending]")];
    const text = "Messages were missed that the hub can't replay. What it still holds follows.";
    place.list.replaceChildren(make("li", "notice", text), ...pending);
    place.oldest = null;
}

function notice(roomName, text) {
    const place = places.get(roomName) ?? current;
    if (!place) return showAlert(text);
    keepingEnd(place, () => place.list.append(make("li", "notice", text)));
}

function members(event) {
    const names = event.members.map((member) => member.name ?? member.user).join(", ");
    notice(event.room, `${event.count} here: ${names}${event.count > event.members.length ? ", …" : ""}`);
}

// Writing

$("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = $("text").value.trim();
    if (!text || !current) return $("text").focus();
    const command = connection.send(current.name, text);
    const place = current;
    keepingEnd(place, () => place.list.append(pendingItem(command)));
    $("log").scrollTop = $("log").scrollHeight;
    $("text").value = "";
    stopTyping();
    fitComposer();
    showPending(place);
    $("text").focus();
});

$("text").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    $("composer").requestSubmit();
});

function pendingItem(command) {
    const item = make("li", "message own pending", avatar(connection.user));
    const meta = make("p", "meta", make("bdi", "author", connection.user), make("span", "note", ""));
    const text = make("p", "text", command.text);
    text.dir = "auto";
    item.append(make("div", "body", meta, text));
    item.dataset.pending = command.id;
    return item;
}

/** Says of each message that isn't acknowledged what it waits for. */
function showPending(place) {
    const text = connection.state.name === "connected" ? "sending…" : "waiting for the connection…";
    for (const note of place.list.querySelectorAll(".pending .note")) note.textContent = text;
}

/** A send is over. Its message shows by itself; an answer to a slash command too. */
function settled(command, reply) {
    const item = places.get(command.room)?.list.querySelector(`[data-pending="${command.id}"]`);
    if (!item) return;
    const comesAsMessage = reply.op === "ack" && reply.room === command.room && reply.offset;
    if (reply.op !== "error") {
        const offset = connection.rooms.get(command.room)?.offset ?? 0;
        if (!comesAsMessage || reply.offset <= offset) return item.remove();
        item.querySelector(".note").textContent = "stored";
        return;
    }
    keepingEnd(places.get(command.room), () => {
        item.removeAttribute("data-pending");
        item.classList.replace("pending", "failed");
        item.querySelector(".note").textContent = `not sent: ${reply.message}`;
    });
}

let typingToldAt = 0;
let typingTimer = null;
$("text").addEventListener("input", () => {
    fitComposer();
    const text = $("text").value;
    if (!text || (text.startsWith("/") && !text.startsWith("//"))) return stopTyping();
    clearTimeout(typingTimer);
    typingTimer = setTimeout(stopTyping, TYPING_SHOWN_MS);
    if (Date.now() - typingToldAt < TYPING_EVERY_MS || !current) return;
    typingToldAt = Date.now();
    connection.typing(current.name, true);
});

function stopTyping() {
    clearTimeout(typingTimer);
    if (typingToldAt && current) connection.typing(current.name, false);
    typingToldAt = 0;
}

function typing(room, user, isActive) {
    const place = placeOf(room.name);
    if (isActive) place.typing.set(user, Date.now() + TYPING_SHOWN_MS);
    else place.typing.delete(user);
    showTyping();
}

function showTyping() {
    const now = Date.now();
    const users = current ? [...current.typing].filter(([, until]) => until > now).map(([user]) => user) : [];
    const who = users.length > 3 ? `${users.length} people` : users.join(", ");
    const text = users.length ? `${who} ${users.length > 1 ? "are" : "is"} typing…` : "";
    if ($("typing").textContent !== text) $("typing").textContent = text;
}
setInterval(showTyping, 1_000);

/** Grows with the text, up to a bound that the style sheet sets. */
function fitComposer() {
    $("text").style.height = "auto";
    $("text").style.height = `${$("text").scrollHeight + 2}px`;
}

function fitWidth() {
    $("people").open = isWide.matches;
    $("new").open = isWide.matches || !current;
}
isWide.addEventListener("change", fitWidth);
fitWidth();
begin();
