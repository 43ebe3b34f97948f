#!/usr/bin/env python3
"""Measures the time until the last of thousands of clients has reconnected and has the messages that it missed.

    python3 resume.py --hub COMMAND [--clients 10000] [--rooms 100] [--missed 20] [--passes 1] [--stores memory,sqlite,postgres]

The clients are in rooms, lose their connections, and miss messages (resume.c). Then a hub with a database is restarted.
The baseline is a hub with its store in memory, which isn't restarted. All clients connect at once and join with
`since`. Each must get exactly the messages that it missed. `reads` is the number of pages read from the database, if
the database counts them: concurrent requests for the same page share one read.

PostgreSQL runs in a temporary folder with its default settings, and is stopped at the end.
"""

import argparse
import json
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from statistics import median

import durable
import report
import servers
from servers import Failure

RESUME = servers.HERE / "bin" / "resume"
STORES = ("memory", "sqlite", "postgres")
TARGET = 1.5  # relative to the time without a database and a restart
DESCRIPTORS_KEPT = 500  # for everything except clients


class Hub:
    """A hub process that can be restarted on the same port."""

    def __init__(self, command, store, directory):
        self.port = servers.free_port()
        options = f" --store {store} --set loops=1"
        command = command.replace("{port}", str(self.port)).replace("{dir}", str(directory))
        self.command = shlex.split(command + options)
        self.log = Path(directory) / "hub.log"
        self.start()

    def start(self):
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(self.command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        servers.wait_until_listening(self.process, self.port, "the hub", self.log)
        time.sleep(0.5)  # so that one-time work at the start is done

    def stop(self):
        servers.stop(self.process)


def pages_read(url):
    """The number of pages read. Each read looks up its room once."""
    time.sleep(0.5)  # a session reports its statistics when it ends
    sql = "SELECT coalesce(sum(idx_scan), 0) FROM pg_stat_user_tables WHERE relname = 'gohub_room'"
    done = subprocess.run(["psql", "-XAtq", "-c", sql, url], capture_output=True, text=True)
    return int(done.stdout) if done.returncode == 0 else None


def run(command, kind, url, options):
    with tempfile.TemporaryDirectory(prefix="gohub-bench-resume-") as directory:
        store = {"memory": "memory", "sqlite": f"sqlite:{directory}/hub.sqlite", "postgres": url}[kind]
        hub = Hub(command, store, directory)
        arguments = [RESUME, "--port", str(hub.port), "--conns", str(options.clients), "--rooms", str(options.rooms),
                     "--messages", str(options.missed)]
        load = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            ready = load.stdout.readline()
            before = None
            if ready and kind != "memory":
                hub.stop()
                before = pages_read(url) if kind == "postgres" else None
                hub.start()
            output, errors = load.communicate(f"{hub.process.pid}\n" if ready else None, servers.RUN_SECONDS_MAX)
            if load.returncode != 0:
                raise Failure(f"{kind}: {errors.strip()}\nThe hub's log ends with:\n{servers.last_lines(hub.log)}")
            result = json.loads(output)
            hub.stop()
            result["reads"] = None if before is None else pages_read(url) - before
            return result
        finally:
            load.kill()
            load.wait()
            hub.stop()


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hub", required=True, metavar="COMMAND", help="starts a hub; {port} is filled in")
    parser.add_argument("--clients", type=int, default=10_000, help="(default: %(default)s)")
    parser.add_argument("--rooms", type=int, default=100, help="(default: %(default)s)")
    parser.add_argument("--missed", type=int, default=20, help="messages of each room (default: %(default)s)")
    parser.add_argument("--passes", type=int, default=1, help="(default: %(default)s)")
    parser.add_argument("--stores", default=",".join(STORES), help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    chosen = options.stores.split(",")
    if unknown := [name for name in chosen if name not in STORES]:
        parser.error(f"there is no store {', '.join(unknown)}; there are {', '.join(STORES)}")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    options.clients = min(options.clients, hard - DESCRIPTORS_KEPT)
    subprocess.run(["make", "--quiet", "-C", str(servers.HERE), "bin/resume"], check=True)
    about = report.machine()
    print(f"{about['cpu']}, {about['cores']} cores, Linux {about['kernel']}, load average {about['load_average']:.2f}")
    print(f"{options.clients:,} clients in {options.rooms:,} rooms, {options.missed} messages missed in each; medians of "
          f"{options.passes} interleaved passes.\n")
    print(f"{'':10}{'last ms':>10}{'/ memory':>10}{'target':>8}{'p50 ms':>9}{'hub CPU s':>11}{'peak MB':>9}{'KB/client':>11}"
          f"{'reads':>8}")
    results = {kind: [] for kind in chosen}
    with durable.postgres_server() if "postgres" in chosen else nullcontext() as url:
        for _ in range(options.passes):
            for kind in chosen:
                results[kind].append(run(options.hub, kind, url, options))
    for kind, runs in results.items():
        last, p50, cpu, before, peak = (median(run[name] for run in runs) for name in (
            "last_ms", "p50_ms", "server_cpu_s", "rss_bytes_before", "rss_bytes_peak"))
        ratio, verdict = "", ""
        if kind != "memory" and results.get("memory"):
            value = last / median(run["last_ms"] for run in results["memory"])
            ratio, verdict = f"{value:.2f}", "met" if value <= TARGET else "NOT MET"
        # The hub that wasn't restarted has used memory for clients before.
        growth = "" if kind == "memory" else f"{(peak - before) / 1024 / options.clients:.1f}"
        reads = runs[-1]["reads"]
        print(f"{kind:10}{last:>10,.0f}{ratio:>10}{f'≤ {TARGET}' if ratio else '':>8}{p50:>9,.0f}{cpu:>11.2f}"
              f"{peak / 1048576:>9,.0f}{growth:>11}{'' if reads is None else reads:>8}  {verdict}", flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (Failure, subprocess.CalledProcessError) as failure:
        sys.exit(f"resume.py: {failure}")
