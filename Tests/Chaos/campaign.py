#!/usr/bin/env python3
"""The crash campaign: a hub under load while the hub, its store and its connections fail. No acknowledged message is
lost.

    python3 Tests/Chaos/campaign.py .build/debug/gohubd [--rounds 5] [--seed 1] [--first 1] [--stores sqlite,postgres]
        [--nodes 3 [--bus redis]] [--other path/to/gohubd [--rollout]]

`make chaos` builds the hub and calls this. The rounds of a store run one after the other, both stores in parallel. A
round starts a hub on a loopback port, runs publishers and subscribers, and injects the faults that its seed determines.
Then it waits until everything has recovered, kills everything once more, reads the histories, and gives the
observations of all clients to the checker. A failed round keeps its folder, with the database and the logs.

With `--nodes`, a round runs several hubs on one PostgreSQL, and only there. With `--bus redis`, Redis is between the
hubs: one server, or two with Sentinels. With `--rollout`, the rounds take turns: hubs of another version are replaced
by those under test, the other way round, and both at any time.

Python is fast enough for this load. The system under test is another process, so the clients share neither code nor
mistakes with the hub.
"""

import argparse
import asyncio
import collections
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time

import checker
import disk
import over_redis
import versions
from cluster import ClusterRound
from failover import FailoverRound
from processes import Failure, Postgres
from rounds import Round
from waiting import together

STORES = ("sqlite", "postgres")
BUSES = ("none", "redis")
NODES_MAX = 9
FAILOVER_EVERY = 5  # rounds with several nodes


class Lane:
    """The rounds of one store, one after the other."""

    def __init__(self, options, store):
        self.options = options
        self.store = store
        self.failed = 0
        self.done = 0
        self.counts = collections.Counter()

    async def run(self):
        servers = {}
        try:
            for number in range(self.options.first, self.options.first + self.options.rounds):
                await self.round(number, servers)
        finally:
            for server in servers.values():
                await server.quit()
                server.unmount(is_kept=bool(self.failed))
                if self.failed:
                    say(f"PostgreSQL's folder is kept: {server.folder}")
                else:
                    shutil.rmtree(server.folder, ignore_errors=True)

    async def server(self, has_disk, servers):
        """One server on the machine's disk and one on a small disk, each started when it is first needed."""
        if has_disk not in servers:
            servers[has_disk] = Postgres(pathlib.Path(tempfile.mkdtemp(prefix="gohub-chaos-server-")), has_disk)
            await servers[has_disk].make()
            await servers[has_disk].start()
        return servers[has_disk]

    async def round(self, number, servers):
        kind = self.kind(number)
        round = kind(self.options, self.store, number)
        if self.store == "postgres" and not issubclass(kind, FailoverRound):  # which has servers of its own
            round.postgres = await self.server(round.has_disk, servers)
        line, violations = await round.run()
        self.done += 1
        self.counts.update(round.record.counts)
        self.counts.update({"messages": len(round.record.sent), "faults": len(round.plan)})
        say(line)
        if violations:
            self.failed += 1
            say(f"{self.store} {number} FAILED:")
            for text in checker.shown(violations):
                print(f"    {text}", flush=True)
            say(f"its folder is kept: {round.folder}")
            say(f"once more: make {self.again(number)}")

    def kind(self, number):
        if self.options.nodes == 1:
            return Round
        if self.options.bus == "redis":
            return over_redis.round_kind(number, self.options.rollout)
        return ClusterRound if number % FAILOVER_EVERY else FailoverRound

    def again(self, number):
        """The target that repeats a round, and its settings."""
        options = self.options
        target = "mixed-versions" if options.rollout else f"chaos STORES={self.store}"
        nodes = f" NODES={options.nodes}" if options.nodes > 1 else ""
        bus = f" BUS={options.bus}" if options.bus != "none" else ""
        other = f" OTHER={options.other}" if options.other and not options.rollout else ""
        return f"{target} SEED={options.seed} FIRST={number} ROUNDS=1{nodes}{bus}{other}"


def say(text):
    print(f"chaos: {text}", flush=True)


def stop_on_signals(task):
    """Only the first signal counts: a second one must not disturb the shutdown, which is bounded."""
    loop, numbers = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM)

    def stop():
        task.cancel()
        for number in numbers:
            loop.add_signal_handler(number, lambda: say("stopping"))

    for number in numbers:
        loop.add_signal_handler(number, stop)


async def campaign(options):
    stop_on_signals(asyncio.current_task())
    options.can_mount = disk.can_mount()
    full = "a tmpfs" if options.can_mount else "a bound of the files alone, as no tmpfs can be mounted here"
    over = " over Redis" if options.bus == "redis" else ""
    hubs = f" with {options.nodes} hubs{over}" if options.nodes > 1 else ""
    say(
        f"{options.rounds} rounds{hubs} on each of {', '.join(options.stores)}; the full disk is {full}; "
        f"SEED={options.seed}"
    )
    lanes = [Lane(options, store) for store in options.stores]
    began = time.monotonic()
    await together(*(lane.run() for lane in lanes))
    total = sum((lane.counts for lane in lanes), collections.Counter())
    failed = sum(lane.failed for lane in lanes)
    say(
        f"{sum(lane.done for lane in lanes)} rounds, {failed} failed; {total['faults']} faults, {total['messages']} "
        f"messages, {total['changes']} changes, {total['duplicates']} repeats, {total['unavailable']} unavailable, "
        f"{total['resumes']} resumes, "
        f"{time.monotonic() - began:.0f} s; SEED={options.seed}"
    )
    return 1 if failed else 0


def main():
    if sys.version_info < (3, 10):
        sys.exit("chaos: Python 3.10 or later is needed")
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("hub", type=pathlib.Path, help="the gohubd to test")
    parser.add_argument("--rounds", type=int, default=5, help="on each store")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--first", type=int, default=1, help="the number of the first round")
    parser.add_argument("--stores", default=",".join(STORES))
    parser.add_argument("--nodes", type=int, default=1, help="hubs on one PostgreSQL")
    parser.add_argument("--bus", choices=BUSES, default="none", help="between the hubs, where there are several")
    parser.add_argument("--other", type=pathlib.Path, help="another version of gohubd, which every second start runs")
    parser.add_argument("--rollout", action="store_true", help="replace hubs of one version by the other under load")
    parser.add_argument("--unaware", action="store_true", help="hubs that ignore each other, as the checker finds")
    parser.add_argument("--keep", action="store_true", help="keep the folders of rounds that don't fail, too")
    options = parser.parse_args()
    options.hub = options.hub.resolve()
    options.other = options.other and options.other.resolve()
    options.stores = [store for store in options.stores.split(",") if store]
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1_000_000)
    for program in filter(None, (options.hub, options.other)):
        if not program.is_file():
            parser.error(f"there is no {program}: build it first")
    if unknown := set(options.stores) - set(STORES):
        parser.error(f"there is no store {', '.join(unknown)}; there are {', '.join(STORES)}")
    if options.rounds < 1:
        parser.error("at least one round")
    if not 1 <= options.nodes <= NODES_MAX:
        parser.error(f"1 to {NODES_MAX} nodes")
    if options.bus != "none" and options.nodes == 1:
        parser.error("a bus is between several hubs: --nodes")
    if options.rollout and (options.nodes == 1 or options.other is None):
        parser.error("a rollout is of several nodes and two versions: --nodes and --other")
    options.this = versions.Version(options.hub, versions.lacks_of_this_version())
    options.other_version = options.other and versions.Version(options.other, versions.lacks_of_last_release())
    if options.nodes > 1:
        options.stores = [store for store in options.stores if store == "postgres"]  # hubs can't share another one
    if not options.stores:
        parser.error("no store; several nodes share PostgreSQL only")
    try:
        sys.exit(asyncio.run(campaign(options)))
    except Failure as error:
        sys.exit(f"chaos: {error}")
    except (asyncio.CancelledError, KeyboardInterrupt):
        sys.exit("chaos: stopped")


if __name__ == "__main__":
    main()
