"""Measures two hubs with Redis between them: the part of `cluster.py --bus redis` that is only of the bus.

A client sends into a room through one hub, and gets its own messages there. Another one is in the room on the other hub.
Both are in this process, so their times are of one clock.
"""

import asyncio
import os
import random
import tempfile
import threading
import time
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from hubs import Client, load, query, start_hubs
from servers import Failure

# Of the campaign; hubs.py has made them available.
import processes
from redis_servers import OneRedis, WatchedRedis
from waiting import until

MESSAGES_PER_SECOND = 200
TEXT_BYTES = 128
TARGET_P50_MS, TARGET_P99_MS = 0.6, 5.0
TARGET_BYTES = 370 + 350 * 2  # in and out, with one other hub
TARGET_NORMAL_SECONDS = 2.0  # after the new primary
NORMAL_SECONDS = 0.02  # a message that is later than that didn't come over Redis
AFTER_SECONDS = 12  # for which messages are sent after Redis is back
STRAGGLER_SECONDS = 10
FAILOVER_SECONDS = 30
HUB_SECONDS = 3  # until hubs know each other and are on the bus


def hub_settings(redis):
    """The URL has a password, which the hub doesn't take from a command line."""
    file = redis.folder / "url"
    file.write_text(redis.url())
    file.chmod(0o600)
    return [f"cluster.redisFile={file}"]


@contextmanager
def redis_server(kind=OneRedis, **options):
    """Starts Redis in a temporary folder. Yields it, and a function that runs a coroutine beside it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def call(work):
        return asyncio.run_coroutine_threadsafe(work, loop).result()

    with tempfile.TemporaryDirectory(prefix="gohub-bench-redis-") as folder:
        redis = kind(Path(folder) / "bus", "gohub", **options)
        try:
            try:
                call(redis.start())
            except processes.Failure as error:
                raise Failure(str(error)) from None
            yield redis, call
        finally:
            call(redis.quit())
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


class Probe:
    """Messages with the times of their acknowledgement, and of their arrival at both clients."""

    def __init__(self, near, far):
        self.room = f"probe-{os.urandom(4).hex()}"
        self.acked, self.near, self.far = {}, {}, {}
        self.sender = Client(near.port, "near", [self.room], self.on_near)
        self.reader = Client(far.port, "far", [self.room], self.on_far)

    def on_near(self, event):
        if event["op"] == "ack":
            self.acked[event["id"]] = time.monotonic()
        elif event["op"] == "message":
            self.near.setdefault(event["id"], time.monotonic())
        elif event["op"] == "error":
            raise Failure(f"the hub says {event}")

    def on_far(self, event):
        if event["op"] == "message":
            self.far.setdefault(event["id"], time.monotonic())

    async def send(self, seconds, stop=None):
        """Sends for a time, or until this is done. Returns the ids; all have arrived."""
        begin, ids = time.monotonic(), []
        while time.monotonic() < begin + seconds and not (stop and stop.done()):
            ids.append(f"m-{os.urandom(8).hex()}")
            self.sender.say(op="send", id=ids[-1], room=self.room, text="x" * TEXT_BYTES)
            # Not in step with anything that the hubs do regularly.
            await asyncio.sleep(random.uniform(0, 2) / MESSAGES_PER_SECOND)
        if not await until(lambda: all(id in self.far and id in self.acked for id in ids), STRAGGLER_SECONDS):
            missing = sum(id not in self.far for id in ids)
            raise Failure(f"{missing} of {len(ids)} messages never came through the other hub")
        return ids

    def added(self, ids):
        """How much later the other hub delivers, in seconds. Below 0 if it was first."""
        return sorted(self.far[id] - self.near[id] for id in ids)

    def late(self, ids):
        """From the acknowledgement to the arrival through the other hub."""
        return sorted(max(0.0, self.far[id] - self.acked[id]) for id in ids)

    def normal_after(self, ids, begin):
        """Seconds until messages come over Redis again, for good."""
        late = [self.acked[id] for id in ids if self.far[id] - self.acked[id] > NORMAL_SECONDS]
        if len(late) == len(ids):
            raise Failure(f"the hubs aren't back on Redis after {AFTER_SECONDS} s")
        return max(0.0, max(late, default=begin) - begin)

    def leave(self):
        self.sender.leave()
        self.reader.leave()


@asynccontextmanager
async def probing(command, url, settings):
    with tempfile.TemporaryDirectory(prefix="gohub-bench-bus-") as folder, ExitStack() as stack:
        near, far = start_hubs(stack, command, url, 2, folder, settings)
        probe = Probe(near, far)
        await probe.sender.join()
        await probe.reader.join()
        await asyncio.sleep(HUB_SECONDS)
        try:
            yield probe, near, far
        finally:
            probe.leave()


async def traffic(redis, work):
    """The bytes that Redis gets and sends during this work, and the work's result."""
    names = ("total_net_input_bytes", "total_net_output_bytes")
    before = await redis.servers[0].information("stats")
    result = await work
    after = await redis.servers[0].information("stats")
    return [int(after[name]) - int(before[name]) for name in names], result


async def healthy(redis, command, url, settings, seconds, rate):
    """Rows of added latency, alone and beside other messages at a rate; and bytes a message, alone and beside them."""
    async with probing(command, url, settings) as (probe, near, far):
        idle, _ = await traffic(redis, asyncio.sleep(seconds))
        alone, ids = await traffic(redis, probe.send(seconds))
        bytes_alone = [(total - rest) / len(ids) for total, rest in zip(alone, idle)]
        rows = [(f"added, {MESSAGES_PER_SECOND}/s", probe.added(ids))]
        with ExitStack() as stack:
            room = f"half-{os.urandom(4).hex()}"
            for hub in (near, far):
                load(stack, hub, room, seconds + 20, "--rate", f"{rate / 2:.0f}", "--window", "512")
            await asyncio.sleep(HUB_SECONDS)
            head = f"SELECT coalesce(max(head), 0) FROM gohub_room WHERE name = '{room}'"
            before, begin = int(query(url, head)), time.monotonic()
            beside, ids = await traffic(redis, probe.send(seconds))
            count, taken = int(query(url, head)) - before, time.monotonic() - begin
            rows.append((f"added, {count / taken:,.0f}/s", probe.added(ids)))
        if count == 0:
            raise Failure("nothing was stored beside the messages")
        if min(bytes_alone) <= TEXT_BYTES:
            raise Failure("the messages didn't go through Redis")
        return rows, bytes_alone, [(total - rest) / count for total, rest in zip(beside, idle)]


async def outage(redis, command, url, settings, seconds):
    """How late messages are while Redis is stopped, and the seconds until they aren't after its return."""
    async with probing(command, url, settings) as (probe, _, _):
        await redis.stop()
        without = await probe.send(seconds)
        sending = asyncio.create_task(probe.send(AFTER_SECONDS))
        await redis.servers[0].start()
        back = time.monotonic()
        return probe.late(without), probe.normal_after(await sending, back)


async def failover(redis, command, url, settings):
    """How late messages are while the Sentinels replace a primary, and the seconds from its death until there is
    another one, and until messages come over that."""
    async with probing(command, url, settings) as (probe, _, _):
        await redis.servers[0].kill()
        died = time.monotonic()

        async def replaced():
            if not await until(lambda: redis.is_primary(redis.servers[1]), FAILOVER_SECONDS):
                raise Failure("the Sentinels name no new primary")
            return time.monotonic()

        replacing = asyncio.create_task(replaced())
        ids = await probe.send(FAILOVER_SECONDS, stop=replacing)
        new = await replacing
        after = await probe.send(AFTER_SECONDS)
        return probe.late([*ids, *after]), new - died, probe.normal_after(after, new)


def show(command, url, seconds, rate):
    """Measures everything, and prints it. `rate` is that of the messages beside."""
    with redis_server() as (redis, call):
        settings = hub_settings(redis)
        rows, alone, beside = call(healthy(redis, command, url, settings, seconds, rate))
        without, normal = call(outage(redis, command, url, settings, seconds))
    with redis_server(WatchedRedis, is_direct=True) as (redis, call):
        settings = hub_settings(redis)
        during, until_new, until_normal = call(failover(redis, command, url, settings))
    print(f"\n{'other hub':24}{'p50 ms':>10}{'p99 ms':>10}{'max ms':>10}  target", flush=True)
    for name, times in [*rows, ("late, Redis stopped", without), ("late, failover", during)]:
        p50, p99, longest = (1000 * value for value in (times[len(times) // 2], times[len(times) * 99 // 100], times[-1]))
        target = f"{TARGET_P50_MS} and {TARGET_P99_MS:g}  {met(p50 <= TARGET_P50_MS and p99 <= TARGET_P99_MS)}"
        print(f"{name:24}{p50:>10.2f}{p99:>10.2f}{longest:>10.1f}  {target if name.startswith('added') else ''}")
    print(f"\n{'bytes of Redis':24}{'in':>10}{'out':>10}{'together':>10}  target")
    for name, (taken, given) in (("a message alone", alone), ("a message of many", beside)):
        both = taken + given
        print(f"{name:24}{taken:>10.0f}{given:>10.0f}{both:>10.0f}  {TARGET_BYTES}  {met(both <= TARGET_BYTES)}")
    print(f"\nnormal {normal:.2f} s after Redis is back")
    print(f"after the death of a primary, another one in {until_new:.2f} s, and normal {until_normal:.2f} s after that "
          f"(target {TARGET_NORMAL_SECONDS:g})  {met(until_normal <= TARGET_NORMAL_SECONDS)}", flush=True)


def met(is_met):
    return "met" if is_met else "NOT MET"
