// The only data that outlives a reload of this tab: the user's identity and the open rooms. A token is kept only here
// and in memory.

const WHO = "gohub.who";
const ROOMS = "gohub.rooms";
const LAST = "gohub.last";
const OUTBOX = "gohub.outbox";

/** The browser may forbid storage: then a reload signs out. */
const memory = new Map();
const store = {
    getItem(key) {
        try {
            return sessionStorage.getItem(key);
        } catch {
            return memory.get(key) ?? null;
        }
    },
    setItem(key, value) {
        try {
            sessionStorage.setItem(key, value);
        } catch {
            memory.set(key, value);
        }
    },
    removeItem(key) {
        try {
            sessionStorage.removeItem(key);
        } catch {
            memory.delete(key);
        }
    },
};

function read(key, otherwise) {
    try {
        return JSON.parse(store.getItem(key)) ?? otherwise;
    } catch {
        return otherwise;
    }
}

const write = (key, value) => store.setItem(key, JSON.stringify(value));

export const session = {
    credentials: () => read(WHO, null),
    token: () => read(WHO, {}).token ?? "",
    keep: (credentials) => write(WHO, credentials),

    rooms: () => read(ROOMS, []),
    open(name) {
        const names = this.rooms();
        if (!names.includes(name)) write(ROOMS, [...names, name]);
    },
    close: (name) => write(ROOMS, session.rooms().filter((other) => other !== name)),

    last: () => read(LAST, null),
    show: (name) => write(LAST, name),

    /** The storage that keeps unacknowledged commands over a reload. */
    outbox: () => store,

    forget() {
        for (const key of [WHO, ROOMS, LAST]) store.removeItem(key);
        try {
            for (const key of Object.keys(sessionStorage)) if (key.startsWith(OUTBOX)) sessionStorage.removeItem(key);
        } catch {
            // Nothing was stored there.
        }
    },
};
