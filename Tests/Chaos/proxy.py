"""A TCP proxy between a hub and a server that drops, delays, throttles and cuts connections."""

import asyncio

from waiting import within

CONNECT_SECONDS = 3
CHUNK_BYTES = 16 * 1024
SLOW_BYTES = 700  # about half of a packet's payload


class Proxy:
    """Forwards everything until a fault is requested. Each fault lasts for some seconds."""

    def __init__(self, target):
        self.target = target
        self.server = None
        self.port = None
        self.writers = set()
        self.is_cut = False
        self.delay = 0.0
        self.asking = asyncio.Event()  # from the hub to the server
        self.answering = asyncio.Event()  # and back
        self.asking.set()
        self.answering.set()

    async def start(self):
        self.server = await asyncio.start_server(self.accept, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]

    async def stop(self):
        if self.server is not None:
            self.server.close()
        self.asking.set()
        self.answering.set()
        self.abort()

    def abort(self):
        for writer in list(self.writers):
            writer.transport.abort()

    # Faults

    async def cut(self, seconds):
        """Resets all connections, and each new one."""
        self.is_cut = True
        self.abort()
        try:
            await asyncio.sleep(seconds)
        finally:
            self.is_cut = False

    async def cut_off(self):
        """As `cut`, for good, or until `is_cut` is set back."""
        self.is_cut = True
        self.abort()

    async def stall(self, seconds):
        """Forwards nothing. The bytes held back are forwarded afterwards, even if the hub has given up by then: a
        COMMIT may arrive after the same messages were sent, and stored, on another connection."""
        self.asking.clear()
        self.answering.clear()
        try:
            await asyncio.sleep(seconds)
        finally:
            self.asking.set()
            self.answering.set()

    async def deafen(self, seconds):
        """PostgreSQL gets and runs the requests. No answer is forwarded, and then the connections are reset."""
        self.answering.clear()
        try:
            await asyncio.sleep(seconds)
            self.abort()
        finally:
            self.answering.set()

    async def mute(self, seconds):
        """The server gets nothing, and its own bytes arrive. What was held back is forwarded afterwards."""
        self.asking.clear()
        try:
            await asyncio.sleep(seconds)
        finally:
            self.asking.set()

    async def slow(self, seconds, delay):
        """Forwards small pieces, each delayed."""
        self.delay = delay
        try:
            await asyncio.sleep(seconds)
        finally:
            self.delay = 0.0

    # Forwarding

    async def accept(self, reader, writer):
        if self.is_cut:
            writer.transport.abort()
            return
        self.writers.add(writer)
        onward = None
        try:
            back, onward = await within(CONNECT_SECONDS, asyncio.open_connection("127.0.0.1", self.target))
            self.writers.add(onward)
            if self.is_cut:
                return
            await asyncio.gather(self.pass_on(reader, onward, self.asking), self.pass_on(back, writer, self.answering))
        except (OSError, TimeoutError):
            pass
        finally:
            for end in (writer, onward):
                if end is not None:
                    end.transport.abort()
                    self.writers.discard(end)

    def changed(self, data):
        """What the hub gets of these bytes."""
        return data

    async def pass_on(self, reader, writer, gate):
        """Each direction ends separately, so that losing one does not lose bytes in flight in the other."""
        try:
            while data := await reader.read(CHUNK_BYTES):
                if gate is self.answering:
                    data = self.changed(data)
                step = SLOW_BYTES if self.delay else len(data)
                for start in range(0, len(data), step):
                    if self.delay:
                        await asyncio.sleep(self.delay)
                    await gate.wait()
                    writer.write(data[start : start + step])
                    await writer.drain()
        except OSError:
            pass
        finally:
            await gate.wait()
            writer.close()
