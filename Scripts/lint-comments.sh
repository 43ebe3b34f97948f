#!/usr/bin/env bash
# Fails on comment lines of Swift sources that are longer than 120 columns. swift-format checks code, but not comments.
set -euo pipefail
cd "$(dirname "$0")/.."

columns_max=120
export LC_ALL=C.UTF-8

long=$(grep -rnE --include='*.swift' --exclude-dir='.build*' "^[[:space:]]*//.*" Sources Tests Examples Benchmarks |
    grep -E "^[^:]+:[0-9]+:.{$((columns_max + 1)),}$" || true)
[[ -z $long ]] && exit 0
echo "lint-comments: these comment lines are longer than $columns_max columns:" >&2
cut -d: -f1,2 <<<"$long" >&2
exit 1
