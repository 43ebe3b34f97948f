"""Hubs of a cluster, and clients that measure them."""

import asyncio
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import servers
from servers import Failure

sys.path.insert(0, str(servers.HERE.parent / "Tests" / "Chaos"))
from websocket import WebSocket  # noqa: E402

LOADGEN = servers.HERE / "bin" / "loadgen"
IN_FLIGHT = 512


class Hub:
    """A hub of the cluster, in development mode."""

    def __init__(self, command, url, name, folder, settings):
        self.port = servers.free_port()
        options = f" --store {url} --set cluster.enabled=true --set node={name} --set loops=1" \
            f" --set limits.commandsInFlightMax={2 * IN_FLIGHT}" + "".join(f" --set {each}" for each in settings)
        log = Path(folder) / f"{name}.log"
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                shlex.split(command.replace("{port}", str(self.port)) + options), stdout=output, stderr=output,
                stdin=subprocess.DEVNULL)
        servers.wait_until_listening(self.process, self.port, name, log)

    def stop(self):
        servers.stop(self.process)


def start_hubs(stack, command, url, count, folder, settings=()):
    """`settings` are further ones, such as those of a bus."""
    hubs = []
    for number in range(count):
        hub = Hub(command, url, f"bench-{os.urandom(4).hex()}", folder, settings)
        stack.callback(hub.stop)
        hubs.append(hub)
    return hubs


def load(stack, hub, room, seconds, *options):
    """One client that sends into a room, and gets all of its messages."""
    hello = json.dumps({"op": "hello", "user": f"h{hub.port}-%d", "device": "d"})
    process = subprocess.Popen(
        [LOADGEN, "--server", "gohub", "--port", str(hub.port), "--room", room, "--hello", hello, "--conns", "1",
         "--publishers", "1", "--secs", str(seconds), *options],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    stack.callback(process.wait)
    stack.callback(process.kill)


def query(url, sql):
    done = subprocess.run(["psql", "-XAtq", "-c", sql, url], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(done.stderr.strip())
    return done.stdout.strip()


class Client:
    """A session in up to a hundred rooms."""

    def __init__(self, port, user, rooms, on_event):
        self.port, self.user, self.rooms, self.on_event = port, user, rooms, on_event
        self.missing = set(rooms)
        self.is_in = asyncio.Event()
        self.closed = None

    async def join(self):
        self.socket = await WebSocket.connect(self.port)
        self.reading = asyncio.create_task(self.read())
        self.say(op="hello", user=self.user, device="d")
        await asyncio.wait_for(self.is_in.wait(), 120)

    async def read(self):
        self.closed = await self.socket.run(self.received)

    def received(self, text):
        event = json.loads(text)
        if event["op"] == "welcome":
            self.say(op="join", rooms=[{"id": room, "room": room} for room in self.rooms])
        elif event["op"] == "joined":
            self.missing.discard(event["room"])
            if not self.missing:
                self.is_in.set()
        elif event["op"] == "ping":
            self.say(op="pong")
        else:
            self.on_event(event)

    def say(self, **fields):
        self.socket.send(json.dumps(fields))

    def leave(self):
        self.socket.abort()
        self.reading.cancel()
