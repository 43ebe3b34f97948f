#!/usr/bin/env python3
"""Measures how fast a hub stores messages, compared with its database alone.

    python3 durable.py --hub COMMAND [--passes 3] [--stores sqlite,postgres]

The hub acknowledges committed messages. First the same database is measured alone (rawstore.c, with the best of several
batch sizes). There one process makes the rows itself: it parses, looks up, numbers and answers nothing. It runs once
with one row a message, which is the maximum rate of the database, and once with the rows that a hub needs: two a
message, and the room's head once a batch.

Then one client publishes into one room, which it also receives. It has as many messages in flight as the database
alone: two of the largest batches. So for each message the hub parses a command and sends an acknowledgement and a
delivery. The client and the database run on the same cores. The same is repeated at half of the rate that was reached,
for the latency from publishing to delivery; the acknowledgement is sent together with the delivery. CPU is the time of
the hub and of the load generator for each message, without PostgreSQL's.

PostgreSQL runs in a temporary folder with its default settings, and is stopped at the end.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from statistics import median

import report
import servers
from servers import Failure, Server

RAW = servers.HERE / "bin" / "rawstore"
BATCHES = (256, 1024, 4096)
SECONDS = 3
WINDOW = 2 * max(BATCHES)
STORES = ("sqlite", "postgres")
TARGET = 0.8  # as a part of the rows that the database alone stores
NOBODY = 65534
START_SECONDS = 60


def postgres_binaries():
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("postgres")
    if on_path:
        return pathlib.Path(on_path).resolve().parent
    raise Failure("there is no PostgreSQL server here: apt-get install postgresql")


@contextmanager
def postgres_server():
    """Starts a separate server. Yields its URL."""
    binaries = postgres_binaries()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="gohub-bench-postgres-"))
    drop = {}
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        os.chown(directory, NOBODY, NOBODY)
        drop = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    port = servers.free_port()
    log = directory / "log"
    process = None
    try:
        made = subprocess.run([binaries / "initdb", "-D", directory / "data", "-U", "gohub", "--auth=trust", "-E", "UTF8"],
                              capture_output=True, text=True, **drop)
        if made.returncode != 0:
            raise Failure(f"initdb: {made.stderr}")
        with log.open("wb") as output:
            process = subprocess.Popen(
                [binaries / "postgres", "-D", directory / "data", "-p", str(port), "-c", "listen_addresses=127.0.0.1",
                 "-c", "unix_socket_directories="], stdout=output, stderr=output, **drop)
        deadline = time.monotonic() + START_SECONDS
        ready = [binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
        while subprocess.run(ready).returncode != 0:
            if process.poll() is not None or time.monotonic() > deadline:
                raise Failure(f"PostgreSQL doesn't start:\n{servers.last_lines(log)}")
            time.sleep(0.1)
        yield f"postgres://gohub@127.0.0.1:{port}/postgres"
    finally:
        if process:
            servers.stop(process)
        shutil.rmtree(directory, ignore_errors=True)


def raw_rows(kind, target, rows):
    """Messages a second with the best batch size; `rows` is `bare` or `hub`."""
    best = 0
    for batch in BATCHES:
        done = subprocess.run([RAW, kind, target, str(SECONDS / len(BATCHES)), str(batch), str(servers.PAYLOAD_BYTES), rows],
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise Failure(done.stderr.strip())
        best = max(best, json.loads(done.stdout)["rows_per_s"])
    return best


def hub_run(command, store, *load):
    options = f" --store {store} --set loops=1 --set limits.commandsInFlightMax={2 * WINDOW}"
    server = Server("hub", command + options, ["--server", "gohub", "--mode", "echo", "--secs", str(SECONDS)])
    return servers.run_once(server, list(load), "deliveries", 0)


def measure(kind, command, passes, url):
    """Messages/s of the database alone (bare and the hub's rows), runs of the hub, and runs at half of its rate."""
    bare, rows, hub, half = [], [], [], []
    for _ in range(passes):
        with tempfile.TemporaryDirectory(prefix="gohub-bench-store-") as directory:
            raw_target = url if kind == "postgres" else f"{directory}/raw.sqlite"
            store = url if kind == "postgres" else f"sqlite:{directory}/hub.sqlite"
            bare.append(raw_rows(kind, raw_target, "bare"))
            rows.append(raw_rows(kind, raw_target, "hub"))
            hub.append(hub_run(command, store, "--window", str(WINDOW)))
            rate = str(round(hub[-1]["deliveries_per_s"] / 2))
            half.append(hub_run(command, store, "--window", str(WINDOW), "--rate", rate))
    return median(bare), median(rows), hub, half


def cpu(runs, whose):
    """Microseconds of CPU time a message."""
    return median(run[f"{whose}_cpu_s"] * 1e6 / run["deliveries"] for run in runs)


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hub", required=True, metavar="COMMAND", help="starts a hub; {port} is filled in")
    parser.add_argument("--passes", type=int, default=3, help="(default: %(default)s)")
    parser.add_argument("--stores", default=",".join(STORES), help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    chosen = options.stores.split(",")
    if unknown := [name for name in chosen if name not in STORES]:
        parser.error(f"there is no store {', '.join(unknown)}; there are {', '.join(STORES)}")
    subprocess.run(["make", "--quiet", "-C", str(servers.HERE), "all", "bin/rawstore"], check=True)
    about = report.machine()
    print(f"{about['cpu']}, {about['cores']} cores, Linux {about['kernel']}, load average {about['load_average']:.2f}")
    print(f"Medians of {options.passes} interleaved passes; {servers.PAYLOAD_BYTES} bytes of text, {WINDOW} in flight.\n")
    print(f"{'':10}{'alone, bare':>14}{'its rows':>12}{'hub acks/s':>12}{'/ bare':>8}{'target':>8}{'/ rows':>8}"
          f"{'hub µs':>8}{'load µs':>9}{'half p50 ms':>13}{'p99 ms':>9}")
    with postgres_server() if "postgres" in chosen else tempfile.TemporaryDirectory() as url:
        for kind in chosen:
            bare, rows, hub, half = measure(kind, options.hub, options.passes, url)
            rate = median(run["deliveries_per_s"] for run in hub)
            p50, p99 = (median(run["latency_us"][name] for run in half) / 1000 for name in ("p50", "p99"))
            verdict = "met" if rate >= TARGET * bare else "NOT MET"
            print(f"{kind:10}{bare:>14,.0f}{rows:>12,.0f}{rate:>12,.0f}{rate / bare:>8.2f}{f'≥ {TARGET}':>8}"
                  f"{rate / rows:>8.2f}{cpu(hub, 'server'):>8.2f}{cpu(hub, 'generator'):>9.2f}{p50:>13.2f}{p99:>9.2f}"
                  f"  {verdict}", flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (Failure, subprocess.CalledProcessError) as failure:
        sys.exit(f"durable.py: {failure}")
