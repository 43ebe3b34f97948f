#!/usr/bin/env bash
# Runs `swift test`, and repeats the failed tests and their issues at the end, because they are easily missed among
# thousands of lines. The last line is always the runner's own summary.
#
#     Scripts/swift-test.sh --filter GoHubCoreTests
set -euo pipefail

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# Line by line, so that the output of an interrupted run is complete up to the last test.
status=0
stdbuf -oL swift test --disable-xctest "$@" 2>&1 | tee "$log" || status=$?
if ((status == 0)); then exit; fi
echo
# An issue and its lines: up to the next line that begins with one of the runner's marks.
awk '/^[^ -~]/ { isIssue = / recorded an issue / } isIssue' "$log"
grep -aE '^.{1,4} Test run with ' "$log" | tail -1
exit "$status"
