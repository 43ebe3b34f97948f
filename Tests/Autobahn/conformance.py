#!/usr/bin/env python3
"""Runs the Autobahn|Testsuite fuzzing client against the echo, plain and over TLS, and prints the verdict.

    python3 Tests/Autobahn/conformance.py --wstest WSTEST --echo ECHO --folder FOLDER [--quick | --cases '7.*,12.1.1']

`Scripts/autobahn.sh` installs the client and calls this. The echo is started for each run, on a port that the system
chooses, and stopped afterwards. The exit status is 0 only if every requested case ran, and every verdict is OK,
NON-STRICT or INFORMATIONAL. UNIMPLEMENTED (a declined compression offer) counts as a failure.

The client runs on Python 2.7, but its pyOpenSSL bundles an OpenSSL with TLS 1.3: no relay is needed.
"""

import argparse
import collections
import concurrent.futures
import contextlib
import json
import pathlib
import re
import selectors
import shutil
import signal
import subprocess
import sys
import time

CATEGORIES = {
    "1": "framing",
    "2": "pings and pongs",
    "3": "reserved bits",
    "4": "opcodes",
    "5": "fragmentation",
    "6": "UTF-8",
    "7": "closing",
    "9": "large messages",
    "10": "fragments of writes",
    "12": "compression",
    "13": "compression, offers",
}
# The number of cases in version 25.10.1. Fewer means that cases silently did not run.
ALL_CASES = 517
# The quick run leaves out the slow cases, except the first case of each kind of compression.
SLOW_CATEGORIES = ["9.*", "12.*", "13.*"]
QUICK_EXTRA = [f"12.{kind}.1" for kind in range(1, 6)] + [f"13.{kind}.1" for kind in range(1, 8)]
QUICK_CASES = 247 + len(QUICK_EXTRA)

AGENT = "echo"
# The echo's arguments.
TRANSPORTS = {"plain": [], "tls": ["tls"]}
PASSED = {"OK": "ok", "NON-STRICT": "non-strict", "INFORMATIONAL": "informational"}
CLOSED_WELL = {"OK", "INFORMATIONAL"}
START_SECONDS = 20
STOP_SECONDS = 10
RUN_SECONDS_MAX = {"quick": 600, "all": 3000}  # a quiet machine needs far less
FAILED_CASES_SHOWN = 40


class Failure(Exception):
    """The run could not be completed. The text says why."""


PROCESSES = set()


def stop(number, _):
    """Kills all child processes. The threads that wait for them end, and the run with them."""
    for process in list(PROCESSES):
        process.terminate()
    sys.exit(f"conformance: stopped by signal {number}")


@contextlib.contextmanager
def running(command, **options):
    """A child process that ends with the block at the latest."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, **options)
    PROCESSES.add(process)
    try:
        yield process
    finally:
        PROCESSES.discard(process)
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def address_of(echo):
    """The URL that the echo prints once it listens."""
    with selectors.DefaultSelector() as selector:
        selector.register(echo.stdout, selectors.EVENT_READ)
        if not selector.select(START_SECONDS):
            raise Failure(f"the echo hasn't started in {START_SECONDS} s")
    line = echo.stdout.readline().strip()
    if not re.fullmatch(r"wss?://127\.0\.0\.1:\d+/", line):
        raise Failure(f"the echo didn't start: it says {line!r}")
    return line


def run_client(wstest, url, patterns, excluded, folder, seconds_max):
    """Runs the client. Returns its verdicts by case, and the number of cases that it announced."""
    folder.mkdir(parents=True)
    specification = folder / "specification.json"
    specification.write_text(
        json.dumps(
            {
                "outdir": str(folder / "report"),
                "servers": [{"agent": AGENT, "url": url}],
                "cases": patterns,
                "exclude-cases": excluded,
                "exclude-agent-cases": {},
            }
        )
    )
    log = folder / "client.log"
    command = [wstest, "--mode", "fuzzingclient", "--spec", str(specification)]
    with log.open("w") as output, running(command, stdout=output, stderr=subprocess.STDOUT) as client:
        try:
            status = client.wait(seconds_max)
        except subprocess.TimeoutExpired:
            status = None
    text = log.read_text(errors="replace")
    try:
        results = json.loads((folder / "report" / "index.json").read_text())[AGENT]
    except (OSError, ValueError, KeyError):
        # The client writes its report only when it ends.
        begun = re.findall(r"Running test case ID (\S+)", text)
        how = f"was stopped after {seconds_max} s" if status is None else f"ended with status {status}"
        at = f"in case {begun[-1]}" if begun else "before its first case"
        raise Failure(f"the client {how}, {at}; see {log}") from None
    announced = re.search(r"will run (\d+) test cases", text)
    return results, int(announced[1]) if announced else 0


def verdict_of(result):
    """`ok`, `non-strict`, `informational`, `unimplemented` or `failed`."""
    if result["behavior"] == "UNIMPLEMENTED":
        return "unimplemented"
    if result["behaviorClose"] not in CLOSED_WELL:
        return "failed"
    return PASSED.get(result["behavior"], "failed")


def by_number(case):
    return [int(part) for part in case.split(".")]


def explain(case, result, report):
    """One line about a case that did not pass."""
    with contextlib.suppress(OSError, ValueError):
        result = {**result, **json.loads((report / result["reportfile"]).read_text())}
    texts = " / ".join(result[key] for key in ("result", "resultClose") if result.get(key))
    outcome = f"{result['behavior']}, closing {result['behaviorClose']}, code {result.get('remoteCloseCode')}"
    return f"  {case:<9} {outcome}: {' '.join(texts.split())[:200]}"


def report(name, results, expected, folder, seconds):
    """Prints a run's verdict. Returns whether it passed."""
    categories = {}
    for case in sorted(results, key=by_number):
        number = case.split(".")[0]
        categories.setdefault(number, collections.Counter())[verdict_of(results[case])] += 1
    for number, verdicts in categories.items():
        counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
        print(f"  {number:>3} {CATEGORIES.get(number, ''):<22} {sum(verdicts.values()):>4}  {counts}")
    total = sum(categories.values(), collections.Counter())
    failed = [case for case in sorted(results, key=by_number) if verdict_of(results[case]) not in PASSED.values()]
    for case in failed[:FAILED_CASES_SHOWN]:
        print(explain(case, results[case], folder / "report"))
    if failed:
        print(f"  failed or unimplemented: {' '.join(failed)}")
    missing = expected - len(results)
    counts = ", ".join(
        f"{total[verdict]} {verdict}" for verdict in ("ok", "non-strict", "informational", "unimplemented", "failed")
    )
    print(f"autobahn {name}: {len(results)} cases: {counts}, {missing} not run; {seconds:.0f} s", flush=True)
    return not failed and missing == 0


def run_transport(options, transport, runs, seconds_max):
    """Runs the suite against an echo of its own. Returns the verdicts, the number of announced cases, and the time."""
    # With zlib's smallest window, the echo can accept every offer that the suite makes.
    command = [options.echo, "127.0.0.1:0", "deflate", "small-window", *TRANSPORTS[transport]]
    started = time.monotonic()
    results, announced = {}, 0
    with running(command, stdout=subprocess.PIPE, text=True) as echo:
        url = address_of(echo)
        print(f"autobahn {transport}: {url}", flush=True)
        for index, (patterns, excluded) in enumerate(runs):
            folder = options.folder / transport / str(index)
            left = max(seconds_max - (time.monotonic() - started), 1)
            part, count = run_client(options.wstest, url, patterns, excluded, folder, left)
            results.update(part)
            announced += count
        if echo.poll() is not None:
            raise Failure(f"the echo ended with status {echo.returncode}")
    return results, announced, time.monotonic() - started


def main():
    parser = argparse.ArgumentParser(description="Runs the Autobahn|Testsuite against the echo.")
    parser.add_argument("--wstest", required=True, help="the client's command")
    parser.add_argument("--echo", required=True, help="the autobahn-echo program")
    parser.add_argument("--folder", required=True, type=pathlib.Path, help="for reports; emptied first")
    parser.add_argument("--quick", action="store_true", help="leave out most of 9.*, 12.* and 13.*")
    parser.add_argument("--cases", help="such as '7.*,12.1.1', instead of all")
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)

    if options.cases:
        runs, expected = [(options.cases.split(","), [])], None
    elif options.quick:
        # An excluded case cannot be requested in the same run.
        runs, expected = [(["*"], SLOW_CATEGORIES), (QUICK_EXTRA, [])], QUICK_CASES
    else:
        runs, expected = [(["*"], [])], ALL_CASES
    seconds_max = RUN_SECONDS_MAX["quick" if options.quick else "all"]

    def run(transport):
        return run_transport(options, transport, runs, seconds_max)

    shutil.rmtree(options.folder, ignore_errors=True)
    # Runs in parallel: a client and its echo take turns, so one pair leaves half of the machine idle.
    with concurrent.futures.ThreadPoolExecutor() as executor:
        futures = [(transport, executor.submit(run, transport)) for transport in TRANSPORTS]
        has_passed = True
        for transport, future in futures:
            try:
                results, announced, seconds = future.result()
            except Failure as failure:
                print(f"autobahn {transport}: {failure}", flush=True)
                has_passed = False
            else:
                has_passed &= report(transport, results, expected or announced, options.folder / transport, seconds)
    sys.exit(0 if has_passed else 1)


if __name__ == "__main__":
    main()
