#!/usr/bin/env python3
"""Measures file transfers: memory for a large file, chat latency beside many uploads, and recovery from kills.

    python3 files.py --hub COMMAND [--gibibytes 1] [--transfers 50] [--seconds 10] [--rounds 50]

large   Uploads a file of `--gibibytes` in one request and downloads it again. Measures the hub's largest growth of
        memory, and the speed compared with `sha256sum` of the same bytes, which is the minimum work on them.
beside  Two users send 100 messages a second: alone, then beside `--transfers` uploads in binary messages of 1 MB a
        second each to another hub on this machine and disk, then beside the same uploads to their own hub. Measures the
        99th percentile of the time until the other user has a message, as ratios: medians of three turns.
kills   Runs `--rounds` rounds. Each continues the upload, over HTTP and in binary messages alternately, cuts the
        connection or kills the hub after a random number of bytes, and asks for the offset. At the end the hub checks
        the announced hash.

All connections are to loopback addresses. The hub has a folder of its own, which is removed at the end.
"""

import argparse
import asyncio
import hashlib
import http.client
import json
import os
import random
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
from websocket import BINARY, WebSocket, client_frame  # noqa: E402

MEBIBYTE = 1 << 20
PART_BYTES = 60_000
CHAT_PER_SECOND = 100
UPLOAD_BYTES_PER_SECOND = 1_000_000
TURNS = 3


class Hub:
    """A hub in development mode, with its own SQLite file and its own file folder."""

    def __init__(self, command, folder):
        self.template = command
        self.port = servers.free_port()
        self.log = Path(folder) / "hub.log"
        large = "--set files.bytesMax=8000000000 --set files.userBytesMax=80000000000 --set files.tenantBytesMax=8000000000000"
        self.command = shlex.split(
            f"{command} --store sqlite:{folder}/hub.sqlite {large}".replace("{port}", str(self.port))
        )
        self.start()

    def start(self):
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(self.command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        servers.wait_until_listening(self.process, self.port, "the hub", self.log)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        servers.stop(self.process)

    def memory(self, name):
        """VmRSS, or VmHWM (its maximum so far), in bytes."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
        raise Failure(f"no {name}")

    def ask(self, method, path, fields=None, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        connection.request(method, path, body=body, headers=fields or {})
        answer = connection.getresponse()
        return connection, answer


def large(hub, gibibytes):
    block = random.Random(1).randbytes(MEBIBYTE)
    count = int(gibibytes * 1024)
    hub.ask("POST", "/v1/files?room=lobby&user=alice", {"Content-Length": str(len(block))}, block)[1].read()
    before = hub.memory("VmRSS")

    def blocks():
        for number in range(count):
            yield number.to_bytes(8, "big") + block[8:]

    started = time.monotonic()
    sha = hashlib.sha256()
    for piece in blocks():
        sha.update(piece)
    hashing = time.monotonic() - started

    started = time.monotonic()
    _, answer = hub.ask(
        "POST", f"/v1/files?room=lobby&user=alice&sha256={sha.hexdigest()}",
        {"Content-Length": str(count * MEBIBYTE)}, blocks(),
    )
    told = json.loads(answer.read())
    up = time.monotonic() - started
    if answer.status != 201 or told["sha256"] != sha.hexdigest():
        raise Failure(f"the upload was answered with {answer.status}: {told}")

    started = time.monotonic()
    _, answer = hub.ask("GET", f"/v1/files/{told['id']}?user=alice")
    back = hashlib.sha256()
    while piece := answer.read(MEBIBYTE):
        back.update(piece)
    down = time.monotonic() - started
    if back.hexdigest() != sha.hexdigest():
        raise Failure("what came back is something else")
    grown = (hub.memory("VmHWM") - before) / MEBIBYTE
    print(
        f"large   {count} MiB up in {up:.1f} s, down in {down:.1f} s; hashing alone {hashing:.1f} s;"
        f" the hub grew by {grown:.1f} MiB at most"
    )


class Client:
    """A user on a WebSocket, and the received events."""

    @classmethod
    async def join(cls, port, user):
        client = cls()
        client.socket = await WebSocket.connect(port)
        client.events = asyncio.Queue()
        client.reading = asyncio.create_task(client.socket.run(lambda text: client.events.put_nowait(json.loads(text))))
        client.say(op="hello", user=user, device="d")
        await client.next("welcome")
        client.say(op="join", id="j", room="lobby")
        await client.next("joined")
        return client

    def say(self, **fields):
        self.socket.send(json.dumps(fields))

    async def next(self, *ops):
        while True:
            event = await asyncio.wait_for(self.events.get(), 60)
            if event["op"] in ops:
                return event
            if event["op"] == "error":
                raise Failure(f"the hub says {event}")

    def send_part(self, transfer, offset, part):
        self.socket.writer.write(
            client_frame(BINARY, transfer.to_bytes(4, "big") + offset.to_bytes(8, "big") + part))

    def leave(self):
        self.socket.abort()
        self.reading.cancel()


async def upload(port, number, seconds):
    """Sends an endless file at a fixed rate, one part at a time."""
    client = await Client.join(port, f"sender-{number}")
    client.say(op="upload", id=f"{number}-{seconds}-{time.time()}", room="lobby", size=1 << 32)
    progress = await client.next("uploadReady")
    transfer, sent, part = progress["transfer"], 0, os.urandom(PART_BYTES)
    started = time.monotonic()
    while (passed := time.monotonic() - started) < seconds:
        if sent + PART_BYTES > progress["offset"] + progress["credit"]:
            progress = await client.next("uploadProgress")
            continue
        if sent > passed * UPLOAD_BYTES_PER_SECOND:
            await asyncio.sleep(0.02)
            continue
        client.send_part(transfer, sent, part)
        sent += PART_BYTES
        await client.socket.writer.drain()
    client.leave()
    return sent


async def talk(port, seconds):
    """Milliseconds until the other user has a message, for each message."""
    one, two = await Client.join(port, "one"), await Client.join(port, "two")
    times, sent_at = [], {}

    async def hear():
        while True:
            event = await two.next("message")
            times.append((time.monotonic() - sent_at.pop(event["text"])) * 1000)

    hearing = asyncio.create_task(hear())
    started = time.monotonic()
    for number in range(CHAT_PER_SECOND * seconds):
        await asyncio.sleep(max(0, started + number / CHAT_PER_SECOND - time.monotonic()))
        sent_at[str(number)] = time.monotonic()
        one.say(op="send", id=f"{started}-{number}", room="lobby", text=str(number))
    await asyncio.sleep(1)
    hearing.cancel()
    one.leave()
    two.leave()
    if len(times) < CHAT_PER_SECOND * seconds:
        raise Failure(f"{len(times)} of {CHAT_PER_SECOND * seconds} messages came")
    return times


def percentile(values, share):
    return sorted(values)[int(len(values) * share)]


def talk_alone(port, seconds):
    """Runs in a separate process, so that uploads don't disturb its clock."""
    command = [sys.executable, __file__, "--talk", str(port), "--seconds", str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def beside(hub, transfers, seconds):
    """Measures chat alone, beside uploads to another hub, and beside the same uploads to its own hub.

    The second shows the effect of the machine's processors and disk on chat, the third adds the effect of the hub."""

    async def uploads(port):
        return await asyncio.gather(*(upload(port, number, seconds + 3) for number in range(transfers)))

    def turn(port):
        talking = talk_alone(hub.port, seconds)
        sent = sum(asyncio.run(uploads(port))) if port else 0
        return sent, *json.loads(talking.communicate()[0])

    with tempfile.TemporaryDirectory(prefix="gohub-files-") as folder:
        other = Hub(hub.template, folder)
        try:
            ports = {"alone": None, "other": other.port, "own": hub.port}
            turns = [{name: turn(port) for name, port in ports.items()} for _ in range(TURNS)]
        finally:
            other.stop()
    sent, p50, p99 = ({name: median(each[name][place] for each in turns) for name in ports} for place in range(3))
    for name, where in {"other": "to another hub", "own": "to the chat's own hub"}.items():
        print(
            f"beside  {transfers} uploads {where}, {sent[name] / (seconds + 3) / 1e6:.0f} MB/s together: chat"
            f" p50 {p50['alone']:.2f} -> {p50[name]:.2f} ms, p99 {p99['alone']:.2f} -> {p99[name]:.2f} ms,"
            f" {p99[name] / p99['alone']:.2f} times alone"
        )
    print(f"beside  p99 beside uploads to its own hub is {p99['own'] / p99['other']:.2f} times that beside another's")


def kills(hub, rounds, seed):
    chance = random.Random(seed)
    content = chance.randbytes(rounds * 400_000)
    sha = hashlib.sha256(content).hexdigest()
    query = f"room=lobby&user=alice&id=kills&sha256={sha}"
    _, answer = hub.ask(
        "POST", f"/v1/files?{query}", {"Upload-Complete": "?0", "Upload-Length": str(len(content)), "Content-Length": "0"})
    place = answer.getheader("Location")
    # The hub may still read and store bytes of a cut request after the next request has asked for the offset.
    stored, killed, most = 0, 0, 0
    for number in range(rounds):
        end = min(len(content) - 1, stored + chance.randrange(1, 700_000))
        if number % 2 == 0:
            cut_part(hub, place, content, stored, end)
        else:
            asyncio.run(cut_transfer(hub, content, sha, stored, end))
        most = max(most, end)
        if chance.random() < 0.5:
            hub.kill()
            hub.start()
            killed += 1
        _, answer = hub.ask("HEAD", f"{place}?user=alice")
        offset = int(answer.getheader("Upload-Offset"))
        if not stored <= offset <= most:
            raise Failure(f"round {number}: {offset} bytes are stored, of {stored} to {most}")
        stored = offset
    _, answer = hub.ask(
        "PATCH", f"{place}?user=alice",
        {"Upload-Offset": str(stored), "Upload-Complete": "?1", "Content-Type": "application/partial-upload"},
        content[stored:],
    )
    told = json.loads(answer.read())
    if answer.status != 201 or told["sha256"] != sha:
        raise Failure(f"the last part was answered with {answer.status}: {told}")
    _, answer = hub.ask("GET", f"/v1/files/{told['id']}?user=alice")
    if hashlib.sha256(answer.read()).hexdigest() != sha:
        raise Failure("what came back is something else")
    print(f"kills   {rounds} rounds, {killed} of them kill -9: nothing that was stored was lost, and the hash is equal (seed {seed})")


def cut_part(hub, place, content, start, end):
    connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=60)
    connection.putrequest("PATCH", f"{place}?user=alice")
    for name, value in {
        "Upload-Offset": start, "Upload-Complete": "?1", "Content-Type": "application/partial-upload",
        "Content-Length": len(content) - start,
    }.items():
        connection.putheader(name, str(value))
    connection.endheaders()
    connection.send(content[start:end])
    connection.sock.close()


async def cut_transfer(hub, content, sha, start, end):
    client = await Client.join(hub.port, "alice")
    client.say(op="upload", id="kills", room="lobby", size=len(content), sha256=sha, name="file")
    progress = await client.next("uploadReady")
    sent = progress["offset"]
    while sent < end:
        last = min(end, sent + PART_BYTES, progress["offset"] + progress["credit"])
        if last > sent:
            client.send_part(progress["transfer"], sent, content[sent:last])
            sent = last
            await client.socket.writer.drain()
        else:
            progress = {**progress, **await client.next("uploadProgress")}
    client.leave()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hub", help="the hub's command, with {port}")
    parser.add_argument("--gibibytes", type=float, default=1)
    parser.add_argument("--transfers", type=int, default=50)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 20))
    parser.add_argument("--talk", type=int, metavar="PORT", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.talk:
        times = asyncio.run(talk(options.talk, options.seconds))
        return print(json.dumps([percentile(times, 0.5), percentile(times, 0.99)]))
    for name, measure in {
        "large": lambda hub: large(hub, options.gibibytes),
        "beside": lambda hub: beside(hub, options.transfers, options.seconds),
        "kills": lambda hub: kills(hub, options.rounds, options.seed),
    }.items():
        with tempfile.TemporaryDirectory(prefix="gohub-files-") as folder:
            hub = Hub(options.hub, folder)
            try:
                measure(hub)
            except (Failure, OSError) as error:
                sys.exit(f"files: {name}: {error}\n{servers.last_lines(hub.log)}")
            finally:
                hub.stop()


if __name__ == "__main__":
    main()
