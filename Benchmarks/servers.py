"""Starts a server on a free loopback port, loads it, and stops it."""

import json
import os
import pathlib
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field

HERE = pathlib.Path(__file__).resolve().parent
LOADGEN = HERE / "bin" / "loadgen"
FLOOR_COMMAND = f"{HERE / 'bin' / 'floor'} {{port}}"

PORTS = range(20000, 32000)  # below the ephemeral ports, which the load generator's own sockets use
START_SECONDS = 15
STOP_SECONDS = 10
RUN_SECONDS_MAX = 240
LOG_LINES = 20
PAYLOAD_BYTES = 128  # the load generator's default
FRAME_HEADER_BYTES = 4  # for payloads of 126 bytes and more
RATE_KEPT = 0.98  # part of the requested rate; below it the run is invalid


class Failure(Exception):
    """A run without a result. The text is the reason."""


@dataclass
class Server:
    """A row of a table: a command with {port} and {dir}, arguments of the load generator, and the results."""

    name: str
    command: str
    load: list[str]
    padded: bool = False  # its messages get the size of the hub's events
    results: list[dict] = field(default_factory=list)
    failure: str = ""


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


def run_once(server, load, kind, event_bytes):
    """Starts the server, loads it and stops it. Returns the load generator's report."""
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
            time.sleep(0.3)  # so that the server closes the probe's connection before the measurement
            arguments = [str(LOADGEN), "--port", str(port), "--pid", str(process.pid), *load, *server.load]
            size = int(load[load.index("--size") + 1]) if "--size" in load else PAYLOAD_BYTES
            pad = round(event_bytes) - size - FRAME_HEADER_BYTES if server.padded and event_bytes else 0
            arguments += ["--pad", str(pad)] if pad > 0 else []
            done = subprocess.run(arguments, capture_output=True, text=True, timeout=RUN_SECONDS_MAX)
            if done.returncode != 0:
                raise Failure(f"{server.name}: {done.stderr.strip()}\nThe server's log ends with:\n{last_lines(log)}")
            result = derived(json.loads(done.stdout))
            check(server, load, kind, result, done.stderr.strip(), log)
            return result
        finally:
            stop(process)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def derived(result):
    """Adds the figures that are computed from others."""
    if "heap_bytes_peak" in result:
        result["heap_growth_bytes"] = result["heap_bytes_peak"] - result["heap_bytes_before"]
    # Both ends of each connection are on this machine and use the same memory: half of the kernel's is the server's.
    kernel = result["kernel_slab_bytes_per_connection"] + result["kernel_socket_bytes_per_connection"]
    result["kernel_bytes_per_connection"] = kernel / 2
    return result


def check(server, load, kind, result, remarks, log):
    """Fails unless every message arrived once and in order."""
    wrong = []
    if result["mode"] == "broadcast":
        if result["deliveries"] == 0:
            wrong.append("nothing was delivered")
        if result["lost"] != 0:
            wrong.append(f"{result['lost']} of {result['expected']} deliveries were lost")
        elif result["out_of_order"]:
            wrong.append(f"{result['out_of_order']} deliveries were out of order")
        if result["server"] == "gohub" and result["acks"] != result["published"]:
            wrong.append(f"{result['published']} messages were sent and {result['acks']} acknowledged")
        if "--rate" in load:
            rate, asked = result["published_per_s"], float(load[load.index("--rate") + 1])
            if rate < RATE_KEPT * asked:
                wrong.append(f"{rate:,.0f} messages/s were sent, not the {asked:,.0f} that the scenario asks for")
    if kind == "handshakes":
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
