#!/usr/bin/env bash
# Installs the system packages that a make target needs and that are missing, and checks the Swift toolchain.
#
#     Scripts/bootstrap.sh run|test|chaos[-redis]|sanitize|autobahn|lint|bench|bench-durable[-redis]|bench-files|bench-instructions
#
# Does nothing, quickly, when everything is there. Works as root, or as a user with sudo.
set -euo pipefail

swift_min_major=6
swift_min_minor=2

say() { echo "bootstrap: $*"; }
fail() {
    echo "bootstrap: $*" >&2
    exit 1
}

check_swift() {
    command -v swift >/dev/null ||
        fail "swift is not in PATH. Install Swift $swift_min_major.$swift_min_minor or later:" \
            "https://www.swift.org/install/linux/"
    local version
    version=$(swift --version 2>&1)
    [[ $version =~ Swift\ version\ ([0-9]+)\.([0-9]+) ]] || fail "swift --version reports no version: $version"
    local major=${BASH_REMATCH[1]} minor=${BASH_REMATCH[2]}
    if ((major < swift_min_major || (major == swift_min_major && minor < swift_min_minor))); then
        fail "Swift $major.$minor is too old: $swift_min_major.$swift_min_minor or later is needed," \
            "see https://www.swift.org/install/linux/"
    fi
}

# The packages of a target. Sources/CGoHub… link the first five libraries; SwiftPM finds them with pkg-config, but for
# libgd, which is where the compiler looks by itself.
packages_for() {
    local build="libssl-dev libpq-dev libsqlite3-dev zlib1g-dev libgd-dev pkg-config git ca-certificates"
    case $1 in
    lint) ;;
    run) echo "$build" ;;
    test) echo "$build postgresql redis-server redis-sentinel python3-venv nodejs node-typescript $(browser_packages)" ;;
    chaos) echo "$build postgresql python3" ;;
    chaos-redis) echo "$build postgresql redis-server redis-sentinel python3" ;;
    sanitize) echo "$build postgresql redis-server redis-sentinel" ;;
    autobahn) echo "$build python3-venv gcc libc6-dev" ;;
    bench) echo "$build gcc libc6-dev make python3 openssl" ;;
    bench-files) echo "$build python3" ;;
    bench-durable) echo "$build gcc libc6-dev make python3 postgresql" ;;
    bench-durable-redis) echo "$build gcc libc6-dev make python3 postgresql redis-server" ;;
    bench-instructions) echo "$build binutils python3 valgrind" ;;
    *) fail "usage: Scripts/bootstrap.sh run|test|chaos[-redis]|sanitize|autobahn|lint|bench|bench-durable[-redis]|bench-files|bench-instructions" ;;
    esac
}

# Optional packages of a target, whose absence it reports. For bench: what the servers for comparison need to build or
# run, which are Go with a WebSocket library, and the libraries that socketify (PyPI) links.
optional_packages_for() {
    case $1 in
    bench) echo "python3-venv golang-go golang-github-gorilla-websocket-dev libuv1-dev" ;;
    esac
}

# Ubuntu has Chromium only as a snap. There Scripts/browser-test.sh has Playwright download its own.
browser_packages() {
    # shellcheck source=/dev/null
    if [[ $(. /etc/os-release && echo " ${ID:-} ${ID_LIKE:-} ") != *" ubuntu "* ]]; then echo "chromium"; fi
}

is_installed() {
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

missing_of() {
    local package
    for package in "$@"; do
        is_installed "$package" || echo "$package"
    done
}

install() {
    command -v apt-get >/dev/null ||
        fail "these packages are missing, and apt-get is not available to install them: $*"
    local as_root=()
    if ((EUID != 0)); then
        command -v sudo >/dev/null ||
            fail "installing $* needs root or sudo. To install by hand: apt-get install $*"
        as_root=(sudo)
    fi
    local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300)
    say "installing $*"
    "${apt[@]}" update
    if [[ " $* " == *" postgresql "* ]]; then
        # The tests start servers of their own. Debian's package would make and run one more, for the whole machine.
        "${apt[@]}" install -y --no-install-recommends postgresql-common
        "${as_root[@]}" sed -i -E 's/^#?create_main_cluster *=.*/create_main_cluster = false/' \
            /etc/postgresql-common/createcluster.conf
    fi
    local redis=() package
    for package in "$@"; do
        if [[ $package == redis-* ]]; then redis+=("$package"); fi
    done
    if ((${#redis[@]} > 0)); then install_without_service "${redis[@]}"; fi
    "${apt[@]}" install -y --no-install-recommends "$@"
}

# Installs packages whose service must not run. The tests start servers of their own; Debian's packages would start one
# for the whole machine, and again after each boot. Uses `as_root` and `apt` of `install`.
install_without_service() {
    local policy=/usr/sbin/policy-rc.d has_policy=1 status=0 service
    if [[ ! -e $policy ]]; then
        has_policy=0
        # Debian's own way to start nothing during an installation.
        printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
        "${as_root[@]}" chmod 755 "$policy"
    fi
    "${apt[@]}" install -y --no-install-recommends "$@" || status=$?
    ((has_policy)) || "${as_root[@]}" rm -f "$policy"
    ((status == 0)) || return "$status"
    for service in "$@"; do
        if command -v systemctl >/dev/null; then
            "${as_root[@]}" systemctl --quiet disable "$service"
        else
            "${as_root[@]}" update-rc.d "$service" disable
        fi
    done
}

main() {
    (($# == 1)) || fail "usage: Scripts/bootstrap.sh run|test|chaos[-redis]|sanitize|autobahn|lint|bench|bench-durable[-redis]|bench-files|bench-instructions"
    local needed
    needed=$(packages_for "$1")
    check_swift
    [[ -n $needed ]] || return 0
    command -v dpkg-query >/dev/null ||
        fail "this is neither Debian nor Ubuntu. Install the equivalents of these packages by hand, and call swift directly: $needed"
    local missing
    # shellcheck disable=SC2086 # a list of names
    missing=$(missing_of $needed)
    # shellcheck disable=SC2086
    [[ -z $missing ]] || install $missing
    # shellcheck disable=SC2046
    missing=$(missing_of $(optional_packages_for "$1"))
    # shellcheck disable=SC2086
    [[ -z $missing ]] || (install $missing) || say "going on without ${missing//$'\n'/ }"
}

main "$@"
