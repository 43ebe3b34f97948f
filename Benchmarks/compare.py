#!/usr/bin/env python3
"""Measures a hub beside the floor of the machine it runs on.

    python3 compare.py --hub '../.build/release/gohubd serve --listen 127.0.0.1:{port}' [--passes 3]

Every run starts its server afresh on a free loopback port; the runs of one scenario interleave (A B C A B C …), and
the table shows the medians and their ratios to the floor. README.md says what each scenario measures.
"""

import argparse
import json
import os
import pathlib
import platform
import re
import resource
import shlex
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field

HERE = pathlib.Path(__file__).resolve().parent
LOADGEN = HERE / "bin" / "loadgen"
FLOOR = f"{HERE / 'bin' / 'floor'} {{port}}"

PORTS = range(20000, 32000)  # below the ephemeral ports, which the load generator's own sockets use
START_SECONDS = 15
STOP_SECONDS = 10
RUN_SECONDS_MAX = 240
LOG_LINES = 20
NOISE = 0.15  # of the floor's median: a wider spread between its runs makes the ratios doubtful
DESCRIPTORS_RESERVED = 256  # what a server or the load generator needs beside its connections
PAYLOAD_FRAME_BYTES = 132  # 128 bytes of text and their frame header: the unpadded floor's message


@dataclass
class Scenario:
    """One way of loading a server: what the load generator is told, and which of its figures make the table."""

    arguments: list[str]
    kind: str = "deliveries"
    one_core: bool = False  # server and load generator share a core: no wake-up of another one blurs the path's cost


@dataclass
class Server:
    name: str
    command: str
    arguments: list[str]
    padded: bool = False  # its messages get the size of the hub's events
    results: list[dict] = field(default_factory=list)


class Failure(Exception):
    """A run that has no result; its text tells why."""


def broadcast(connections, *how, seconds=5):
    return Scenario(["--conns", str(connections), "--publishers", "4", *how, "--secs", str(seconds)])


def scenarios(idle_connections):
    return {
        "unbatched": broadcast(1000, "--rate", "20"),
        "steady": broadcast(1000, "--rate", "100"),
        "wide": broadcast(5000, "--rate", "20"),
        "saturated": broadcast(1000, "--window", "8"),
        "small": broadcast(50, "--window", "8", seconds=4),
        "echo": Scenario(["--mode", "echo", "--window", "1", "--secs", "3"], one_core=True),
        "idle": Scenario(["--mode", "idle", "--conns", str(idle_connections), "--secs", "2"], kind="memory"),
        "connect": Scenario(["--mode", "connect", "--secs", "4"], kind="handshakes"),
        "login": Scenario(["--mode", "connect", "--until", "joined", "--secs", "4"], kind="handshakes"),
    }


# Per kind: the table's columns as (title, figure, format); the first is the one whose ratio counts.
COLUMNS = {
    "deliveries": [
        ("CPU µs/delivery", "server_cpu_us_per_delivery", "{:.3f}"),
        ("deliveries/s", "deliveries_per_s", "{:,.0f}"),
        ("p50 µs", "latency_us.p50", "{:,.0f}"),
        ("p90 µs", "latency_us.p90", "{:,.0f}"),
        ("p99 µs", "latency_us.p99", "{:,.0f}"),
        ("max µs", "latency_us.max", "{:,.0f}"),
        ("bytes", "bytes_per_delivery", "{:.1f}"),
    ],
    "memory": [
        ("private B/conn", "private_bytes_per_connection", "{:,.0f}"),
        ("anonymous B/conn", "anonymous_bytes_per_connection", "{:,.0f}"),
        ("RSS B/conn", "rss_bytes_per_connection", "{:,.0f}"),
        ("RSS B", "rss_bytes", "{:,.0f}"),
        ("conns", "connections", "{:,.0f}"),
    ],
    "handshakes": [
        ("CPU µs/handshake", "cpu_us_per_handshake", "{:.2f}"),
        ("handshakes/s", "handshakes_per_s", "{:,.0f}"),
        ("p50 µs", "latency_us.p50", "{:,.0f}"),
        ("p99 µs", "latency_us.p99", "{:,.0f}"),
    ],
}


def figure(result, name):
    for part in name.split("."):
        result = result[part]
    return result


def median(results, name):
    return statistics.median(figure(result, name) for result in results)


# Running


def free_port():
    start = os.getpid() % len(PORTS)
    for offset in range(len(PORTS)):
        port = PORTS[(start + offset) % len(PORTS)]
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise Failure("no port is free")


def last_lines(path):
    lines = path.read_text(errors="replace").splitlines()[-LOG_LINES:]
    return "\n".join(f"    {line}" for line in lines) or "    (its log is empty)"


def wait_until_listening(process, port, name, log):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Failure(f"{name} ended with {process.returncode} instead of listening:\n{last_lines(log)}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise Failure(f"{name} doesn't listen on port {port} after {START_SECONDS} s:\n{last_lines(log)}")


def stop(process):
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def run_once(server, scenario, pad):
    """Starts the server, loads it, stops it; the load generator's report."""
    port = free_port()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="gohub-bench-"))
    log = directory / "server.log"
    command = server.command.replace("{port}", str(port)).replace("{dir}", str(directory))
    try:
        with log.open("wb") as output:
            try:
                process = subprocess.Popen(shlex.split(command), stdout=output, stderr=output, stdin=subprocess.DEVNULL)
            except OSError as error:
                raise Failure(f"{server.name} can't be started: {error}") from None
        try:
            wait_until_listening(process, port, server.name, log)
            time.sleep(0.3)  # the server closes the probe's connection before anything is counted
            load = [str(LOADGEN), "--port", str(port), "--pid", str(process.pid), *scenario.arguments]
            load += server.arguments + (["--pad", str(pad)] if server.padded and pad else [])
            done = subprocess.run(load, capture_output=True, text=True, timeout=RUN_SECONDS_MAX)
            if done.returncode != 0:
                raise Failure(f"{server.name}: {done.stderr.strip()}\nThe server's log ends with:\n{last_lines(log)}")
            result = json.loads(done.stdout)
            check(server, scenario, result, done.stderr.strip(), log)
            return result
        finally:
            stop(process)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def check(server, scenario, result, remarks, log):
    """Only a run in which everything arrived, once and in order, has a result."""
    wrong = []
    if scenario.kind == "deliveries":
        if result["deliveries"] == 0:
            wrong.append("nothing was delivered")
        if result["lost"] != 0:
            wrong.append(f"{result['lost']} of {result['expected']} deliveries were lost")
        elif result["out_of_order"]:
            wrong.append(f"{result['out_of_order']} deliveries were out of order")
        if result["server"] == "gohub" and result["acks"] != result["published"]:
            wrong.append(f"{result['published']} messages were sent and {result['acks']} acknowledged")
    if scenario.kind == "handshakes":
        if result["handshakes"] == 0:
            wrong.append("no handshake succeeded")
        if result["handshakes_failed"]:
            wrong.append(f"{result['handshakes_failed']} handshakes failed")
    if result["closed_by_server"]:
        wrong.append(f"{result['closed_by_server']} connections were closed by the server")
    if result["hub_errors"]:
        wrong.append(f"{result['hub_errors']} errors came from the server")
    if wrong:
        remarks = f"\n{remarks}" if remarks else ""
        raise Failure(f"{server.name}: {', '.join(wrong)}{remarks}\nThe server's log ends with:\n{last_lines(log)}")


def measure(scenario, hubs, options):
    """All passes of one scenario; the servers with their results, the floor first."""
    cores = os.sched_getaffinity(0)
    try:
        if scenario.one_core:
            os.sched_setaffinity(0, {max(cores)})  # its children inherit it
        return measure_interleaved(scenario, hubs, options)
    finally:
        os.sched_setaffinity(0, cores)


def measure_interleaved(scenario, hubs, options):
    floor = Server("floor", FLOOR, [], padded=True)
    servers = [*hubs, floor]
    if scenario.kind == "deliveries" and (hubs or options.event_bytes):
        servers.append(Server("floor-128", FLOOR, []))
    servers = [Server(s.name, s.command, s.arguments, s.padded) for s in servers]
    event_bytes = options.event_bytes
    for number in range(options.passes):
        for server in servers:
            progress(f"pass {number + 1} of {options.passes}: {server.name}")
            pad = max(0, round(event_bytes) - PAYLOAD_FRAME_BYTES) if event_bytes else 0
            result = run_once(server, scenario, pad)
            server.results.append(result)
            # The first hub runs before the floor, which then sends messages as large as the hub's events.
            if scenario.kind == "deliveries" and not event_bytes:
                event_bytes = result["bytes_per_delivery"]
    progress("")
    return sorted(servers, key=lambda server: not server.name.startswith("floor"))


# Reporting


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def machine():
    info = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*:\s*(.*)", info)
    return {
        "cpu": model.group(1) if model else platform.machine(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "load_average": os.getloadavg()[0],
    }


def print_table(name, scenario, servers):
    columns = COLUMNS[scenario.kind]
    key = columns[0][1]
    base = median(servers[0].results, key)
    titles = ["", columns[0][0], "× floor", "min–max", *(title for title, _, _ in columns[1:])]
    rows = [titles]
    for server in servers:
        values = [figure(result, key) for result in server.results]
        form = columns[0][2]
        row = [server.name, form.format(statistics.median(values))]
        row.append(f"{statistics.median(values) / base:.2f}" if base > 0 else "–")
        row.append(f"{form.format(min(values))}–{form.format(max(values))}")
        row += [form.format(median(server.results, figure_name)) for _, figure_name, form in columns[1:]]
        rows.append(row)
    widths = [max(len(row[i]) for row in rows) for i in range(len(titles))]
    print(f"\n{name}")
    for row in rows:
        cells = [cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths))]
        print("  " + "  ".join(cells))
    floor = [figure(result, key) for result in servers[0].results]
    if max(floor) - min(floor) > NOISE * base:
        print(f"  The floor varied by {(max(floor) - min(floor)) / base:.0%}: the machine wasn't quiet. Run again.")
    sys.stdout.flush()


def summary(scenario, servers):
    """One scenario for the JSON report: medians, the ratio of the first column, and every run."""
    key = COLUMNS[scenario.kind][0][1]
    base = median(servers[0].results, key)
    return {
        server.name: {
            "median": {name: median(server.results, name) for _, name, _ in COLUMNS[scenario.kind]},
            "ratio_to_floor": {key: median(server.results, key) / base if base > 0 else None},
            "runs": server.results,
        }
        for server in servers
    }


# Options


def raise_descriptor_limit():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else 1 << 20


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--hub", action="append", default=[], metavar="[NAME=]COMMAND",
        help="starts a hub, without a shell; {port} and {dir} (an empty directory) are filled in; repeat to compare")
    add("--hub-load", default="", metavar="OPTIONS",
        help="more load generator options for the hubs, such as '--tls --token-file tokens.txt'")
    add("--scenarios", default="unbatched,saturated,small,echo,idle,connect", metavar="A,B,…",
        help=f"of {', '.join(scenarios(0))} (default: %(default)s)")
    add("--passes", type=int, default=3, help="runs of each server in a scenario (default: %(default)s)")
    add("--idle", type=int, default=10000,
        help="connections of the idle scenario, as far as descriptors permit (default: %(default)s)")
    add("--event-bytes", type=float, default=0,
        help="size of the floor's messages (default: that of the first hub's events)")
    add("--json", metavar="FILE", help="write medians, ratios and every run there")
    options = parser.parse_args(arguments)
    if options.passes < 1:
        parser.error("--passes is at least 1")
    return options


def named(command, number):
    """`name=command`, or a command that is named hub, hub-2, …"""
    match = re.match(r"([A-Za-z0-9._-]+)=(.+)", command, re.DOTALL)
    return match.groups() if match else ("hub" if number == 0 else f"hub-{number + 1}", command)


def main(arguments):
    options = parse(arguments)
    subprocess.run(["make", "--quiet", "-C", str(HERE)], check=True)
    idle = min(options.idle, raise_descriptor_limit() - DESCRIPTORS_RESERVED)
    known = scenarios(idle)
    chosen = options.scenarios.split(",")
    unknown = [name for name in chosen if name not in known]
    if unknown:
        raise Failure(f"there is no scenario {', '.join(unknown)}; there are {', '.join(known)}")
    load = ["--server", "gohub", *shlex.split(options.hub_load)]
    hubs = [Server(*named(command, number), load) for number, command in enumerate(options.hub)]
    about = machine()
    print(f"{about['cpu']}, {about['cores']} cores, Linux {about['kernel']}, load average {about['load_average']:.2f}")
    print(f"Medians of {options.passes} interleaved passes; only ratios within one table count.")
    report = {"machine": about, "passes": options.passes, "scenarios": {}}
    failures = []
    for name in chosen:
        try:
            servers = measure(known[name], hubs, options)
        except Failure as failure:
            progress("")
            failures.append(name)
            print(f"\n{name} failed: {failure}", file=sys.stderr)
            continue
        print_table(name, known[name], servers)
        report["scenarios"][name] = summary(known[name], servers)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(report, indent=2) + "\n")
    if failures:
        raise Failure(f"no result for {', '.join(failures)}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (Failure, subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        sys.exit(f"compare.py: {error}")
    except KeyboardInterrupt:
        sys.exit("compare.py: interrupted")
