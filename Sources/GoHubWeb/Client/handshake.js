// Why the hub refused a connection. Browsers hide the reason from pages, so this sends an HTTP request to the same
// address, where the hub answers as it does to the handshake (Docs/Protocol.md, "Answers to the handshake").

const ANSWER_MS = 5_000;
const WORDS_MAX = 300;
const REASONS = new Map([
    [426, "The connection could not be opened, although the hub answers. A proxy or the hub's setting `origins` may block it."],
    [429, "The hub has reached its connection limit for your address. Others may be connected from it, too."],
    [503, "The hub is not accepting new connections now. It is full or restarting."],
]);

/** The hub's own message, from JSON or plain text; "" if there is none. */
function wordsOf(body) {
    try {
        return String(JSON.parse(body).message ?? "");
    } catch {
        return body.trim();
    }
}

/**
 * Resolves to `{ text, isFinal }`: why there is no connection, and whether further attempts are useless.
 * @param {typeof fetch} ask
 */
export async function whyRefused(ask = (address, options) => fetch(address, options)) {
    let response;
    try {
        response = await ask("v1/ws", { cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(ANSWER_MS) });
    } catch {
        return { text: "The hub cannot be reached.", isFinal: false };
    }
    const body = await response.text().catch(() => "");
    const isFinal = response.status === 403;
    const words = isFinal ? wordsOf(body).slice(0, WORDS_MAX) : "";
    const told = words || (isFinal && "The hub does not accept connections from pages of this address.") || REASONS.get(response.status);
    return { text: told || `The hub answered ${response.status} instead of opening a connection.`, isFinal };
}
