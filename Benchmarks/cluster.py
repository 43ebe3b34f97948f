#!/usr/bin/env python3
"""Measures several hubs on one PostgreSQL database, with nothing but the database between them, or with Redis.

    python3 cluster.py --hub COMMAND [--seconds 8] [--rooms 100,1000,10000] [--hubs 1,2,4] [--bus redis]

hot       Messages a second that are stored in one room, written through 1, 2 and 4 hubs with the same number of messages
          in flight, as a ratio to one hub. Counted in the database. Each hub has one client, which also gets all messages.
lateness  A hub has members in many rooms; messages are sent to random ones of them through another hub, 200 a second, and
          then direct messages to random ones of the members. Measures the time from the acknowledgement until the member has
          the message.
poll      What comparing those rooms costs while nothing is sent: processor time of PostgreSQL's sessions of one hub, as a
          part of a core.

With --bus redis, all of this is over Redis, and then (bus.py):

added     How much later than the sender itself a client on the other hub gets a message: alone, and beside a room that
          both hubs fill at half of the rate that two hubs reached.
bytes     What Redis gets and sends for a message: of those alone, and of the many, which travel together. What it gets
          and sends anyway is subtracted.
outage    How late messages are while Redis is stopped, and how soon they aren't after its return. The same for a failover
          by Sentinels.

All hubs run with one loop, and all connections are to loopback addresses. PostgreSQL runs in a temporary folder with its
default settings, and is stopped at the end.
"""

import argparse
import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import bus
import durable
import report
import servers
from hubs import IN_FLIGHT, Client, load, query, start_hubs
from servers import Failure

MESSAGES_PER_SECOND = 200
ROOMS_PER_SESSION = 100
TARGET_HOT = 0.9
STRAGGLER_SECONDS = 20
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


# The hot room


def hot(command, url, count, seconds, settings=()):
    """Messages a second in one room, through a number of hubs."""
    room = f"hot-{count}-{os.urandom(4).hex()}"

    def head():
        return int(query(url, f"SELECT coalesce(max(head), 0) FROM gohub_room WHERE name = '{room}'") or 0)

    with tempfile.TemporaryDirectory(prefix="gohub-bench-cluster-") as folder, ExitStack() as stack:
        hubs = start_hubs(stack, command, url, count, folder, settings)
        for hub in hubs:
            load(stack, hub, room, seconds + 20, "--window", str(IN_FLIGHT // count))
        time.sleep(3)
        before, begin = head(), time.monotonic()
        time.sleep(seconds)
        stored, taken = head() - before, time.monotonic() - begin
        if stored == 0:
            raise Failure("nothing was stored in the hot room")
        return stored / taken


# Lateness and cost of the comparison


def session_seconds(url, names):
    """Processor seconds so far of the database sessions of one hub."""
    pids = query(url, f"SELECT pid FROM pg_stat_activity WHERE pid IN ({','.join(map(str, names))})").split()
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND
    return total


def sessions(url):
    sql = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    return set(map(int, query(url, sql).split()))


async def late(writer, reader, url, count, seconds, pids):
    rooms = [f"late-{count}-{number}" for number in range(count)]
    groups = [rooms[at:at + ROOMS_PER_SESSION] for at in range(0, count, ROOMS_PER_SESSION)]
    acked, arrived = {}, {}

    def on_reader(event):
        if event["op"] == "message":
            arrived.setdefault(event["id"], time.monotonic())

    def on_writer(event):
        if event["op"] == "ack":
            acked[event["id"]] = time.monotonic()
        elif event["op"] == "error":
            raise Failure(f"the hub says {event}")

    async def measure(kind, address):
        """Sends messages; the sorted times from their acknowledgement to their arrival through the other hub."""
        acked.clear()
        begin = time.monotonic()
        for number in range(seconds * MESSAGES_PER_SECOND):
            await asyncio.sleep(max(0, begin + number / MESSAGES_PER_SECOND - time.monotonic()))
            client = random.choice(writers)
            client.say(op="send", id=f"{kind}{count}-{number}", text="x" * 128, **address(client))
        deadline = time.monotonic() + STRAGGLER_SECONDS
        while time.monotonic() < deadline and any(id not in arrived for id in acked):
            await asyncio.sleep(0.1)
        closed = [client.closed for client in readers + writers if client.closed]
        missing = [id for id in acked if id not in arrived]
        if closed:
            raise Failure(f"the hubs closed sessions: {closed}")
        if missing or not acked:
            raise Failure(f"{len(missing)} of {len(acked)} messages never came through the other hub")
        return sorted(max(0.0, arrived[id] - acked[id]) for id in acked)

    readers = [Client(reader.port, f"r{count}-{number}", group, on_reader) for number, group in enumerate(groups)]
    writers = [Client(writer.port, f"w{count}-{number}", group, on_writer) for number, group in enumerate(groups)]
    for client in readers + writers:
        await client.join()
    await asyncio.sleep(3)
    before, begin = session_seconds(url, pids), time.monotonic()
    await asyncio.sleep(seconds)
    share = (session_seconds(url, pids) - before) / (time.monotonic() - begin)
    in_rooms = await measure("m", lambda client: {"room": random.choice(client.rooms)})
    direct = await measure("d", lambda _: {"to": random.choice(readers).user})
    for client in readers + writers:
        client.leave()
    return in_rooms, direct, share


def lateness(command, url, count, seconds, settings=()):
    with tempfile.TemporaryDirectory(prefix="gohub-bench-cluster-") as folder, ExitStack() as stack:
        writer = start_hubs(stack, command, url, 1, folder, settings)[0]
        time.sleep(1)
        known = sessions(url)
        reader = start_hubs(stack, command, url, 1, folder, settings)[0]
        time.sleep(1)
        return asyncio.run(late(writer, reader, url, count, seconds, sessions(url) - known))


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hub", required=True, metavar="COMMAND", help="starts a hub; {port} is filled in")
    parser.add_argument("--seconds", type=int, default=8, help="of each measurement (default: %(default)s)")
    parser.add_argument("--rooms", default="100,1000,10000", help="(default: %(default)s)")
    parser.add_argument("--hubs", default="1,2,4", help="for the hot room (default: %(default)s)")
    parser.add_argument("--passes", type=int, default=1, help="of the hot room (default: %(default)s)")
    parser.add_argument("--bus", choices=("none", "redis"), default="none", help="between the hubs (default: %(default)s)")
    options = parser.parse_args(arguments)
    subprocess.run(["make", "--quiet", "-C", str(servers.HERE), "bin/loadgen"], check=True)
    about = report.machine()
    print(f"{about['cpu']}, {about['cores']} cores, Linux {about['kernel']}, load average {about['load_average']:.2f}\n")
    with durable.postgres_server() as url, ExitStack() as stack:
        settings = []
        if options.bus == "redis":
            redis, _ = stack.enter_context(bus.redis_server())
            settings = bus.hub_settings(redis)
        show(options, url, settings)


def show(options, url, settings):
    counts = [int(count) for count in options.hubs.split(",")]
    rates = {count: [] for count in counts}
    for _ in range(options.passes):
        for count in counts:
            rates[count].append(hot(options.hub, url, count, options.seconds, settings))
    print(f"{'hot room':12}{'messages/s':>12}{'/ first':>10}{'target':>8}")
    first = sorted(rates[counts[0]])[len(rates[counts[0]]) // 2]
    for count in counts:
        rate = sorted(rates[count])[len(rates[count]) // 2]
        verdict = "" if count == counts[0] else "met" if rate / first >= TARGET_HOT else "NOT MET"
        print(f"{f'{count} hubs' if count > 1 else '1 hub':12}{rate:>12,.0f}{rate / first:>10.2f}{TARGET_HOT:>8}  {verdict}",
              flush=True)
    print(f"\n{'rooms':18}{'p50 ms':>10}{'p99 ms':>10}{'max ms':>10}{'target':>8}{'poll, cores':>13}")
    for count in map(int, options.rooms.split(",")):
        in_rooms, direct, share = lateness(options.hub, url, count, options.seconds, settings)
        for name, times, bound, poll in [
            (f"{count:,}", in_rooms, max(250, count / 20), f"{share:.3f}"), ("direct messages", direct, 250, ""),
        ]:
            p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
            verdict = "met" if p99 * 1000 <= bound else "NOT MET"
            print(f"{name:18}{p50 * 1000:>10.0f}{p99 * 1000:>10.0f}{times[-1] * 1000:>10.0f}{bound:>8.0f}{poll:>13}  {verdict}",
                  flush=True)
    if options.bus == "redis":
        half = sorted(rates.get(2) or rates[counts[0]])[0] / 2
        bus.show(options.hub, url, options.seconds, half)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (Failure, subprocess.CalledProcessError) as failure:
        sys.exit(f"cluster.py: {failure}")
