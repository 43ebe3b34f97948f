#!/usr/bin/env bash
# Runs the crash campaign with hubs of two versions on one PostgreSQL: a given gohubd, and the last release, which
# Tests/Chaos/last-release names. Builds the last release in .build-mixed, from a worktree of its commit.
#
#     Scripts/mixed-versions.sh .build/debug/gohubd --rounds 6 --nodes 3
#
# All further arguments are the campaign's (Tests/Chaos/campaign.py).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
file=Tests/Chaos/last-release
folder=$root/.build-mixed

fail() {
    echo "mixed-versions: $*" >&2
    exit 1
}

# The worktree is at the commit afterwards. One that another commit has used is moved, so that its build is reused.
check_out() {
    local commit=$1
    git -C "$root" cat-file -e "$commit^{commit}" 2>/dev/null ||
        fail "$file names the commit $commit, which isn't in this clone. Fetch it: git fetch origin $commit;" \
            "for a shallow clone: git fetch --unshallow"
    if [[ -e $folder/source/.git ]]; then
        git -C "$folder/source" checkout --quiet --force --detach "$commit"
    else
        git -C "$root" worktree prune # forgets a worktree that `make clean` has removed
        git -C "$root" worktree add --quiet --detach "$folder/source" "$commit"
    fi
}

(($# >= 1)) || fail "usage: Scripts/mixed-versions.sh GOHUBD [ARGUMENTS OF THE CAMPAIGN]"
[[ -x $1 ]] || fail "$1 does not exist; build it first"
commit=$(awk '$1 == "commit" { print $2 }' "$root/$file")
[[ $commit =~ ^[0-9a-f]{40}$ ]] || fail "$file must have one line \"commit HASH\", with the whole hash"
check_out "$commit"
echo "mixed-versions: building the last release, $(git -C "$root" log -1 --format='%h of %cs' "$commit")"
swift build --package-path "$folder/source" --scratch-path "$folder/build" --product gohubd
/usr/bin/python3 "$root/Tests/Chaos/campaign.py" "$1" --other "$folder/build/debug/gohubd" --rollout "${@:2}"
