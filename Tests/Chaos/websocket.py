"""A WebSocket client (RFC 6455) that needs only the standard library, with just the features that the campaign uses.

Text messages whole or in fragments, pings, closes. No TLS, no compression, no subprotocol handling.
"""

import asyncio
import base64
import os
import struct

from waiting import within

CONNECT_SECONDS = 3
HEAD_BYTES_MAX = 16 * 1024
# The hub's longest answer is a page of 128 KiB, six times as long if every character is escaped.
MESSAGE_BYTES_MAX = 4 * 1024 * 1024

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
ABNORMAL = 1006  # RFC 6455, section 7.1.5: the connection was lost without a close frame


class Broken(Exception):
    """The hub sent something that violates RFC 6455."""


def masked(payload, mask):
    """RFC 6455, section 5.3. XORs one large integer, because a loop over the bytes would be slow."""
    size = len(payload)
    pattern = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(pattern, "big")).to_bytes(size, "big")


def client_frame(opcode, payload):
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
    elif size < 65536:
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, size)
    mask = os.urandom(4)
    return head + mask + masked(payload, mask)


class Frames:
    """Splits a server's byte stream into frames."""

    def __init__(self):
        self.buffer = bytearray()

    def feed(self, data):
        """The frames that are now complete, each (is last, opcode, payload)."""
        self.buffer += data
        found, at = [], 0
        while (frame := self.frame(at)) is not None:
            found.append(frame[:3])
            at = frame[3]
        del self.buffer[:at]
        return found

    def frame(self, at):
        buffer = self.buffer
        if len(buffer) < at + 2:
            return None
        first, second = buffer[at], buffer[at + 1]
        if first & 0x70:
            raise Broken("a reserved bit is set")
        if second & 0x80:
            raise Broken("a server's frame is masked")
        size, body = second & 0x7F, at + 2
        if size >= 126:
            width = 2 if size == 126 else 8
            body += width
            if len(buffer) < body:
                return None
            size = int.from_bytes(buffer[body - width : body], "big")
        if size > MESSAGE_BYTES_MAX:
            raise Broken(f"a frame of {size} bytes")
        if len(buffer) < body + size:
            return None
        return bool(first & 0x80), first & 0x0F, bytes(buffer[body : body + size]), body + size


class WebSocket:
    """One connection. `received` is called with each text; `run` returns the close code."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer
        self.parts = []

    @classmethod
    async def connect(cls, port, path="/v1/ws", protocol="gohub.v1", source=None):
        """Raises OSError if no hub listens or the hub refuses. `source` is the client's own address."""
        try:
            return await within(CONNECT_SECONDS, cls.handshake(port, path, protocol, source))
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise OSError(f"no handshake: {error!r}") from None

    @classmethod
    async def handshake(cls, port, path, protocol, source):
        local = (source, 0) if source else None
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=HEAD_BYTES_MAX, local_addr=local)
        try:
            key = base64.b64encode(os.urandom(16)).decode()
            writer.write(
                (
                    f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\n"
                    f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
                    f"Sec-WebSocket-Protocol: {protocol}\r\n\r\n"
                ).encode()
            )
            head = await reader.readuntil(b"\r\n\r\n")
            status = head.split(b"\r\n", 1)[0].decode(errors="replace")
            if " 101 " not in status:
                raise OSError(f"the handshake is refused: {status}")
            return cls(reader, writer)
        except BaseException:
            writer.transport.abort()
            raise

    def send(self, text):
        if not self.writer.is_closing():
            self.writer.write(client_frame(TEXT, text.encode()))

    def abort(self):
        """Resets the connection without a close frame."""
        self.writer.transport.abort()

    async def run(self, received):
        frames = Frames()
        try:
            while data := await self.reader.read(65536):
                for is_last, opcode, payload in frames.feed(data):
                    code = self.take(is_last, opcode, payload, received)
                    if code is not None:
                        return code
            return ABNORMAL
        except OSError:
            return ABNORMAL
        finally:
            self.abort()

    def take(self, is_last, opcode, payload, received):
        if opcode == CLOSE:
            return struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else 1005
        if opcode == PING:
            self.writer.write(client_frame(PONG, payload))
        elif opcode in (TEXT, CONTINUATION):
            if (opcode == TEXT) == bool(self.parts):
                raise Broken("fragments out of order")
            self.parts.append(payload)
            if is_last:
                text, self.parts = b"".join(self.parts).decode(), []
                received(text)
        elif opcode != PONG:
            raise Broken(f"a frame of the kind {opcode}")
        return None
