#!/usr/bin/env bash
# Tests the JavaScript SDK: its types, its unit tests, and all of it against real hubs, which the tests start on free
# loopback ports and stop.
#
#     Scripts/sdk-test.sh .build/debug/gohubd
set -euo pipefail

node_min_major=18
# The tests take 15 seconds. A test that hangs is killed.
tests_seconds_max=300
tsc_flags=(--noEmit --target es2022 --module es2022 --moduleResolution node --lib es2022,dom,dom.iterable)

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
sdk=$root/Sources/GoHubWeb/SDK
example=

fail() {
    echo "sdk-test: $*" >&2
    exit 1
}

# Checks a TypeScript page that uses the declarations, the code against the declarations, and the example of the docs.
check_types() {
    tsc "${tsc_flags[@]}" --strict "$root/Tests/SDK/types/page.ts" || fail "the types in gohub.d.ts don't hold"
    tsc "${tsc_flags[@]}" --allowJs --checkJs "$sdk/gohub.js" || fail "the SDK's code and gohub.d.ts don't agree"
    example=$(mktemp -d)
    cp "$sdk"/gohub.d.ts "$example"
    awk '/^```js$/ { inside = 1; next } /^```$/ { exit } inside' "$root/Docs/SDK.md" >"$example/example.js"
    [[ -s $example/example.js ]] || fail "Docs/SDK.md has no example"
    tsc "${tsc_flags[@]}" --allowJs --checkJs "$example/example.js" || fail "the example in Docs/SDK.md has wrong types"
}

(($# == 1)) || fail "usage: Scripts/sdk-test.sh GOHUBD"
[[ -x $1 ]] || fail "$1 does not exist; build it first"
for tool in node tsc; do
    command -v "$tool" >/dev/null || fail "$tool is not installed; Scripts/bootstrap.sh test installs it"
done
(($(node -p 'process.versions.node.split(".")[0]') >= node_min_major)) ||
    fail "node $(node --version) is too old: $node_min_major or later is needed"
trap 'rm -rf "$example"' EXIT
check_types
GOHUBD=$(cd "$(dirname "$1")" && pwd)/$(basename "$1") timeout "$tests_seconds_max" \
    node --test --test-reporter=spec "$root"/Tests/SDK/*.test.mjs || fail "the tests failed, or took $tests_seconds_max s"
