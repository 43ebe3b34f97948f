"""The web client in a real browser, against hubs that this starts on free loopback ports.

    python3 Tests/Browser/run.py .build/debug/gohubd [suite …]

Needs Chromium, and `python3 -m pip install playwright axe-playwright-python`; Scripts/browser-test.sh sees to that.
"""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

import test_access
import test_chat
import test_connection
import test_files
import test_history
import test_attachments
import test_start
from harness import WAIT_MS, WEB, World

SUITES = [
    test_start.suite, test_chat.suite, test_connection.suite, test_files.suite, test_attachments.suite, test_history.suite, test_access.suite,
]


def main():
    if len(sys.argv) < 2 or not os.access(sys.argv[1], os.X_OK):
        sys.exit("usage: run.py GOHUBD [SUITE …]")
    wanted = [suite for suite in SUITES if not sys.argv[2:] or suite.name in sys.argv[2:]]
    # SIGTERM ends this process in order, so that everything that it started ends too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    expect.set_options(timeout=WAIT_MS)
    passed = failed = 0
    with tempfile.TemporaryDirectory() as directory, sync_playwright() as playwright:
        # Chromium does not treat a page from intercepted requests as local, and only local pages may connect to this
        # machine.
        arguments = ["--no-sandbox"] + (["--disable-features=LocalNetworkAccessChecks"] if WEB else [])
        browser = playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=arguments)
        world = World(browser, os.path.abspath(sys.argv[1]), directory)
        try:
            for suite in wanted:
                ok, bad = suite.run(world)
                passed += ok
                failed += bad
            if "sdk" in sys.argv[2:] or not sys.argv[2:]:
                sdk = subprocess.run([sys.executable, Path(__file__).parent / "test_sdk.py", world.hub.url], check=False)
                passed += sdk.returncode == 0
                failed += sdk.returncode != 0
        finally:
            world.end()
            world.close()
            browser.close()
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
