"""Tables for the terminal, for Markdown, and for JSON."""

import datetime
import json
import os
import pathlib
import platform
import re

from scenarios import COLUMNS, FLOOR, HUB, STALLED, STALLED_QUEUE_BYTES
from statistics import median
from targets import figure, median_of

NOISE = 0.15  # part of the floor's median: with a wider spread between its runs, the ratios are doubtful
BEGIN, END = "<!-- make bench: begin -->", "<!-- make bench: end -->"
MILLION = 1_000_000
EVENT_BYTES_USUAL = 271  # of the hub; used if no hub has run before the floor


def machine():
    info = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*:\s*(.*)", info)
    return {
        "cpu": model.group(1) if model else platform.machine(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "load_average": os.getloadavg()[0],
        "date": datetime.date.today().isoformat(),
    }


def rows_of(scenario, servers):
    """The table of one scenario: a list of rows of texts, titles first. Ratios are relative to the first server."""
    columns = COLUMNS[scenario.kind]
    first = columns[0]
    measured = [server for server in servers if server.results]
    base = median_of(measured[0], first.figure)
    titles = ["", first.title, f"× {measured[0].name}", "min–max", *(column.title for column in columns[1:])]
    rows = [titles]
    for server in measured:
        values = [figure(result, first.figure) / first.divisor for result in server.results]
        row = [server.name, first.form.format(median(values))]
        row.append(f"{median(values) * first.divisor / base:.2f}" if base > 0 else "–")
        row.append(f"{first.form.format(min(values))}–{first.form.format(max(values))}")
        row += [column.form.format(median_of(server, column.figure) / column.divisor) for column in columns[1:]]
        rows.append(row)
    return rows


def notes_of(name, scenario, servers):
    """Remarks on a table, one sentence each."""
    by_name = {server.name: server for server in servers if server.results}
    floor = by_name.get(FLOOR)
    if floor:
        values = [figure(result, COLUMNS[scenario.kind][0].figure) for result in floor.results]
        spread = (max(values) - min(values)) / median(values) if median(values) > 0 else 0
        if spread > NOISE:
            yield f"The floor varied by {spread:.0%}: the machine wasn't quiet."
    yield from (f"{server.name}: {server.failure}" for server in servers if server.failure)
    if name == "connect" and HUB in by_name and "hub-token" in by_name:
        without, token = (median_of(by_name[row], "cpu_us_per_handshake") for row in (HUB, "hub-token"))
        yield (f"Verifying an HS256 token takes {token - without:.1f} µs, {(token - without) / token:.0%} of a"
               " handshake with one.")
    if name == "stalled" and "hub-stalled" in by_name:
        growth = median_of(by_name["hub-stalled"], "heap_growth_bytes") / 1024
        yield (f"{STALLED} clients stalled, each with a queue of at most {STALLED_QUEUE_BYTES // 1024} KB: the server"
               f" grew by {growth:,.0f} KB, of the {STALLED * STALLED_QUEUE_BYTES // 1024:,} KB that they may hold."
               " A message that waits for many is held once.")
    if scenario.kind == "memory":
        for row, server in by_name.items():
            if row == FLOOR:
                continue
            user, kernel = (median_of(server, f"{part}_bytes_per_connection") for part in ("private", "kernel"))
            yield (f"A million connections like those of {row}: {user * MILLION / 1e9:.1f} GB in the process, and"
                   f" {kernel * MILLION / 1e9:.1f} GB in the kernel for its end of them.")


def print_table(name, scenario, servers):
    rows = rows_of(scenario, servers)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    print(f"\n{name}")
    for row in rows:
        cells = [cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths))]
        print("  " + "  ".join(cells))
    for note in notes_of(name, scenario, servers):
        print(f"  {note}")


def print_verdicts(verdicts):
    if not verdicts:
        return
    rows = [verdict.texts for verdict in verdicts]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    print("\nTargets")
    for row in rows:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    met = sum(verdict.met is True for verdict in verdicts)
    print(f"  {met} of {len(verdicts)} met")


def summary(scenario, servers):
    """One scenario for the JSON report: medians, the ratio of the first column, and every run."""
    measured = [server for server in servers if server.results]
    key = COLUMNS[scenario.kind][0].figure
    base = median_of(measured[0], key)
    return {
        server.name: {
            "median": {column.figure: median_of(server, column.figure) for column in COLUMNS[scenario.kind]},
            f"ratio_to_{measured[0].name}": {key: median_of(server, key) / base if base > 0 else None},
            "runs": server.results,
        }
        for server in measured
    }


def write_json(path, about, passes, scenarios, measured, verdicts):
    whole = {
        "machine": about,
        "passes": passes,
        "scenarios": {name: summary(scenarios[name], servers) for name, servers in measured.items()},
        "not_measured": {f"{name}/{server.name}": server.failure
                         for name, servers in measured.items() for server in servers if server.failure},
        "targets": [dict(zip(("scenario", "title", "value", "bound", "verdict"), verdict.texts), ratio=verdict.value)
                    for verdict in verdicts],
    }
    pathlib.Path(path).write_text(json.dumps(whole, indent=2) + "\n")


# Markdown


def markdown_table(rows):
    lines = ["| " + " | ".join(rows[0]) + " |", "|---|" + "--:|" * (len(rows[0]) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows[1:]]
    return lines


def markdown(about, passes, command, peers, scenarios, measured, verdicts, failures):
    """The generated part of the report. `measured` has the servers of each scenario."""
    lines = [f"{about['date']}: {about['cpu']}, {about['cores']} cores, Linux {about['kernel']}, load average"
             f" {about['load_average']:.2f} at the start. Medians of {passes} interleaved passes.", ""]
    lines += ["The hub:", "", "```", command, "```", ""]
    lines += [f"- {peer.name}: {peer.about}" for peer in peers] + [""]
    lines += ["## Targets", "", "| scenario | what | value | target | |", "|---|---|--:|--:|---|"]
    for verdict in verdicts:
        cells = verdict.texts
        lines.append("| " + " | ".join([*cells[:4], f"**{cells[4]}**" if verdict.met is False else cells[4]]) + " |")
    lines += ["", "## Figures", ""]
    for name, servers in measured.items():
        load = " ".join(scenarios[name].load)
        lines += [f"### {name}", "", f"`loadgen {load}`", "", *markdown_table(rows_of(scenarios[name], servers)), ""]
        lines += [f"- {note.splitlines()[0]}" for note in notes_of(name, scenarios[name], servers)]
        if lines[-1]:
            lines.append("")
    lines += [f"### {name}\n\nNot measured: {reason.splitlines()[0]}\n" for name, reason in failures.items()]
    return "\n".join(lines).rstrip() + "\n"


def write_markdown(path, generated):
    """Replaces the text between the markers, and leaves the rest of the file unchanged."""
    path = pathlib.Path(path)
    text = path.read_text() if path.exists() else f"# Performance\n\n{BEGIN}\n{END}\n"
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ValueError(f"{path} must have one line {BEGIN} and, after it, one line {END}")
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    path.write_text(f"{head}{BEGIN}\n\n{generated}\n{END}{tail}")
