#!/usr/bin/env bash
# Tests the web client in a real browser, against hubs that the tests start on free loopback ports and stop.
#
#     Scripts/browser-test.sh .build/debug/gohubd [SUITE …]
set -euo pipefail

playwright_version=1.65.2
# Includes axe-core, which checks accessibility.
axe_version=0.1.8
print_chromium='
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright: print(playwright.chromium.executable_path)'

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.build-browser

fail() {
    echo "browser-test: $*" >&2
    exit 1
}

# Playwright in a separate virtual environment, installed once for each version, and Debian's Chromium. Ubuntu has
# Chromium only as a snap, so there Playwright downloads its own.
prepare() {
    local stamp=$venv/playwright-$playwright_version-axe-$axe_version
    if [[ ! -e $stamp ]]; then
        echo "browser-test: installing playwright $playwright_version and axe into ${venv#"$root"/}"
        rm -rf "$venv"
        /usr/bin/python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check \
            "playwright==$playwright_version" "axe-playwright-python==$axe_version"
        [[ -x /usr/bin/chromium ]] || "$venv/bin/playwright" install --with-deps chromium
        touch "$stamp"
    fi
    export CHROMIUM=/usr/bin/chromium
    [[ -x $CHROMIUM ]] || CHROMIUM=$("$venv/bin/python" -c "$print_chromium")
}

(($# >= 1)) || fail "usage: Scripts/browser-test.sh GOHUBD [SUITE …]"
[[ -x $1 ]] || fail "$1 does not exist; build it first"
prepare
exec "$venv/bin/python" "$root/Tests/Browser/run.py" "$@"
