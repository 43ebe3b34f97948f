// Files over HTTP (Docs/Files.md): requests in the name of the connection's user, links that need no token, downloads.
import { GoHubError, Wait, tell } from "./gohub-support.js";

/** Without a sign of life for so long a request is given up. */
const SILENCE_MS = 60_000;
/** A link isn't given out any more so long before its end, or in the last quarter of its time if that is shorter. */
const LINK_LEAD_MS = 120_000;
const LINKS_MAX = 500;
const DOWNLOAD_BYTES_MAX = 67_108_864;
const ID = /^[A-Za-z0-9_-]{1,64}$/;
/** Where an answer says no more than its status. */
const CODES = new Map([
    [401, "unauthorized"], [403, "forbidden"], [404, "not_found"], [408, "timeout"], [409, "conflict"], [413, "too_large"],
    [422, "hash_mismatch"], [429, "rate_limited"], [503, "unavailable"], [507, "unavailable"],
]);

/** What a hub that refuses says, and where it says nothing, what its status means. */
export async function refusalOf(response) {
    let told = {};
    try {
        told = (await response.json()) ?? {};
    } catch {
        // A proxy's answer, which is for people.
    }
    const known = CODES.get(response.status) ?? (response.status >= 500 ? "internal" : "bad_request");
    const said = String(told.code ?? known);
    // Too large for anybody is 413; what is too much for this user, or for all, comes with a full disk's status.
    const code = response.status === 422 ? known : response.status === 507 && said === "too_large" ? "quota_exceeded" : said;
    const seconds = Number(response.headers.get("retry-after") ?? NaN);
    const retryAfterMs = Number.isFinite(seconds) ? Math.max(0, seconds * 1_000) : undefined;
    return new GoHubError(code, String(told.message ?? `The hub answered with status ${response.status}.`), { retryAfterMs });
}

/** A query in which a space is `%20`: `+`, as `URLSearchParams` writes it, is a plus sign to all but forms (RFC 3986). */
function queryOf(fields) {
    // Half of a surrogate pair, which a file's name may hold, has no UTF-8.
    const encode = (value) => encodeURIComponent(String(value).replace(/\p{Surrogate}/gu, "\ufffd"));
    const pairs = Object.entries(fields).filter(([, value]) => value !== undefined);
    return pairs.length ? `?${pairs.map(([name, value]) => `${name}=${encode(value)}`).join("&")}` : "";
}

export class Files {
    #agenda;
    #base;
    #fetch;
    #who;
    #renew;
    #ready;
    #now;
    /** By file: `{ url, endsAt }`, those that were used last at the end. */
    #links = new Map();
    /** By file: the link that is on its way. */
    #asked = new Map();

    /**
     * `who()` is `{ token }` or `{ user }`; `renew(token)` resolves when there is another token than this one; `ready(options)`
     * when it is known who we are. `now()` is the hub's clock.
     */
    constructor(agenda, { base, fetch, who, renew, ready, now }) {
        this.#agenda = agenda;
        this.#base = base;
        this.#fetch = fetch;
        this.#who = who;
        this.#renew = renew;
        this.#ready = ready;
        this.#now = now;
    }

    /**
     * Asks the hub, with the token in its header, and once more with another one if it was refused. Resolves to what `read`
     * makes of the answer, which calls `isAlive` as bytes come.
     * @param {string} method
     * @param {string} path
     * @param {{ query?: any, headers?: any, body?: any, signal?: AbortSignal, silenceMs?: number }} options
     * @param {(response: any, isAlive: () => void) => any} read
     */
    async request(method, path, { query = {}, headers = {}, body, signal, silenceMs = SILENCE_MS }, read) {
        for (let isRepeated = false; ; isRepeated = true) {
            const { token, user } = this.#who();
            // In development mode anybody is who they say.
            const url = `${this.#base}/v1/${path}${queryOf({ ...query, user: token ? undefined : user || undefined })}`;
            const all = token ? { ...headers, Authorization: `Bearer ${token}` } : headers;
            const init = { method, headers: all, body, credentials: "omit", redirect: "error", referrerPolicy: "no-referrer" };
            const answer = await this.#once(url, init, { signal, silenceMs }, (response, isAlive) => (
                response.status === 401 && token && !isRepeated ? null : read(response, isAlive)));
            if (answer !== null) return answer;
            await this.#renew(token);
        }
    }

    #once(url, init, { signal, silenceMs }, read) {
        const controller = new AbortController();
        let cancel = () => {};
        const wait = new Wait(this.#agenda, { signal }, () => {
            cancel();
            controller.abort();
        });
        if (wait.isOver) return wait.promise;
        const isAlive = () => {
            cancel();
            const late = () => wait.reject(new GoHubError("timeout", `The hub did not answer within ${silenceMs / 1_000} s.`));
            if (!wait.isOver) cancel = this.#agenda.after(silenceMs, late);
        };
        const failed = (cause) => {
            const isTold = cause instanceof GoHubError;
            wait.reject(isTold ? cause : new GoHubError("disconnected", "The hub cannot be reached.", { cause }));
        };
        const run = async () => read(await this.#fetch(url, { ...init, signal: controller.signal }), isAlive);
        isAlive();
        run().then(wait.resolve, failed);
        return wait.promise;
    }

    /** The answer in JSON; anything but success throws what the hub says. */
    #ask(method, path, options) {
        return this.request(method, path, options, async (response) => {
            if (!response.ok) throw await refusalOf(response);
            return response.json();
        });
    }

    info(id, options = {}) {
        return this.#ask("GET", `files/${id}/info`, options);
    }

    // Links

    /**
     * @param {string} id
     * @param {import("./gohub.js").FileURLOptions} options
     */
    async url(id, { isDownload = false, isRenewed = false, ...options } = {}) {
        if (!ID.test(id)) throw new GoHubError("bad_request", "A file's id must have 22 characters of A–Z, a–z, 0–9, - and _.");
        if (isRenewed) this.#links.delete(id);
        const { url } = this.#known(id) ?? (await this.#link(id, options));
        return isDownload ? `${url}&download` : url;
    }

    #known(id) {
        const link = this.#links.get(id);
        this.#links.delete(id);
        if (!link || link.endsAt <= this.#now()) return null;
        this.#links.set(id, link);
        return link;
    }

    /**
     * One question for all who want the same link; each waits as long as it likes.
     * @param {string} id
     * @param {import("./gohub.js").WaitOptions} options
     */
    #link(id, { signal, timeoutMs = 30_000 }) {
        const asked = this.#asked;
        if (!asked.has(id)) asked.set(id, this.#fetchLink(id, this.#links).finally(() => asked.delete(id)));
        const wait = new Wait(this.#agenda, { signal, timeoutMs });
        asked.get(id).then(wait.resolve, wait.reject);
        return wait.promise;
    }

    async #fetchLink(id, links) {
        await this.#ready({ timeoutMs: SILENCE_MS });
        const askedAt = this.#now();
        const { url, expiresAt } = await this.#ask("POST", `files/${id}/url`, {});
        // The target is checked here: an answer can't send the page elsewhere.
        if (typeof url !== "string" || !url.startsWith(`/v1/files/${id}?`) || !Number.isFinite(expiresAt)) {
            throw new GoHubError("internal", "The hub sent no link.");
        }
        const leadMs = Math.min(LINK_LEAD_MS, (expiresAt - askedAt) / 4);
        const link = { url: this.#base + url, endsAt: expiresAt - leadMs };
        links.set(id, link);
        if (links.size > LINKS_MAX) links.delete(links.keys().next().value);
        return link;
    }

    /** Another user's links aren't ours, nor are those that are still on their way: they end in the maps of before. */
    clear() {
        this.#links = new Map();
        this.#asked = new Map();
    }

    // Downloads

    /**
     * @param {string} id
     * @param {import("./gohub.js").DownloadOptions} options
     */
    async download(id, { isPreview = false, firstBytes, bytesMax = DOWNLOAD_BYTES_MAX, onProgress, signal } = {}) {
        if (!ID.test(id)) throw new GoHubError("bad_request", "A file's id must have 22 characters of A–Z, a–z, 0–9, - and _.");
        await this.#ready({ signal, timeoutMs: SILENCE_MS });
        const headers = firstBytes === undefined ? {} : { Range: `bytes=0-${firstBytes - 1}` };
        const path = `files/${id}${isPreview ? "/preview" : ""}`;
        return this.request("GET", path, { headers, signal }, async (response, isAlive) => {
            // An empty file has no first bytes (RFC 9110, section 15.5.17).
            if (response.status === 416 && firstBytes !== undefined) return new Blob([]);
            if (!response.ok) throw await refusalOf(response);
            const length = Number(response.headers.get("content-length") ?? NaN);
            const total = Number.isFinite(length) ? length : null;
            const type = response.headers.get("content-type") ?? "";
            const [parts, reader] = [[], response.body.getReader()];
            for (let count = 0; ;) {
                const { done, value } = await reader.read();
                if (done) return new Blob(parts, { type });
                isAlive();
                // A hub that doesn't know of ranges gives all of it.
                const left = (firstBytes ?? Infinity) - count;
                parts.push(value.subarray(0, left));
                count += value.length;
                if (value.length >= left) {
                    reader.cancel().catch(() => {});
                    return new Blob(parts, { type });
                }
                if (count > bytesMax) throw new GoHubError("too_large", `The file is larger than ${bytesMax} bytes.`);
                if (onProgress) tell(onProgress, { bytes: count, total });
            }
        });
    }
}
