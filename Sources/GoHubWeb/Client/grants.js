// The permissions in a token's claims. They only decide which actions are offered: the hub decides which are performed.

function payloadOf(token) {
    try {
        const text = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
        const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
        return JSON.parse(new TextDecoder().decode(bytes));
    } catch {
        return {};
    }
}

export class Grants {
    #rooms;
    /** The token's expiry in milliseconds since 1970; null if the token has none. */
    expiresAt;

    /** Without a token, in development mode, every user has every permission. */
    constructor(token) {
        const payload = token ? payloadOf(token) : null;
        this.#rooms = payload ? payload.rooms : [{ match: "*", can: ["read", "write", "moderate"] }];
        this.expiresAt = Number.isFinite(payload?.exp) ? payload.exp * 1_000 : null;
    }

    can(what, room) {
        if (room.startsWith("dm:")) return what !== "moderate";
        if (!Array.isArray(this.#rooms)) return what !== "moderate";
        return this.#rooms.some((grant) => {
            const { match, can } = grant ?? {};
            if (typeof match !== "string" || !Array.isArray(can) || !can.includes(what)) return false;
            return match.endsWith("*") ? room.startsWith(match.slice(0, -1)) : room === match;
        });
    }
}
