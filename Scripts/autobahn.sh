#!/usr/bin/env bash
# Runs the Autobahn|Testsuite's fuzzing client against the echo, plain and over TLS.
#
#     Scripts/autobahn.sh .build/debug/autobahn-echo [--quick | --cases '7.*,12.1.1']
#     Scripts/autobahn.sh --check     only reports, by its exit status, whether there is a Python 2.7
#
# The client runs on Python 2.7: PYTHON27 names one, by default pyenv's or the PATH's. It is installed once for each
# version, into a virtual environment under .build-autobahn, beside the reports of the last run.
set -euo pipefail

suite_version=25.10.1
# The last version that makes environments of Python 2.7.
virtualenv_version=20.21.1

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
home=$root/.build-autobahn

say() { echo "autobahn: $*"; }
fail() {
    say "$*" >&2
    exit 1
}

# A pyenv shim is in PATH even if its version isn't active: only running it shows that.
is_python27() {
    [[ $("$1" -c 'import sys; print(sys.version_info[:2] == (2, 7))' 2>/dev/null) == True ]]
}

find_python27() {
    local candidate
    for candidate in "${PYTHON27:-}" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/2.7.*/bin/python2.7 python2.7 python2; do
        if [[ -n $candidate ]] && is_python27 "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    say "there is no Python 2.7, which the Autobahn fuzzing client is written in. Install one (Debian 11 and Ubuntu" \
        "22.04 have the package python2.7-dev, others can use pyenv), or set PYTHON27 to its path." >&2
    return 1
}

install_client() {
    local stamp=$home/autobahntestsuite-$suite_version
    [[ -e $stamp ]] && return
    say "installing autobahntestsuite $suite_version into ${home#"$root"/}"
    rm -rf "$home"
    /usr/bin/python3 -m venv "$home/virtualenv"
    "$home/virtualenv/bin/pip" install --quiet --disable-pip-version-check "virtualenv==$virtualenv_version"
    "$home/virtualenv/bin/virtualenv" --quiet --no-periodic-update --python "$python27" "$home/venv"
    PYTHONWARNINGS=ignore "$home/venv/bin/pip" install --quiet --disable-pip-version-check --no-python-version-warning \
        "autobahntestsuite==$suite_version"
    touch "$stamp"
}

(($# >= 1)) || fail "usage: Scripts/autobahn.sh AUTOBAHN-ECHO [--quick | --cases PATTERNS], or --check"
python27=$(find_python27)
[[ $1 != --check ]] || exit 0
[[ -x $1 ]] || fail "$1 does not exist; build it first"
echo_program=$1
shift
install_client
exec /usr/bin/python3 "$root/Tests/Autobahn/conformance.py" --wstest "$home/venv/bin/wstest" --echo "$echo_program" \
    --folder "$home/reports" "$@"
