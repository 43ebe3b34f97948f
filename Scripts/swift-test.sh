#!/usr/bin/env bash
# Runs `swift test`, and says at the end again what failed and why: thousands of lines before, it is easily missed or cut
# off. The last line is the runner's own summary in either case.
#
#     Scripts/swift-test.sh --filter GoHubCoreTests
set -euo pipefail

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# Line by line, so that what a machine cut short can be read to the last test.
status=0
stdbuf -oL swift test --disable-xctest "$@" 2>&1 | tee "$log" || status=$?
if ((status == 0)); then exit; fi
echo
# An issue, and the lines that belong to it: up to the next that begins with a mark of the runner's.
awk '/^[^ -~]/ { isIssue = / recorded an issue / } isIssue' "$log"
grep -aE '^.{1,4} Test run with ' "$log" | tail -1
exit "$status"
