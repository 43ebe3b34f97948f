"""A client of Redis and of its Sentinels that needs only the standard library (RESP2)."""

import asyncio

from waiting import within

ANSWER_SECONDS = 5


class Refused(Exception):
    """The server's error reply."""


class Connection:
    """One connection, with one command at a time."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, port, login=None):
        """`login` is (user, password). Raises OSError if nobody listens."""
        connection = cls(*await within(ANSWER_SECONDS, asyncio.open_connection("127.0.0.1", port)))
        try:
            if login:
                await connection.ask("AUTH", *login)
        except BaseException:
            connection.close()
            raise
        return connection

    async def ask(self, *words):
        """Returns the reply. Raises Refused, OSError or TimeoutError."""
        self.tell(*words)
        return await self.reply()

    def tell(self, *words):
        parts = [str(word).encode() for word in words]
        self.writer.write(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))

    async def reply(self, seconds=ANSWER_SECONDS):
        """The next reply, or the next message to a subscriber."""
        try:
            return await within(seconds, self.value())
        except asyncio.IncompleteReadError:
            raise OSError("the connection was closed") from None

    async def value(self):
        line = (await self.reader.readuntil(b"\r\n"))[:-2].decode()
        kind, rest = line[:1], line[1:]
        if kind == "+":
            return rest
        if kind == "-":
            raise Refused(rest)
        if kind == ":":
            return int(rest)
        size = int(rest)
        if kind == "$":
            return None if size < 0 else (await self.reader.readexactly(size + 2))[:-2].decode(errors="replace")
        if kind == "*":
            return None if size < 0 else [await self.value() for _ in range(size)]
        raise OSError(f"no reply of RESP2: {line[:40]!r}")

    def close(self):
        self.writer.transport.abort()


async def ask(port, *words, login=None):
    """One command on a connection of its own."""
    connection = await Connection.open(port, login)
    try:
        return await connection.ask(*words)
    finally:
        connection.close()
