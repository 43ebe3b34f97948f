// The page: creates the elements and decides which of them are visible.
import { Chat } from "./chat.js";
import { iconButton } from "./dom.js";
import { session } from "./session.js";
import { themeSwitch } from "./theme.js";
import "./composer.js";
import "./graph.js";
import "./people.js";
import "./rooms.js";
import "./signin.js";
import "./status.js";
import "./timeline.js";
import "./upload-panel.js";

const $ = (id) => document.getElementById(id);
const chat = new Chat();
const body = document.body;
const signIn = document.querySelector("hub-sign-in");
const timeline = document.querySelector("hub-timeline");
const composer = document.querySelector("hub-composer");
const isWide = matchMedia("(min-width: 64rem)");

// Drawers: on small screens one of the lists at a time covers the conversation.

let opener = null;
const DRAWERS = { rooms: $("rooms"), people: $("people") };
const OUTSIDE = [document.querySelector(".centre"), document.querySelector(".skip")];

const isDrawer = (name) => getComputedStyle(DRAWERS[name]).position === "fixed";

function openDrawer(name, from) {
    if (!isDrawer(name)) return;
    opener = from;
    body.dataset.drawer = name;
    for (const element of OUTSIDE) element.inert = true;
    DRAWERS[name].querySelector("button, input")?.focus();
    showDrawers();
}

function closeDrawers() {
    if (!body.dataset.drawer) return;
    delete body.dataset.drawer;
    for (const element of OUTSIDE) element.inert = false;
    if (opener?.isConnected) opener.focus();
    opener = null;
    showDrawers();
}

/** A closed drawer is inert. */
function showDrawers() {
    for (const [name, drawer] of Object.entries(DRAWERS)) {
        drawer.inert = isDrawer(name) && body.dataset.drawer !== name;
        $(`open-${name}`).setAttribute("aria-expanded", String(body.dataset.drawer === name));
    }
}

for (const name of Object.keys(DRAWERS)) {
    for (const button of document.querySelectorAll(`[data-opens="${name}"]`)) button.addEventListener("click", () => openDrawer(name, button));
    DRAWERS[name].querySelector(".drawer-close").append(iconButton("close", "Close", closeDrawers));
    DRAWERS[name].addEventListener("chose", () => body.dataset.drawer && (closeDrawers(), composer.focusText()));
}
$("scrim").addEventListener("click", closeDrawers);
addEventListener("keydown", (event) => event.key === "Escape" && closeDrawers());
addEventListener("resize", () => {
    if (body.dataset.drawer && !isDrawer(body.dataset.drawer)) closeDrawers();
    showDrawers();
});

// The head of the conversation

function showHead() {
    const room = chat.current;
    const isLive = chat.view === "live";
    $("title").textContent = isLive ? "Live picture" : room ? (room.peer ? chat.nameOf(room.peer) : `#${room.name}`) : "Welcome";
    const here = room?.count === 1 ? "1 person here" : `${room?.count} people here`;
    const isConnected = ["connected", "draining"].includes(chat.state.name);
    const texts = { joining: isConnected ? "joining…" : "not connected", refused: "you can't enter", joined: room?.peer ? "direct conversation" : here };
    const subtitle = isLive ? `of ${chat.info.node}` : room ? texts[room.status] ?? "" : "";
    if ($("subtitle").textContent !== subtitle) $("subtitle").textContent = subtitle;
    $("leave").hidden = !room || isLive;
    $("leave").setAttribute("aria-label", room?.peer ? "Close this conversation" : "Leave this room");
    $("leave").title = $("leave").getAttribute("aria-label");
    $("open-people").hidden = !room || room.peer !== null || isLive;
    body.toggleAttribute("data-no-people", !room || room.peer !== null);
    $("welcome").hidden = Boolean(room);
    timeline.hidden = !room;
    showDrawers();
}

function showView(view) {
    body.dataset.view = chat.hub ? view : "sign-in";
    showHead();
}

function showState(state) {
    if (!chat.hub) return;
    const isUnknown = chat.user === null && state.name === "closed" && state.cause !== "new";
    if (isUnknown) {
        chat.end();
        showRefusal(state.reason || "the hub ended the conversation");
    } else if (body.dataset.view === "sign-in") showView(chat.view);
    if (state.cause === "unauthorized" && chat.hub) document.querySelector("hub-renewal input")?.focus();
    showHead();
}

function showRefusal(problem) {
    body.dataset.view = "sign-in";
    signIn.show(`Not connected: ${problem.replace(/\.$/, "")}.`);
    showHead();
}

chat.on("state", showState);
chat.on("refused", showRefusal);
chat.on("view", showView);
for (const type of ["current", "room"]) chat.on(type, showHead);
chat.on("current", (room) => {
    if (body.dataset.drawer) closeDrawers();
    if (!room && chat.hub) $("enter-lobby").focus();
});

$("leave").addEventListener("click", () => chat.current && chat.leave(chat.current));
$("enter-lobby").addEventListener("click", () => chat.open("lobby"));
addEventListener("wantscomposer", () => composer.focusText());
addEventListener("dismissed", () => (chat.hub ? composer.focusText() : signIn.field.focus()));

/** Fetches the hub's information, which says how users sign in. A signed-in user needs only the connection's state. */
async function learnInfo() {
    const address = new URL("v1/info", location.href).href;
    let status = 0;
    try {
        const response = await fetch(address);
        status = response.status;
        if (response.ok) return (chat.info = await response.json());
    } catch {
        // Reported below.
    }
    chat.info = { ...chat.info, development: !session.token() };
    if (!session.credentials()) dispatchEvent(new CustomEvent("startfailed", { detail: { address, status } }));
    return session.credentials() && chat.info;
}

async function begin() {
    // The message of start.js stays if the page cannot be used.
    if (!dispatchEvent(new Event("starting", { cancelable: true })) || !(await learnInfo())) return;
    $("start").remove();
    for (const element of document.querySelectorAll(".skip, .sign-in-page, .app")) element.hidden = false;
    signIn.attach(chat);
    timeline.attach(chat);
    composer.attach(chat, timeline, document.querySelector("hub-upload-panel"));
    for (const element of document.querySelectorAll("hub-status, hub-banner, hub-alert, hub-renewal, hub-rooms, hub-people, hub-graph")) {
        element.attach(chat);
    }
    document.querySelector("hub-self").attach(chat, themeSwitch(), iconButton("power", "Sign out", () => {
        chat.end();
        showView("chat");
        closeDrawers();
        signIn.show();
    }, { id: "sign-out" }));
    isWide.addEventListener("change", showDrawers);
    const credentials = session.credentials();
    if (credentials) {
        body.dataset.view = "chat";
        chat.begin(credentials, { isKept: true });
    } else {
        body.dataset.view = "sign-in";
        signIn.field.focus();
    }
    showHead();
}

begin();
