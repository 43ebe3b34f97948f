#!/usr/bin/env python3
"""Counts the instructions of the hub's operations, and fails if one takes more than its recorded count allows.

    python3 instructions.py [--update] [--cases A,B,…]

The program gohub-instructions repeats one kind of operation under callgrind, which counts instructions. The figure is
the difference between two runs with different numbers of repetitions, so the program's start cancels out. It includes
neither the kernel nor time: unlike compare.py it needs no quiet machine, and says nothing about the cost of system
calls."""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
PROGRAM = ROOT / ".build" / "release" / "gohub-instructions"
STRIPPED = ROOT / ".build-bench" / "gohub-instructions"
NOTED = HERE / "instructions.json"
RUN_SECONDS_MAX = 600
TIMES = (200, 1800)
TIMES_OF = {"message-1000": (20, 80), "wire-100": (100, 300)}  # fewer repetitions of large operations
GROWTH_MAX = 0.05  # of a new case; recorded values can be edited by hand


class Failure(Exception):
    """The reason why nothing was measured."""


def output_of(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS_MAX, **more)
    if done.returncode != 0:
        raise Failure(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def prepare():
    """Copies the program without its debug information, which valgrind 3.19 can't read."""
    if not PROGRAM.exists():
        raise Failure(f"{PROGRAM.relative_to(ROOT)} isn't built: make bench-instructions")
    STRIPPED.parent.mkdir(exist_ok=True)
    output_of("strip", "-g", "-o", str(STRIPPED), str(PROGRAM))


def count(case, times):
    # With random hashing, a dictionary's cost would differ in each run.
    environment = {**os.environ, "SWIFT_DETERMINISTIC_HASHING": "1"}
    said = output_of("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", str(STRIPPED), case, str(times),
                     env=environment)
    collected = re.search(r"Collected : (\d+)", said)
    if not collected:
        raise Failure(f"callgrind told no count for {case}:\n{said}")
    return int(collected.group(1))


def measure(case):
    few, many = TIMES_OF.get(case, TIMES)
    return round((count(case, many) - count(case, few)) / (many - few))


def environment():
    swift = re.search(r"Swift version \S+", output_of("swift", "--version"))
    return {"compiler": swift.group(0) if swift else "unknown", "machine": os.uname().machine}


def compare(cases, noted, known):
    """Prints the table. Returns the cases that take too many instructions."""
    grown = []
    print(f"{'case':16}{'instructions':>14}{'noted':>14}{'change':>9}{'allowed':>9}")
    for case, figure in cases.items():
        before = noted.get(case)
        if before is None:
            print(f"{case:16}{figure:>14,}{'–':>14}{'new':>9}{'–':>9}", flush=True)
            continue
        change, allowed = figure / before["instructions"] - 1, before["growth_max"]
        verdict = ""
        if change > allowed and known:
            grown.append(case)
            verdict = "  too many"
        print(f"{case:16}{figure:>14,}{before['instructions']:>14,}{change:>+9.1%}{allowed:>9.0%}{verdict}", flush=True)
    return grown


def updated(cases, noted):
    return {**noted, **{
        case: {"instructions": figure, "growth_max": noted.get(case, {}).get("growth_max", GROWTH_MAX)}
        for case, figure in cases.items()
    }}


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help="note the figures of this run")
    parser.add_argument("--cases", default="", metavar="A,B,…", help="only these")
    options = parser.parse_args(arguments)
    prepare()
    known_cases = output_of(str(STRIPPED), "--list").split()
    chosen = options.cases.split(",") if options.cases else known_cases
    unknown = [case for case in chosen if case not in known_cases]
    if unknown:
        raise Failure(f"there is no case {', '.join(unknown)}; there are {', '.join(known_cases)}")
    file = json.loads(NOTED.read_text()) if NOTED.exists() else {"environment": {}, "cases": {}}
    here = environment()
    # Another compiler generates other code. Then the table is informative only, and growth isn't a regression.
    known = file["environment"] == here
    if not known and file["cases"] and not options.update:
        told = ", ".join(file["environment"].values())
        print(f"The noted figures are of {told}; here it is {', '.join(here.values())}. So nothing is compared"
              " strictly: note this compiler's with --update.")
    cases = {case: measure(case) for case in chosen}
    grown = compare(cases, file["cases"], known and not options.update)
    if options.update:
        kept = {case: noted for case, noted in file["cases"].items() if case in known_cases and known}
        NOTED.write_text(json.dumps({"environment": here, "cases": updated(cases, kept)}, indent=2) + "\n")
        print(f"Noted in {NOTED.relative_to(ROOT)}.")
    elif set(cases) - set(file["cases"]):
        raise Failure("a case has no noted figure yet: run with --update")
    if grown:
        raise Failure(f"{', '.join(grown)} takes more instructions than allowed."
                      " If the growth is worth it, note the new figures with --update, and say why in the commit.")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (Failure, OSError, ValueError, subprocess.SubprocessError) as error:
        sys.exit(f"instructions.py: {error}")
