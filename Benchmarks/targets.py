"""The hub's targets, each a ratio within one run or a bound, and whether they are met."""

from dataclasses import dataclass

from scenarios import FLOOR, HUB, STALLED, STALLED_QUEUE_BYTES
from statistics import median

CPU = "server_cpu_us_per_delivery"
RATE = "deliveries_per_s"
P99 = "latency_us.p99"


@dataclass(frozen=True)
class Target:
    scenario: str
    title: str
    row: str
    figure: str
    limit: float
    over: str = ""  # the row to divide by; if empty, the figure itself is compared
    at_least: bool = False
    scale: float = 1  # the divisor of a figure without `over`
    unit: str = ""


def cpu(scenario, limit):
    return Target(scenario, "CPU per delivery / floor", HUB, CPU, limit, over=FLOOR)


def loops(scenario):
    return Target(scenario, "CPU per delivery, two loops / one", "hub-2", CPU, 1.15, over=HUB)


PACED = ["unbatched", "steady", "wide"]
SATURATED = ["saturated", "small"]
TARGETS = [
    *(cpu(scenario, 1.05) for scenario in PACED),
    *(cpu(scenario, 1.10) for scenario in SATURATED),
    *(Target(scenario, "deliveries/s / uWebSockets", HUB, RATE, 1, over="socketify", at_least=True)
      for scenario in SATURATED),
    Target("unbatched", "CPU per delivery, TLS / plain", "hub-tls", CPU, 1.5, over=HUB),
    *(loops(scenario) for scenario in [*PACED, *SATURATED]),
    Target("half", "p99 latency / floor, at half of the floor's saturated rate", HUB, P99, 2, over=FLOOR),
    Target("paced", "CPU per round trip / floor", HUB, CPU, 1.5, over=FLOOR),
    Target("connect", "CPU per handshake with a token / floor", "hub-token", "cpu_us_per_handshake", 3, over=FLOOR),
    Target("stalled", "p99 of the healthy, with stalled / without", "hub-stalled", P99, 1.2, over=HUB),
    Target("stalled", "share of the stalled that were dropped", "hub-stalled", "stalled_dropped", 1, scale=STALLED,
           at_least=True),
    Target("stalled", "memory growth / (stalled × queue limit)", "hub-stalled", "heap_growth_bytes", 1,
           scale=STALLED * STALLED_QUEUE_BYTES),
    *(Target(scenario, f"user memory per {kind} connection", row, "private_bytes_per_connection", limit, scale=1024,
             unit=" KB")
      for scenario, kind, row, limit in [("idle", "plain", HUB, 2), ("idle", "TLS", "hub-tls", 16),
                                         ("idle-max", "plain", HUB, 2)]),
]


@dataclass(frozen=True)
class Verdict:
    target: Target
    value: float | None  # None if a row wasn't measured
    missing: str = ""

    @property
    def met(self):
        if self.value is None:
            return None
        return self.value >= self.target.limit if self.target.at_least else self.value <= self.target.limit

    @property
    def texts(self):
        """The texts of the table: scenario, title, value, bound, verdict."""
        target = self.target
        sign = "≥" if target.at_least else "≤"
        value = "–" if self.value is None else f"{self.value:.2f}{target.unit}"
        word = {True: "met", False: "NOT MET", None: f"not measured: no {self.missing}"}[self.met]
        return [target.scenario, target.title, value, f"{sign} {target.limit:.2f}{target.unit}", word]


def figure(result, name):
    for part in name.split("."):
        result = result[part]
    return result


def median_of(server, name):
    return median(figure(result, name) for result in server.results)


def verdicts(scenario, servers, hub):
    """Judges the targets of one scenario by its rows. `hub` is the name of the judged hub."""
    measured = {server.name: server for server in servers if server.results}

    def named(row):
        return hub + row.removeprefix(HUB) if row.startswith(HUB) else row

    for target in TARGETS:
        if target.scenario != scenario:
            continue
        missing = [row for row in (target.row, target.over) if row and named(row) not in measured]
        if missing:
            yield Verdict(target, None, ", ".join(missing))
            continue
        value = median_of(measured[named(target.row)], target.figure)
        base = median_of(measured[named(target.over)], target.figure) if target.over else target.scale
        yield Verdict(target, value / base) if base > 0 else Verdict(target, None, f"figure of {target.over}")
