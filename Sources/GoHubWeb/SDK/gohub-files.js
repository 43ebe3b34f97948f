// Files over HTTP (Docs/Files.md): requests as the connection's user, links that need no token, downloads.
import { GoHubError, Wait, tell } from "./gohub-support.js";

/** A request fails if no bytes arrive for this time. */
const SILENCE_MS = 60_000;
/** A link is not returned within this time before its expiry, or within the last quarter of its life if shorter. */
const LINK_LEAD_MS = 120_000;
const LINKS_MAX = 500;
const DOWNLOAD_BYTES_MAX = 67_108_864;
const ID = /^[A-Za-z0-9_-]{1,64}$/;
/** Error codes by status, for responses without a code. */
const CODES = new Map([
    [401, "unauthorized"], [403, "forbidden"], [404, "not_found"], [408, "timeout"], [409, "conflict"], [413, "too_large"],
    [422, "hash_mismatch"], [429, "rate_limited"], [503, "unavailable"], [507, "unavailable"],
]);

/** The error of a failed response: the hub's own, else one derived from the status. */
export async function refusalOf(response) {
    let told = {};
    try {
        told = (await response.json()) ?? {};
    } catch {
        // Not JSON: a proxy's response.
    }
    const known = CODES.get(response.status) ?? (response.status >= 500 ? "internal" : "bad_request");
    const said = String(told.code ?? known);
    // 413: too large for any user. 507 with `too_large`: a quota of the user or of the hub is exhausted.
    const code = response.status === 422 ? known : response.status === 507 && said === "too_large" ? "quota_exceeded" : said;
    const seconds = Number(response.headers.get("retry-after") ?? NaN);
    const retryAfterMs = Number.isFinite(seconds) ? Math.max(0, seconds * 1_000) : undefined;
    return new GoHubError(code, String(told.message ?? `The hub answered with status ${response.status}.`), { retryAfterMs });
}

/** A query with spaces as `%20`: `URLSearchParams` writes `+`, which is a space only in forms (RFC 3986). */
function queryOf(fields) {
    // A file's name may contain a lone surrogate, which has no UTF-8 encoding.
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
    /** Links by file id: `{ url, endsAt }`, least recently used first. */
    #links = new Map();
    /** Link requests under way, by file id. */
    #asked = new Map();

    /**
     * `who()` returns `{ token }` or `{ user }`. `renew(token)` resolves once there is another token. `ready(options)`
     * resolves once the user is known. `now()` is the hub's clock.
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
     * Sends a request with the token in its header, and repeats it once with a new token after status 401. Resolves to
     * the result of `read`, which calls `isAlive` whenever bytes arrive.
     * @param {string} method
     * @param {string} path
     * @param {{ query?: any, headers?: any, body?: any, signal?: AbortSignal, silenceMs?: number }} options
     * @param {(response: any, isAlive: () => void) => any} read
     */
    async request(method, path, { query = {}, headers = {}, body, signal, silenceMs = SILENCE_MS }, read) {
        for (let isRepeated = false; ; isRepeated = true) {
            const { token, user } = this.#who();
            // In development mode there is no token: the query names the user.
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

    /** Resolves to the response's JSON; rejects with the hub's error. */
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
     * Concurrent callers for the same file share one request; each has its own timeout.
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
        // The URL's path is checked, so that a response cannot send the page elsewhere.
        if (typeof url !== "string" || !url.startsWith(`/v1/files/${id}?`) || !Number.isFinite(expiresAt)) {
            throw new GoHubError("internal", "The hub sent no link.");
        }
        const leadMs = Math.min(LINK_LEAD_MS, (expiresAt - askedAt) / 4);
        const link = { url: this.#base + url, endsAt: expiresAt - leadMs };
        links.set(id, link);
        if (links.size > LINKS_MAX) links.delete(links.keys().next().value);
        return link;
    }

    /** Drops the links of the earlier user. New maps, so that requests still under way end in the old ones. */
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
                // A server without range support sends the whole file.
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
