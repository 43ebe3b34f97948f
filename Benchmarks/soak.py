#!/usr/bin/env python3
"""Checks that the hub's memory doesn't grow while new users and new rooms are added and removed continuously.

    python3 soak.py --hub COMMAND [--minutes 10] [--visitors 60]

`--visitors` new users a second connect, each from an address of its own. Each joins a room of its own and the lobby,
sends a message, requests its rooms and leaves. No visitor returns. Residents stay in the lobby. One of them sends 20
messages a second and measures the time until the `ack`.

The first two fifths of the time are for warming up: caches fill, and the limiter forgets idle buckets after a minute.
In the rest, the medians of resident memory in the first and in the last quarter are compared. The run fails if memory
has grown by more than 5 % and more than 4 MiB.

All connections are to loopback addresses. The hub has a folder of its own, which is removed at the end.
"""

import argparse
import asyncio
import json
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import servers
from servers import Failure

sys.path.insert(0, str(servers.HERE.parent / "Tests" / "Chaos"))
from websocket import WebSocket  # noqa: E402

MEBIBYTE = 1 << 20
RESIDENTS = 20
MESSAGES_PER_SECOND = 20
SAMPLE_SECONDS = 2
VISIT_SECONDS_MAX = 10
VISITORS_AT_A_TIME = 200
WARM_UP = 0.4
GROWTH_SHARE_MAX = 0.05
GROWTH_BYTES_MAX = 4 * MEBIBYTE


class Client:
    """A connection that waits for the answer to each command."""

    def __init__(self, socket):
        self.socket = socket
        self.waiting = {}
        self.running = asyncio.ensure_future(socket.run(self.received))

    @classmethod
    async def connect(cls, port, user, source):
        client = cls(await WebSocket.connect(port, source=source))
        await client.ask("welcome", op="hello", user=user, device="soak")
        return client

    def received(self, text):
        event = json.loads(text)
        if event["op"] == "ping":
            self.socket.send('{"op":"pong"}')
        answer = self.waiting.pop(event.get("id") or event["op"], None)
        if answer is not None and not answer.done():
            answer.set_result(event)

    async def ask(self, key, **command):
        answer = asyncio.get_running_loop().create_future()
        self.waiting[key] = answer
        self.socket.send(json.dumps(command))
        event = await asyncio.wait_for(answer, VISIT_SECONDS_MAX)
        if event["op"] == "error":
            raise Failure(f"{command['op']} is refused: {event}")
        return event

    async def close(self):
        self.socket.abort()
        await self.running


class Soak:
    def __init__(self, port, pid, visitors):
        self.port, self.pid, self.per_second = port, pid, visitors
        self.visitors = 0
        self.failed = 0
        self.samples = []  # (seconds, bytes, visitors)
        self.acks = []  # (seconds, milliseconds)
        self.started = time.monotonic()

    @property
    def now(self):
        return time.monotonic() - self.started

    def resident_bytes(self):
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise Failure("the hub has ended")

    async def visit(self, number):
        source = f"127.{1 + number // 62500 % 250}.{number // 250 % 250}.{1 + number % 250}"
        client = await Client.connect(self.port, f"visitor-{number}", source)
        try:
            room = f"room-{number}"
            await client.ask("j", op="join", id="j", room=room)
            await client.ask("l", op="join", id="l", room="lobby", limit=5)
            await client.ask(f"m-{number}", op="send", id=f"m-{number}", room=room, text="hello")
            await client.ask("r", op="rooms", id="r")
        finally:
            await client.close()

    async def visit_and_count(self, number, places):
        async with places:
            try:
                await self.visit(number)
                self.visitors += 1
            except (OSError, TimeoutError, Failure):
                self.failed += 1

    async def visits(self, seconds):
        places = asyncio.Semaphore(VISITORS_AT_A_TIME)
        tasks, number = set(), 0
        while self.now < seconds:
            while number < self.now * self.per_second and len(tasks) < 2 * VISITORS_AT_A_TIME:
                task = asyncio.ensure_future(self.visit_and_count(number, places))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                number += 1
            await asyncio.sleep(0.02)
        await asyncio.gather(*tasks)

    async def talk(self, seconds):
        residents = [await Client.connect(self.port, f"resident-{n}", "127.0.0.1") for n in range(RESIDENTS)]
        for resident in residents:
            await resident.ask("l", op="join", id="l", room="lobby")
        number = 0
        while self.now < seconds:
            number += 1
            before = time.monotonic()
            await residents[0].ask(f"t-{number}", op="send", id=f"t-{number}", room="lobby", text="still here")
            self.acks.append((self.now, (time.monotonic() - before) * 1000))
            await asyncio.sleep(1 / MESSAGES_PER_SECOND)
        for resident in residents:
            await resident.close()

    async def watch(self, seconds):
        while self.now < seconds:
            self.samples.append((self.now, self.resident_bytes(), self.visitors))
            await asyncio.sleep(SAMPLE_SECONDS)

    async def run(self, seconds):
        await asyncio.gather(self.talk(seconds), self.visits(seconds), self.watch(seconds))


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def report(soak, seconds):
    """Prints the results. Returns whether memory stayed the same."""
    warm = WARM_UP * seconds
    quarter = (seconds - warm) / 4
    early = [sample for sample in soak.samples if warm <= sample[0] < warm + quarter]
    late = [sample for sample in soak.samples if sample[0] >= seconds - quarter]
    if not early or not late or not soak.visitors:
        raise Failure("the run was too short, or nobody came")
    before, after = (median(sample[1] for sample in part) for part in (early, late))
    between = late[len(late) // 2][2] - early[len(early) // 2][2]
    acks = [milliseconds for at, milliseconds in soak.acks if at >= warm]
    growth = after - before
    print(f"{soak.visitors:,} visitors with a room each in {seconds / 60:.1f} min; {soak.failed} visits failed")
    print(f"resident memory: {before / MEBIBYTE:.1f} MiB, {between:,} visitors later {after / MEBIBYTE:.1f} MiB")
    print(f"ack of a resident's message: median {median(acks):.2f} ms, p99 {percentile(acks, 0.99):.2f} ms")
    if soak.failed > soak.visitors // 100:
        raise Failure("too many visits failed: memory says nothing")
    return growth <= max(GROWTH_BYTES_MAX, GROWTH_SHARE_MAX * before)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hub", required=True)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--visitors", type=int, default=60, help="a second")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gohub-soak-") as folder:
        port = servers.free_port()
        log = Path(folder) / "hub.log"
        command = f"{arguments.hub} --store sqlite:{folder}/hub.sqlite".replace("{port}", str(port))
        with log.open("wb") as output:
            process = subprocess.Popen(
                shlex.split(command), stdout=output, stderr=output, stdin=subprocess.DEVNULL
            )
        try:
            servers.wait_until_listening(process, port, "the hub", log)
            seconds = arguments.minutes * 60
            soak = Soak(port, process.pid, arguments.visitors)
            asyncio.run(soak.run(seconds))
            if not report(soak, seconds):
                raise Failure("the hub's memory grows")
        except Failure as failure:
            print(f"soak: {failure}", file=sys.stderr)
            return 1
        finally:
            servers.stop(process)
    print("memory stayed the same")
    return 0


if __name__ == "__main__":
    sys.exit(main())
