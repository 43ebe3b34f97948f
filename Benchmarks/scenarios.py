"""The scenarios: the load, the servers, and the figures of a run in the table. README.md has the purpose of each."""

import os
from dataclasses import dataclass, field

# The rows of a table. `hub` is one event loop, because the floor and uWebSockets have one thread too. The others
# differ from it by the arguments in VARIANTS, for the hub and for the load generator.
FLOOR = "floor"
HUB = "hub"
PEERS = ["gorilla", "socketify"]


@dataclass(frozen=True)
class Variant:
    hub: list[str] = field(default_factory=list)
    load: list[str] = field(default_factory=list)


ONE_LOOP = ["--set", "loops=1"]
STALLED = 100
STALLED_QUEUE_BYTES = 256 * 1024  # less than the default, so that queues fill within a short run
STALLED_LIMITS = [f"queueBytesMax={STALLED_QUEUE_BYTES}", "queueWatermarkBytes=65536", "pageBytesMax=16384"]

VARIANTS = {
    HUB: Variant(ONE_LOOP),
    "hub-2": Variant(["--set", "loops=2"]),
    "hub-default": Variant(),
    "hub-tls": Variant([*ONE_LOOP, "--set", "tls.certificate={keys}/cert.pem", "--set", "tls.key={keys}/key.pem"],
                       ["--tls"]),
    "hub-token": Variant([*ONE_LOOP, "--set", "auth.secretFile={keys}/secret"],
                         ["--token-file", "{keys}/tokens", "--bearer"]),
    "hub-stalled": Variant(ONE_LOOP, ["--stalled", str(STALLED)]),
}


@dataclass(frozen=True)
class Scenario:
    """A load on servers."""

    load: list[str]  # arguments of the load generator; {half} is half of the floor's saturated rate
    rows: list[str]
    kind: str = "deliveries"  # a key of COLUMNS
    hub: list[str] = field(default_factory=list)  # more arguments for every hub
    one_core: bool = False  # server and load generator share a core, so no wake-up of another is measured
    passes_max: int = 1000  # fewer passes are enough if the figures don't vary


# All members of a room receive the names of new members, a hundred at a time. These deliveries aren't counted. So they
# are sent faster than by default, and the first message waits until they are done.
QUIET = ["--quiet", "0.3"]
PRESENCE = ["--set", "limits.presenceDelayMs=50"]


def broadcast(connections, *how, seconds=5, rows=(), hub=(), **more):
    load = ["--conns", str(connections), "--publishers", "4", *how, "--secs", str(seconds), *QUIET]
    return Scenario(load, list(rows), hub=[*PRESENCE, *hub], **more)


def scenarios(idle, idle_max):
    # The default: a loop for each core. On two cores this equals the previous row.
    default = [] if len(os.sched_getaffinity(0)) == 2 else ["hub-default"]
    paced = [HUB, FLOOR, "hub-2", *default, "hub-tls", "gorilla"]
    saturated = [*paced, "socketify"]
    queue = [part for setting in STALLED_LIMITS for part in ("--set", f"limits.{setting}")]
    return {
        "unbatched": broadcast(1000, "--rate", "20", rows=paced),
        "steady": broadcast(1000, "--rate", "100", seconds=4, rows=paced),
        "wide": broadcast(5000, "--rate", "20", seconds=4, rows=paced),
        "saturated": broadcast(1000, "--window", "8", rows=saturated),
        "small": broadcast(50, "--window", "8", seconds=4, rows=saturated),
        "half": broadcast(1000, "--rate", "{half}", rows=[HUB, FLOOR, "hub-2", *default], kind="latency"),
        "paced": Scenario(["--mode", "echo", "--window", "1", "--rate", "2000", "--secs", "4"],
                          [HUB, FLOOR, "gorilla"], one_core=True),
        "brisk": Scenario(["--mode", "echo", "--window", "1", "--rate", "20000", "--secs", "4"],
                          [HUB, FLOOR], one_core=True),
        "echo": Scenario(["--mode", "echo", "--window", "1", "--secs", "3"], [HUB, FLOOR, "gorilla"], one_core=True),
        "connect": Scenario(["--mode", "connect", "--secs", "4"], [HUB, FLOOR, "hub-token", "hub-tls"],
                            kind="handshakes"),
        "login": Scenario(["--mode", "connect", "--until", "joined", "--secs", "4"], [HUB, FLOOR, "hub-token"],
                          kind="handshakes"),
        "stalled": broadcast(1000, "--rate", "50", "--size", "2000", rows=[HUB, "hub-stalled"], kind="stalled",
                             hub=queue),
        "idle": Scenario(["--mode", "idle", "--conns", str(idle), "--secs", "2"], [HUB, FLOOR, "hub-tls"],
                         kind="memory", passes_max=3),
        "idle-max": Scenario(["--mode", "idle", "--conns", str(idle_max), "--secs", "2", "--sources", "8"],
                             [HUB, FLOOR], kind="memory", passes_max=1),
    }


DEFAULT = "unbatched,steady,wide,saturated,small,half,paced,brisk,connect,stalled,idle,idle-max"


@dataclass(frozen=True)
class Column:
    title: str
    figure: str  # a path in the load generator's report
    form: str
    divisor: float = 1


# By kind. The ratio to the first row is that of the first column.
CPU = Column("CPU µs/delivery", "server_cpu_us_per_delivery", "{:.3f}")
RATE = Column("deliveries/s", "deliveries_per_s", "{:,.0f}")
BYTES = Column("bytes", "bytes_per_delivery", "{:.1f}")
P50, P90, P99, MAX = (Column(f"{name} µs", f"latency_us.{name}", "{:,.0f}") for name in ("p50", "p90", "p99", "max"))
COLUMNS = {
    "deliveries": [CPU, RATE, P50, P90, P99, MAX, BYTES],
    "latency": [P99, P50, P90, MAX, RATE, CPU, BYTES],
    "stalled": [
        P99, P50, MAX, RATE, CPU,
        Column("stalled", "stalled", "{:,.0f}"),
        Column("dropped", "stalled_dropped", "{:,.0f}"),
        Column("growth KB", "heap_growth_bytes", "{:,.0f}", 1024),
    ],
    "memory": [
        Column("private B/conn", "private_bytes_per_connection", "{:,.0f}"),
        Column("anonymous B/conn", "anonymous_bytes_per_connection", "{:,.0f}"),
        Column("RSS B/conn", "rss_bytes_per_connection", "{:,.0f}"),
        Column("RSS MB", "rss_bytes", "{:,.1f}", 1 << 20),
        Column("kernel B/conn", "kernel_bytes_per_connection", "{:,.0f}"),
        Column("conns", "connections", "{:,.0f}"),
    ],
    "handshakes": [
        Column("CPU µs/handshake", "cpu_us_per_handshake", "{:.2f}"),
        Column("handshakes/s", "handshakes_per_s", "{:,.0f}"),
        P50, P99,
    ],
}
