#!/usr/bin/env bash
# Builds the API documentation of GoHubCore, from its doc comments and its catalog (Sources/GoHubCore/GoHubCore.docc).
# Fails on any warning, such as a link to a symbol that doesn't exist, and on a public type without a comment. The last line is the folder's path.
set -euo pipefail
cd "$(dirname "$0")/.."

output=.build/docs
symbols=.build/docs-symbols

fail() {
    echo "docs: $*" >&2
    exit 1
}

# Beside the compiler, or behind a link of a toolchain manager.
docc=$(dirname "$(readlink -f "$(command -v swift)")")/docc
[[ -x $docc ]] || docc=$(command -v docc) || fail "there is no docc beside $(command -v swift). Install a whole toolchain: https://www.swift.org/install/linux/"

swift build --target GoHubCore
target=$(swift -print-target-info | sed -n 's/.*"triple" *: *"\([^"]*\)".*/\1/p' | head -1)
rm -rf "$symbols" "$output"
mkdir -p "$symbols"
swift symbolgraph-extract -module-name GoHubCore -target "$target" -I "$(swift build --show-bin-path)/Modules" \
    -minimum-access-level public -skip-synthesized-members -skip-inherited-docs -output-dir "$symbols"
python3 - "$symbols/GoHubCore.symbols.json" <<'CHECK' || fail "these public types have no documentation comment"
import json, sys
types = {f"swift.{kind}" for kind in ("struct", "class", "enum", "protocol", "typealias")}
symbols = json.load(open(sys.argv[1]))["symbols"]
missing = [".".join(s["pathComponents"]) for s in symbols if s["kind"]["identifier"] in types and "docComment" not in s]
print(*missing, sep="\n", end="")
sys.exit(bool(missing))
CHECK
"$docc" convert Sources/GoHubCore/GoHubCore.docc --additional-symbol-graph-dir "$symbols" --output-path "$output" \
    --fallback-display-name GoHubCore --fallback-bundle-identifier GoHubCore --warnings-as-errors
echo "$PWD/$output"
