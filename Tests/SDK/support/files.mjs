// The hub's HTTP side in memory, as described in Docs/Files.md, and files to upload to it.
import { createHash } from "node:crypto";
import { settle } from "./world.mjs";

const BASE = "https://hub.example.com";

/** A file as a page gets it from the user. */
export function fileOf(bytes, { name = "cat.png", type = "image/png", lastModified = 1_700_000_000_000 } = {}) {
    const all = typeof bytes === "number" ? Uint8Array.from({ length: bytes }, (_, index) => (index * 7) % 251) : bytes;
    return {
        name, type, lastModified, size: all.length, bytes: all,
        slice: (from, end) => ({ arrayBuffer: async () => all.slice(from, end).buffer }),
    };
}

/** The parts of `crypto` that the SDK uses, without threads that a test would have to wait for. */
export function cryptoOf(seed = 1) {
    let next = seed;
    return {
        getRandomValues: (bytes) => bytes.fill(next++),
        subtle: {
            digest: async (_, bytes) => {
                const { buffer, byteOffset, length } = createHash("sha256").update(bytes).digest();
                return buffer.slice(byteOffset, byteOffset + length);
            },
        },
    };
}

/** Runs pending callbacks until a condition is true. */
export async function until(isTrue, what = String(isTrue)) {
    for (let turn = 0; turn < 2_000; turn++) {
        if (isTrue()) return;
        await settle();
    }
    throw new Error(`the condition never became true: ${what}`);
}

/** Parses a query as the hub does: `%20` is a space, and a plus sign stays a plus sign. */
function fieldsOf(query) {
    const pairs = query.replace(/^\?/, "").split("&").filter(Boolean).map((pair) => pair.split("="));
    return Object.fromEntries(pairs.map((pair) => pair.map(decodeURIComponent)));
}

export class FileHub {
    /** Uploads by id: `{ id, key, name, size, type, sha256, bytes, room, isFile }`. */
    uploads = new Map();
    requests = [];
    bytesMax = 100 * 1_048_576;
    userBytesMax = Infinity;
    #count = 0;

    /**
     * `intercept(request)` may return a `Response`, or a promise of one, to replace the hub's. It may throw to simulate
     * a lost connection. `request` is `{ method, path, query, headers, body, signal }`.
     */
    constructor(intercept = () => undefined) {
        this.intercept = intercept;
    }

    get fetch() {
        return async (address, { method, headers = {}, body, signal, redirect, credentials }) => {
            const url = new URL(address);
            if (url.origin !== BASE || redirect !== "error" || credentials !== "omit") throw new Error(`asked for ${address}`);
            const request = {
                method, path: url.pathname, query: fieldsOf(url.search), headers: new Headers(headers), body, signal,
            };
            this.requests.push(request);
            const gone = new Promise((_, reject) => signal.addEventListener("abort", () => reject(new DOMException("", "AbortError"))));
            gone.catch(() => {});
            const answer = (async () => (await this.intercept(request)) ?? this.#answer(request))();
            return Promise.race([answer, gone]);
        };
    }

    /** The requests so far, in a short form. */
    get said() {
        return this.requests.map(({ method, path, headers }) => {
            const offset = headers.get("upload-offset");
            return `${method} ${path.slice("/v1/".length)}${offset === null ? "" : ` @${offset}`}`;
        });
    }

    /** Stores the first `count` bytes of a part, then loses the connection. */
    takePart(request, count) {
        const upload = this.uploads.get(request.path.split("/")[3]);
        upload.bytes = [...upload.bytes, ...request.body.slice(0, count)];
        throw new TypeError("Failed to fetch");
    }

    /** Adds an unfinished upload, as if another page had started it. Returns its id. */
    begun(fields) {
        const id = `upload${`${++this.#count}`.padStart(16, "0")}`;
        this.uploads.set(id, { id, bytes: [], isFile: false, ...fields });
        return id;
    }

    #answer({ method, path, query, headers, body }) {
        const [, , folder, id, what] = path.split("/");
        if (folder === "files" && id === undefined) return this.#post(query, headers);
        const upload = this.uploads.get(id);
        if (!upload || (folder === "files" && !upload.isFile)) return refusal(404, "not_found", "There is no such file.");
        if (folder === "uploads") {
            if (method === "HEAD") return this.#state(upload);
            if (method === "DELETE") return this.uploads.delete(id), new Response(null, { status: 204 });
            return this.#patch(upload, headers, body);
        }
        if (what === "url") {
            const url = `/v1/files/${id}?tenant=default&expires=1&signature=s${++this.#count}`;
            return json(200, { url, expiresAt: this.now() + 3_600_000 });
        }
        if (what === "info") return json(200, known(upload));
        if (method === "DELETE") return this.uploads.delete(id), new Response(null, { status: 204 });
        const range = /^bytes=0-(\d+)$/.exec(headers.get("range") ?? "")?.[1];
        if (range && upload.bytes.length === 0) return refusal(416, "bad_request", "The file has 0 bytes.");
        const bytes = Uint8Array.from(upload.bytes.slice(0, range ? Number(range) + 1 : undefined));
        return new Response(bytes, { status: range ? 206 : 200, headers: { "content-length": bytes.length, "content-type": upload.type } });
    }

    now = () => 1_800_000_000_000;

    #post(query, headers) {
        const size = Number(headers.get("upload-length"));
        if (headers.get("upload-complete") !== "?0") return refusal(400, "bad_request", "not what the SDK sends");
        const fields = { room: query.room, name: query.name, key: query.id, size, sha256: query.sha256, type: headers.get("content-type") };
        const same = [...this.uploads.values()].find(({ key, room }) => key === query.id && room === query.room);
        if (same && (same.name !== fields.name || same.size !== size)) return refusal(409, "conflict", "This id is another file's.");
        if (size > this.bytesMax) return refusal(413, "too_large", "That is too much.");
        if (size > this.userBytesMax) return refusal(507, "too_large", "That is too much for you.");
        const upload = same ?? this.uploads.get(this.begun(fields));
        return upload.isFile ? this.#file(upload) : this.#open(upload, 201, { location: `/v1/uploads/${upload.id}` });
    }

    #state(upload) {
        if (!upload.isFile) return this.#open(upload, 204);
        const headers = { "upload-offset": upload.size, "upload-complete": "?1", location: `/v1/files/${upload.id}` };
        return new Response(null, { status: 204, headers });
    }

    #patch(upload, headers, body) {
        if (upload.isFile) return refusal(410, "conflict", "The upload is already complete.", { location: `/v1/files/${upload.id}` });
        if (headers.get("content-type") !== "application/partial-upload") return refusal(415, "bad_request", "no part");
        if (Number(headers.get("upload-offset")) !== upload.bytes.length) {
            return refusal(409, "conflict", "another byte is wanted", { "upload-offset": upload.bytes.length });
        }
        upload.bytes = [...upload.bytes, ...body];
        if (headers.get("upload-complete") === "?0") return this.#open(upload, 204);
        const hash = createHash("sha256").update(Uint8Array.from(upload.bytes)).digest("hex");
        if (upload.sha256 && upload.sha256 !== hash) {
            this.uploads.delete(upload.id);
            return refusal(422, "bad_request", "The bytes don't come to the hash.");
        }
        upload.isFile = true;
        return this.#file(upload);
    }

    #open(upload, status, more = {}) {
        return new Response(null, { status, headers: { "upload-offset": upload.bytes.length, "upload-complete": "?0", ...more } });
    }

    #file(upload) {
        return json(201, known(upload), { "upload-complete": "?1", location: `/v1/files/${upload.id}` });
    }
}

function known({ id, name, room, size, type }) {
    return { id, name, room, size, type, owner: "alice", image: { width: 3, height: 2, placeholder: "LEHV6nWB2yk8", preview: true } };
}

function json(status, value, headers = {}) {
    return new Response(JSON.stringify(value), { status, headers: { "content-type": "application/json; charset=utf-8", ...headers } });
}

export function refusal(status, code, message, headers = {}) {
    return json(status, { code, message }, headers);
}
