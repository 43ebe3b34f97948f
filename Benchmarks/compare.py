#!/usr/bin/env python3
"""Compares a hub with the floor of the machine that it runs on, and with other servers.

    python3 compare.py --hub '../.build/release/gohubd serve --listen 127.0.0.1:{port} --store memory' [--passes 3]

Every run starts a new server process on a free loopback port. The runs of one scenario interleave (A B C A B C …).
The table shows the medians and their ratios to the floor. README.md describes what each scenario measures.
"""

import argparse
import base64
import hashlib
import hmac
import json
import os
import pathlib
import re
import resource
import secrets
import shlex
import subprocess
import sys
import tempfile
import time

import peers
import report
from scenarios import DEFAULT, FLOOR, HUB, PEERS, VARIANTS, scenarios
from servers import FLOOR_COMMAND, HERE, Failure, Server, run_once
from targets import median_of, verdicts

DESCRIPTORS_RESERVED = 320  # for a server or the load generator, in addition to its connections
TOKENS = 64
TOKEN_SECONDS = 24 * 3600


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


# Keys


def token(secret, subject, now):
    """A JWT (RFC 7519) with HS256."""
    def encoded(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    claims = {"sub": subject, "iat": now, "exp": now + TOKEN_SECONDS}
    parts = [encoded(json.dumps(part, separators=(",", ":")).encode()) for part in ({"alg": "HS256"}, claims)]
    signed = b".".join(parts)
    return (signed + b"." + encoded(hmac.digest(secret, signed, hashlib.sha256))).decode()


def make_keys(directory):
    """Makes a self-signed certificate, a secret and tokens, for this session only."""
    secret = secrets.token_hex(32)
    (directory / "secret").write_text(secret)
    tokens = [token(secret.encode(), f"u{i}", int(time.time())) for i in range(TOKENS)]
    (directory / "tokens").write_text("\n".join(tokens) + "\n")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-keyout", str(directory / "key.pem"), "-out", str(directory / "cert.pem")],
        check=True, capture_output=True)


# Measuring


class Session:
    """The state that all scenarios of one call share."""

    def __init__(self, options, hubs, found_peers, keys):
        self.options, self.hubs, self.peers, self.keys = options, hubs, found_peers, str(keys)
        self.floor_rate = 0.0  # messages per second of the saturated floor

    def servers(self, scenario):
        """The rows of a scenario. The hubs are first: other servers get messages as large as the hubs' events."""
        hubs, others = [], []
        for row in scenario.rows:
            if self.options.rows and row not in self.options.rows:
                continue
            if row in VARIANTS:
                hubs += [self.variant(name, command, row, scenario) for name, command in self.hubs]
            elif row == FLOOR:
                others.append(Server(FLOOR, FLOOR_COMMAND, [], padded=True))
            elif peer := self.peers.get(row):
                failure = "" if peer.command else peer.about
                others.append(Server(row, peer.command, [], padded=True, failure=failure))
        return [*hubs, *others]

    def variant(self, name, command, row, scenario):
        variant = VARIANTS[row]
        command = " ".join([command, *scenario.hub, *variant.hub]).replace("{keys}", self.keys)
        load = [argument.replace("{keys}", self.keys) for argument in variant.load]
        return Server(name + row.removeprefix(HUB), command,
                      ["--server", "gohub", *shlex.split(self.options.hub_load), *load])

    def half_rate(self, known):
        """Half of the saturated floor's message rate. Measures that rate if no scenario has done so yet."""
        if self.floor_rate == 0:
            floor, scenario = Server(FLOOR, FLOOR_COMMAND, [], padded=True), known["saturated"]
            for _ in range(self.options.passes):
                progress("how much the floor takes")
                event_bytes = self.options.event_bytes or report.EVENT_BYTES_USUAL
                floor.results.append(run_once(floor, scenario.load, scenario.kind, event_bytes))
            self.note_floor(scenario, [floor])
        return round(self.floor_rate / 2)

    def note_floor(self, scenario, servers):
        for server in servers:
            if server.name == FLOOR and server.results:
                connections = server.results[0]["connections"]
                self.floor_rate = median_of(server, "deliveries_per_s") / connections

    def measure(self, name, known):
        """Runs all passes of one scenario. Returns its rows, the floor first."""
        scenario = known[name]
        load = [str(self.half_rate(known)) if part == "{half}" else part for part in scenario.load]
        servers = self.servers(scenario)
        cores = os.sched_getaffinity(0)
        try:
            if scenario.one_core:
                os.sched_setaffinity(0, {max(cores)})  # its children inherit it
            self.interleave(scenario, load, servers)
        finally:
            os.sched_setaffinity(0, cores)
            progress("")
        if name == "saturated":
            self.note_floor(scenario, servers)
        if not any(server.results for server in servers):
            raise Failure("; ".join(server.failure for server in servers) or "it has none of these rows")
        return sorted(servers, key=lambda server: server.name != FLOOR)

    def interleave(self, scenario, load, servers):
        event_bytes, passes = self.options.event_bytes, min(self.options.passes, scenario.passes_max)
        for number in range(passes):
            for server in servers:
                if server.failure:
                    continue
                progress(f"pass {number + 1} of {passes}: {server.name}")
                try:
                    result = run_once(server, load, scenario.kind, event_bytes)
                except Failure as failure:
                    # The figures of the other servers are still valid, and take long to measure.
                    server.failure, server.results = f"not measured: {failure}", []
                    continue
                server.results.append(result)
                event_bytes = event_bytes or result.get("bytes_per_delivery", 0)


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
    add("--hub-load", default="", metavar="OPTIONS", help="more load generator options for the hubs")
    add("--scenarios", default=DEFAULT, metavar="A,B,…",
        help=f"of {', '.join(scenarios(0, 0))} (default: %(default)s)")
    add("--rows", default="", metavar="A,B,…",
        help=f"only these rows, of {', '.join([FLOOR, *VARIANTS, *PEERS])} (default: the scenario's)")
    add("--passes", type=int, default=3, help="runs of each server in a scenario (default: %(default)s)")
    add("--idle", type=int, default=10000,
        help="connections of the idle scenario, as far as descriptors permit (default: %(default)s)")
    add("--event-bytes", type=float, default=0,
        help="size of the floor's messages (default: that of the first hub's events)")
    add("--json", metavar="FILE", help="write medians, ratios and every run there")
    add("--report", metavar="FILE", help="write tables and targets into this Markdown file, between its markers")
    options = parser.parse_args(arguments)
    if options.passes < 1:
        parser.error("--passes is at least 1")
    options.rows = options.rows.split(",") if options.rows else []
    unknown = [row for row in options.rows if row not in [FLOOR, *VARIANTS, *PEERS]]
    if unknown:
        parser.error(f"there is no row {', '.join(unknown)}")
    return options


def named(command, number):
    """Parses `name=command`, or a command, which gets the name hub, hub'2, …"""
    match = re.match(r"([A-Za-z0-9._-]+)=(.+)", command, re.DOTALL)
    return match.groups() if match else (HUB if number == 0 else f"{HUB}'{number + 1}", command)


def main(arguments):
    options = parse(arguments)
    sys.stdout.reconfigure(line_buffering=True)  # even if the output is a file
    subprocess.run(["make", "--quiet", "-C", str(HERE)], check=True)
    descriptors = raise_descriptor_limit() - DESCRIPTORS_RESERVED
    known = scenarios(min(options.idle, descriptors), descriptors)
    chosen = options.scenarios.split(",")
    unknown = [name for name in chosen if name not in known]
    if unknown:
        raise Failure(f"there is no scenario {', '.join(unknown)}; there are {', '.join(known)}")
    hubs = [named(command, number) for number, command in enumerate(options.hub)]
    wanted = {row for name in chosen for row in known[name].rows if row in PEERS}
    found = peers.prepare(sorted(row for row in wanted if not options.rows or row in options.rows))
    about = report.machine()
    print(f"{about['cpu']}, {about['cores']} cores, Linux {about['kernel']}, load average {about['load_average']:.2f}")
    print(f"Medians of {options.passes} interleaved passes; only ratios within one table count.")
    for peer in found.values():
        print(f"{peer.name}: {peer.about}")
    measured, failures, judged = {}, {}, []
    with tempfile.TemporaryDirectory(prefix="gohub-bench-keys-") as keys:
        make_keys(pathlib.Path(keys))
        session = Session(options, hubs, found, keys)
        for name in chosen:
            try:
                servers = measured[name] = session.measure(name, known)
            except Failure as failure:
                failures[name] = str(failure)
                print(f"\n{name} failed: {failure}", file=sys.stderr)
                continue
            report.print_table(name, known[name], servers)
            failures |= {f"{name}/{server.name}": server.failure
                         for server in servers if server.failure and server.name not in PEERS}
            if hubs:
                judged += verdicts(name, servers, hubs[0][0])
    report.print_verdicts(judged)
    if options.json:
        report.write_json(options.json, about, options.passes, known, measured, judged)
    if options.report:
        command = hubs[0][1] if hubs else "(none)"
        generated = report.markdown(about, options.passes, command, found.values(), known, measured, judged, failures)
        report.write_markdown(options.report, generated)
    if failures:
        raise Failure(f"no result for {', '.join(failures)}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (Failure, ValueError, OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        sys.exit(f"compare.py: {error}")
    except KeyboardInterrupt:
        sys.exit("compare.py: interrupted")
