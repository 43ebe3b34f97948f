#!/usr/bin/env bash
# Tests the web client in a real browser, against a hub that this script starts on a free loopback port and stops.
#
#     Scripts/browser-test.sh .build/debug/gohubd
set -euo pipefail

playwright_version=1.65.2
start_seconds=20
stop_seconds=10
print_chromium='
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright: print(playwright.chromium.executable_path)'

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.build-browser
hub_pid=
log=

fail() {
    echo "browser-test: $*" >&2
    exit 1
}

# Playwright in a virtual environment of its own, installed once for each version, and Debian's Chromium. Ubuntu has
# Chromium only as a snap, so there Playwright brings its own.
prepare() {
    local stamp=$venv/playwright-$playwright_version
    if [[ ! -e $stamp ]]; then
        echo "browser-test: installing playwright $playwright_version into ${venv#"$root"/}"
        rm -rf "$venv"
        /usr/bin/python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check "playwright==$playwright_version"
        [[ -x /usr/bin/chromium ]] || "$venv/bin/playwright" install --with-deps chromium
        touch "$stamp"
    fi
    export CHROMIUM=/usr/bin/chromium
    [[ -x $CHROMIUM ]] || CHROMIUM=$("$venv/bin/python" -c "$print_chromium")
}

# Starts the hub on a port that the system chooses, and sets `port` to what its log tells.
start_hub() {
    log=$(mktemp)
    "$1" serve --listen 127.0.0.1:0 --store memory --set log.format=json 2>"$log" &
    hub_pid=$!
    port=
    local deadline=$((SECONDS + start_seconds))
    while ((SECONDS < deadline)); do
        kill -0 "$hub_pid" 2>/dev/null || fail_with_log "the hub ended at its start"
        if [[ $(grep '"message":"started"' "$log") =~ \"listen\":\"127\.0\.0\.1:([0-9]+)\" ]]; then
            port=${BASH_REMATCH[1]}
            return
        fi
        sleep 0.1
    done
    fail_with_log "the hub hasn't started in $start_seconds s"
}

fail_with_log() {
    echo "browser-test: the hub's log ends with:" >&2
    tail -n 20 "$log" >&2
    fail "$1"
}

# Stops the hub, by the id of its process: no other is ours.
stop_hub() {
    if [[ -n $hub_pid ]] && kill -TERM "$hub_pid" 2>/dev/null; then
        local deadline=$((SECONDS + stop_seconds))
        while ((SECONDS < deadline)) && kill -0 "$hub_pid" 2>/dev/null; do sleep 0.1; done
        if kill -KILL "$hub_pid" 2>/dev/null; then echo "browser-test: the hub had to be killed" >&2; fi
    fi
    if [[ -n $log ]]; then rm -f "$log"; fi
}

(($# == 1)) || fail "usage: Scripts/browser-test.sh GOHUBD"
[[ -x $1 ]] || fail "there is no $1: build it first"
prepare
trap stop_hub EXIT
start_hub "$1"
"$venv/bin/python" "$root/Tests/Browser/test_chat.py" "http://127.0.0.1:$port" ||
    fail_with_log "the web client's tests failed"
"$venv/bin/python" "$root/Tests/Browser/test_sdk.py" "http://127.0.0.1:$port" ||
    fail_with_log "the SDK's tests failed"
