// A WebSocket client over plain TCP for Node, which has none before version 22. It has only the features that the SDK
// uses.
import { createHash, randomBytes } from "node:crypto";
import { connect } from "node:net";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; // RFC 6455, section 1.3
const [TEXT, CLOSE, PING, PONG] = [1, 8, 9, 10];

export class WebSocket {
    readyState = 0;
    onopen = null;
    onmessage = null;
    onclose = null;
    onerror = null;

    #socket;
    #key = randomBytes(16).toString("base64");
    #bytes = Buffer.alloc(0);
    #text = null;
    #told = { code: 1006, reason: "" };

    constructor(url, protocols) {
        const { hostname, port, pathname } = new URL(url);
        this.#socket = connect(Number(port || 80), hostname, () => {
            this.#socket.setNoDelay(true);
            this.#socket.write([
                `GET ${pathname} HTTP/1.1`, `Host: ${hostname}:${port}`, "Upgrade: websocket", "Connection: Upgrade",
                `Sec-WebSocket-Key: ${this.#key}`, "Sec-WebSocket-Version: 13", `Sec-WebSocket-Protocol: ${protocols.join(", ")}`,
                "", "",
            ].join("\r\n"));
        });
        this.#socket.on("data", (bytes) => this.#received(bytes));
        this.#socket.on("error", () => {}); // `close` follows.
        this.#socket.on("close", () => this.#ended());
    }

    send(text) {
        if (this.readyState !== 1) throw new Error("the connection isn't open");
        this.#write(TEXT, Buffer.from(text));
    }

    close(code = 1005) {
        if (this.readyState > 1) return;
        const isOpen = this.readyState === 1;
        this.readyState = 2;
        if (!isOpen) return this.#socket.destroy();
        this.#write(CLOSE, Buffer.from([code >> 8, code & 255]));
        this.#socket.end();
    }

    #ended() {
        if (this.readyState === 3) return;
        this.readyState = 3;
        this.onclose?.(this.#told);
    }

    #received(bytes) {
        this.#bytes = Buffer.concat([this.#bytes, bytes]);
        if (this.readyState === 0 && !this.#shakeHands()) return;
        while (this.#frame());
    }

    #shakeHands() {
        const end = this.#bytes.indexOf("\r\n\r\n");
        if (end < 0) return false;
        const head = this.#bytes.subarray(0, end).toString();
        this.#bytes = this.#bytes.subarray(end + 4);
        const accept = createHash("sha1").update(this.#key + GUID).digest("base64");
        if (!head.startsWith("HTTP/1.1 101 ") || !head.includes(accept)) {
            this.#socket.destroy();
            return false;
        }
        this.readyState = 1;
        this.onopen?.({});
        return true;
    }

    #frame() {
        if (this.#bytes.length < 2) return false;
        let [length, start] = [this.#bytes[1], 2];
        if (length === 126 && this.#bytes.length >= 4) [length, start] = [this.#bytes.readUInt16BE(2), 4];
        else if (length === 127 && this.#bytes.length >= 10) [length, start] = [Number(this.#bytes.readBigUInt64BE(2)), 10];
        else if (length >= 126) return false;
        if (this.#bytes.length < start + length) return false;
        const first = this.#bytes[0];
        const payload = this.#bytes.subarray(start, start + length);
        this.#bytes = this.#bytes.subarray(start + length);
        this.#heard(first & 15, (first & 128) !== 0, payload);
        return true;
    }

    #heard(opcode, isLast, payload) {
        if (opcode === PING) return this.readyState === 1 && this.#write(PONG, payload);
        if (opcode === PONG) return;
        if (opcode === CLOSE) {
            this.#told = { code: payload.length >= 2 ? payload.readUInt16BE(0) : 1005, reason: payload.subarray(2).toString() };
            if (this.readyState === 1) this.#write(CLOSE, payload.subarray(0, 2));
            this.readyState = 2;
            return this.#socket.end();
        }
        this.#text = this.#text ? Buffer.concat([this.#text, payload]) : payload;
        if (!isLast) return;
        const data = this.#text.toString();
        this.#text = null;
        if (this.readyState === 1) this.onmessage?.({ data });
    }

    #write(opcode, payload) {
        const { length } = payload;
        const mask = randomBytes(4);
        const head = length < 126 ? [length] : length < 65_536 ? [126, length >> 8, length & 255] : null;
        if (!head) throw new Error("this client cannot send 64 KiB or more in a message");
        const masked = payload.map((byte, index) => byte ^ mask[index & 3]);
        this.#socket.write(Buffer.concat([Buffer.from([128 | opcode, 128 | head[0], ...head.slice(1)]), mask, masked]));
    }
}
