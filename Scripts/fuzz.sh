#!/usr/bin/env bash
# Runs the fuzzer that `make fuzz` has built, one target after the other.
#
#     Scripts/fuzz.sh FUZZER SECONDS|keep [TARGET…]
#
# Starts from Tests/Fuzz/Corpus and from the finds of earlier runs. New finds go to .build-fuzz/corpus. Prints a line
# for each target. An input that breaks a target ends the run, and is saved in .build-fuzz/broken.
#
# `keep` fuzzes nothing: it adds those finds to the corpus that increase its coverage.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
seeds=$root/Tests/Fuzz/Corpus
found=$root/.build-fuzz/corpus
broken=$root/.build-fuzz/broken
logs=$root/.build-fuzz/logs
# One input takes a fraction of a millisecond. This limit is for inputs that never end.
input_seconds=10
memory_megabytes=2048
input_bytes_max=8192
# Small, so that the tests are quick and a file can be read by people.
kept_bytes_max=512

fail() {
    echo "fuzz: $*" >&2
    exit 1
}

# Starts from the corpora, for this many seconds.
fuzz() {
    local target=$1 log=$logs/$1.log
    local options=(-max_total_time="$seconds" -timeout="$input_seconds" -rss_limit_mb="$memory_megabytes"
        -max_len="$input_bytes_max" -print_final_stats=1 -artifact_prefix="$broken/$target-")
    local dictionary=$root/Tests/Fuzz/Dictionaries/$target.dict
    if [[ -e $dictionary ]]; then options+=(-dict="$dictionary"); fi
    FUZZ_TARGET=$target "$fuzzer" "${options[@]}" "$found/$target" "$seeds/$target" >"$log" 2>&1 ||
        report "$target" "$log"
    awk -v target="$target" '
        / cov: / { for (i = 1; i < NF; i++) if ($i == "cov:") coverage = $(i + 1) }
        /number_of_executed_units/ { runs = $2 }
        /^Done / { seconds = $(NF - 1) }
        END { printf "fuzz: %-14s %9d inputs in %d s, %d places covered\n", target, runs, seconds, coverage }' "$log"
}

# Reports the input that broke a target and how to reproduce it, and exits.
report() {
    local target=$1 log=$2 input
    input=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
    {
        echo "fuzz: $target BROKEN"
        grep -a -A 2 -E '^[a-zA-Z0-9]+: broken|Fatal error|ERROR: libFuzzer' "$log" || tail -n 20 "$log"
        echo "Full report: $log"
        if [[ -n $input ]]; then
            echo "The input: $input"
            echo "Once more: SWIFT_BACKTRACE=enable=no FUZZ_TARGET=$target $fuzzer $input"
            echo "When the cause is fixed, add the input to Tests/Fuzz/Corpus/$target, where it becomes a test."
        fi
    } >&2
    exit 1
}

# Adds the inputs that increase coverage to the corpus.
keep() {
    local target=$1 log=$logs/$1.keep.log
    FUZZ_TARGET=$target "$fuzzer" -merge=1 -use_counters=0 -max_len="$kept_bytes_max" \
        "$seeds/$target" "$found/$target" >"$log" 2>&1 || fail "$target: the found inputs could not be merged; see $log"
    echo "fuzz: $target has $(find "$seeds/$target" -type f | wc -l) inputs"
}

(($# >= 2)) || fail "usage: Scripts/fuzz.sh FUZZER SECONDS|keep [TARGET…]"
fuzzer=$1 seconds=$2
shift 2
[[ -x $fuzzer ]] || fail "$fuzzer isn't there; \`make fuzz\` builds it"
[[ $seconds == keep || $seconds =~ ^[1-9][0-9]*$ ]] ||
    fail "SECONDS is '$seconds', but must be a number of seconds for each target"
mapfile -t all < <(ls "$seeds")
targets=("$@")
if ((${#targets[@]} == 0)); then targets=("${all[@]}"); fi

mkdir -p "$broken" "$logs"
# The runtime's own crash report takes seconds, and the fuzzer prints one.
export SWIFT_BACKTRACE=enable=no
for target in "${targets[@]}"; do
    [[ -d $seeds/$target ]] || fail "there is no target '$target'; the targets are: ${all[*]}"
    mkdir -p "$found/$target"
    if [[ $seconds == keep ]]; then keep "$target"; else fuzz "$target"; fi
done
