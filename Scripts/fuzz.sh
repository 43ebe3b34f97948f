#!/usr/bin/env bash
# Runs the fuzzer that `make fuzz` has built, one target after the other.
#
#     Scripts/fuzz.sh FUZZER SECONDS [TARGET…]
#
# Starts from Tests/Fuzz/Corpus and from what earlier runs found; new finds go to .build-fuzz/corpus. Prints a line for
# each target. An input that breaks a target ends the run, and stands in .build-fuzz/broken.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
seeds=$root/Tests/Fuzz/Corpus
found=$root/.build-fuzz/corpus
broken=$root/.build-fuzz/broken
logs=$root/.build-fuzz/logs
# One input takes a fraction of a millisecond; this is for one that never ends.
input_seconds=10
memory_megabytes=2048

fail() {
    echo "fuzz: $*" >&2
    exit 1
}

(($# >= 2)) || fail "usage: Scripts/fuzz.sh FUZZER SECONDS [TARGET…]"
fuzzer=$1 seconds=$2
shift 2
[[ -x $fuzzer ]] || fail "$fuzzer isn't there; \`make fuzz\` builds it"
[[ $seconds =~ ^[1-9][0-9]*$ ]] || fail "SECONDS is '$seconds', and must be a number of seconds for each target"
targets=("$@")
if ((${#targets[@]} == 0)); then mapfile -t targets < <(ls "$seeds"); fi
for target in "${targets[@]}"; do
    [[ -d $seeds/$target ]] || fail "there is no target '$target'; there are: $(echo $(ls "$seeds"))"
done

mkdir -p "$broken" "$logs"
# The runtime's own report of a crash takes seconds, and the fuzzer prints one.
export SWIFT_BACKTRACE=enable=no
for target in "${targets[@]}"; do
    mkdir -p "$found/$target"
    options=(-max_total_time="$seconds" -timeout="$input_seconds" -rss_limit_mb="$memory_megabytes"
        -max_len=8192 -print_final_stats=1 -artifact_prefix="$broken/$target-")
    dictionary=$root/Tests/Fuzz/Dictionaries/$target.dict
    if [[ -e $dictionary ]]; then options+=(-dict="$dictionary"); fi
    log=$logs/$target.log
    if ! FUZZ_TARGET=$target "$fuzzer" "${options[@]}" "$found/$target" "$seeds/$target" >"$log" 2>&1; then
        input=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
        {
            echo "fuzz: $target BROKEN"
            grep -a -A 2 -E '^[a-zA-Z0-9]+: broken|Fatal error|ERROR: libFuzzer' "$log" || tail -n 20 "$log"
            echo "The whole report: $log"
            if [[ -n $input ]]; then
                echo "The input: $input"
                echo "Once more: SWIFT_BACKTRACE=enable=no FUZZ_TARGET=$target $fuzzer $input"
                echo "Once it is understood, put it into Tests/Fuzz/Corpus/$target, where it stays a test."
            fi
        } >&2
        exit 1
    fi
    awk -v target="$target" '
        / cov: / { for (i = 1; i < NF; i++) if ($i == "cov:") coverage = $(i + 1) }
        /number_of_executed_units/ { runs = $2 }
        /^Done / { seconds = $(NF - 1) }
        END { printf "fuzz: %-14s %9d inputs in %d s, %d places covered\n", target, runs, seconds, coverage }' "$log"
done
