// Makes elements without markup: users' content enters the page only as text nodes and in chosen attributes.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) {
        if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
        else if (value === true) element.setAttribute(name, "");
        else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
    return element;
}

/** An element, such as `make("button.quiet", { type: "button", onclick }, "Retry")`. */
export function make(selector, attributes = {}, ...children) {
    const [tag, ...classes] = selector.split(".");
    const element = document.createElement(tag);
    if (classes.length) element.className = classes.join(" ");
    return fill(element, attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
    return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** Paths in a view box of 24 by 24. */
const ICONS = {
    alert: "M12 4 2.8 20h18.4L12 4zm0 6v5m0 2.5v.5",
    back: "M15 5l-7 7 7 7",
    ban: "M12 3a9 9 0 100 18 9 9 0 000-18zM5.7 5.7l12.6 12.6",
    check: "M5 12.5l4.5 4.5L19 7.5",
    checks: "M2 12.5L6.5 17 15 7.5M11 16l1 1 9-9.5",
    clock: "M12 4a8 8 0 100 16 8 8 0 000-16zm0 4v4.5l3 1.5",
    clip: "M19 11.5l-7.4 7.4a4.6 4.6 0 01-6.5-6.5l8-8a3 3 0 014.3 4.3l-7.9 7.9a1.5 1.5 0 01-2.2-2.2l6.8-6.8",
    close: "M6 6l12 12M18 6L6 18",
    down: "M12 5v14m-6-6l6 6 6-6",
    download: "M12 4v11m-5-5l5 5 5-5M5 20h14",
    edit: "M4 20l1-4.5L16.5 4 20 7.5 8.5 19 4 20zM14 6.5l3.5 3.5",
    exit: "M10 4H5v16h5M15 8l4 4-4 4m4-4H9",
    file: "M6 3h8l4 4v14H6V3zm8 0v4h4",
    film: "M4 5h16v14H4V5zm6 4v6l5-3-5-3z",
    image: "M4 5h16v14H4V5zm0 11l5-5 4 4 3-2 4 3M15 9h.01",
    kick: "M10 4a4 4 0 100 8 4 4 0 000-8zM3 20c.5-4 3-6 7-6m6 1l5 5m0-5l-5 5",
    live: "M12 9.5a2.5 2.5 0 100 5 2.5 2.5 0 000-5zM5 4a2 2 0 100 4 2 2 0 000-4zm14 0a2 2 0 100 4 2 2 0 000-4zM5 16a2 2 0 100 4 2 2 0 000-4zm14 0a2 2 0 100 4 2 2 0 000-4zM6.5 7.5L10 10m7.5-2.5L14 10m-7.5 6.5L10 14m7.5 2.5L14 14",
    menu: "M4 7h16M4 12h16M4 17h16",
    more: "M5.5 12h.01M12 12h.01M18.5 12h.01",
    moon: "M19.5 14A8 8 0 0110 4.5a8 8 0 109.5 9.5z",
    mute: "M4 9.5v5h3.5L12 18.5v-13L7.5 9.5H4zM16 9.5l5 5m0-5l-5 5",
    pardon: "M4 12a8 8 0 108-8 8 8 0 00-6.5 3.3M5 3.5v4h4",
    pause: "M9 5v14m6-14v14",
    people: "M9 5a3.5 3.5 0 100 7 3.5 3.5 0 000-7zM2.5 19.5c.4-3.6 2.8-5.5 6.5-5.5s6.1 1.9 6.5 5.5M16 5.5a3 3 0 010 6m2 3c2 .8 3.2 2.4 3.5 5",
    play: "M8 5l11 7-11 7V5z",
    plus: "M12 5v14M5 12h14",
    power: "M12 3.5V12M7 6.5a8 8 0 1010 0",
    reply: "M10 6l-6 6 6 6m-6-6h10c3.5 0 6 2 6 6v1",
    retry: "M19 12a7 7 0 11-2.2-5.1M19 4v4h-4",
    send: "M4 12l16-8-5 16-3.5-6.5L4 12zm7.5 1.5L20 4",
    smile: "M12 3a9 9 0 100 18 9 9 0 000-18zM8.5 14c.7 1.5 2 2.3 3.5 2.3s2.8-.8 3.5-2.3M9 9.5v.5m6-.5v.5",
    sound: "M9 18V6l10-2v12M9 18a2.5 2.5 0 11-5 0 2.5 2.5 0 015 0zm10-2a2.5 2.5 0 11-5 0 2.5 2.5 0 015 0z",
    sun: "M12 8a4 4 0 100 8 4 4 0 000-8zm0-5.5V4m0 16v1.5M2.5 12H4m16 0h1.5M5.3 5.3l1 1m11.4 11.4l1 1m0-13.4l-1 1M6.3 17.7l-1 1",
    system: "M3.5 5h17v11h-17V5zM9 20h6m-3-4v4",
    text: "M6 3h8l4 4v14H6V3zm8 0v4h4M9 12h6m-6 4h6",
    trash: "M4.5 7h15M10 11v6m4-6v6M6.5 7l1 13h9l1-13M9.5 7V4h5v3",
    whisper: "M4 5h16v11h-9l-4.5 4v-4H4V5z",
};

export function icon(name) {
    return svg("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" },
        svg("path", { d: ICONS[name] }));
}

/** A button with only an icon; the label is its accessible name and its tooltip. */
export function iconButton(name, label, onclick, attributes = {}) {
    return make("button.icon-button", { type: "button", "aria-label": label, title: label, onclick, ...attributes },
        icon(name));
}

/** A user's colour, the same everywhere. */
export function toneOf(user) {
    let hash = 0;
    for (const character of user) hash = (hash * 33 + character.codePointAt(0)) % 9_973;
    return hash % 8;
}

export const initialOf = (name) => ([...name.trim()][0] ?? "?").toUpperCase();

export function avatar(user, name = user) {
    return make(`span.avatar.tone-${toneOf(user)}`, { "aria-hidden": "true" }, initialOf(name));
}

/** A user-chosen name, isolated so that it cannot change the direction of the text around it. */
export const named = (name, selector = "bdi") => make(selector, {}, name);

const LINK = /https?:\/\/[^\s<>"'`\p{Bidi_Control}]+/giu;

/** Text with web addresses as links and no other markup. */
export function linked(text) {
    const parts = [];
    let end = 0;
    for (const match of text.matchAll(LINK)) {
        // Punctuation at the end and an unmatched closing bracket are not part of the address.
        let address = match[0].replace(/[.,;:!?]+$/, "");
        if (address.endsWith(")") && !address.includes("(")) address = address.slice(0, -1);
        if (!URL.canParse(address)) continue;
        parts.push(text.slice(end, match.index), make("a", {
            href: new URL(address).href, rel: "noopener noreferrer nofollow ugc", target: "_blank", dir: "ltr",
        }, address));
        end = match.index + address.length;
    }
    parts.push(text.slice(end));
    return parts;
}

const clock = new Intl.DateTimeFormat([], { timeStyle: "short" });
const full = new Intl.DateTimeFormat([], { dateStyle: "full", timeStyle: "short" });
const weekday = new Intl.DateTimeFormat([], { weekday: "long", day: "numeric", month: "long" });
const withYear = new Intl.DateTimeFormat([], { dateStyle: "long" });

export const clockTime = (at) => clock.format(at);
export const fullTime = (at) => full.format(at);

/** A number that is equal for all times of one day. */
export const dayOf = (at) => new Date(at).setHours(0, 0, 0, 0);

export function dayName(at) {
    const days = Math.round((dayOf(Date.now()) - dayOf(at)) / 86_400_000);
    if (days === 0) return "Today";
    if (days === 1) return "Yesterday";
    return days < 300 ? weekday.format(at) : withYear.format(at);
}

export function time(at) {
    return make("time", { datetime: new Date(at).toISOString(), title: fullTime(at) }, clockTime(at));
}

/** A size in bytes with three digits and a decimal unit. */
export function sizeText(bytes) {
    const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
    let [value, unit] = [Math.max(0, bytes), 0];
    while (value >= 999.5 && unit < units.length - 1) [value, unit] = [value / 1_000, unit + 1];
    const digits = unit === 0 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: value >= 100 ? 3 : 2 };
    return new Intl.NumberFormat([], { style: "unit", unit: units[unit], unitDisplay: unit ? "short" : "long", ...digits }).format(value);
}

/** An estimated duration, rounded. */
export function durationText(seconds) {
    const [value, unit] = seconds < 60 ? [seconds, "second"] : seconds < 3_600 ? [seconds / 60, "minute"] : [seconds / 3_600, "hour"];
    return new Intl.NumberFormat([], { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: 0 }).format(Math.ceil(value));
}

/** Runs a function once before the next frame, however often it is requested; soon also if nothing is painted. */
export function onceAFrame(run) {
    let isAsked = false;
    const now = () => {
        if (!isAsked) return;
        isAsked = false;
        run();
    };
    return () => {
        if (isAsked) return;
        isAsked = true;
        if (document.hidden) setTimeout(now, 50);
        else requestAnimationFrame(now);
    };
}

let speaker = null;

/** Announces a text to screen readers without moving the focus. */
export function announce(text) {
    speaker ??= document.getElementById("announcer");
    speaker.textContent = "";
    // Two equal texts in a row would be announced once; the text is set in the next task.
    setTimeout(() => { speaker.textContent = text; });
}
