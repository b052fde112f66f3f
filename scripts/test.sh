#!/usr/bin/env bash
# Lint, types and tests: test.sh [--all] [PYTEST ARGUMENTS]. Everything runs, whatever fails.
# Without --all, tests marked slow are left out. An -m of your own replaces this choice. --all without other
# arguments also tests the lowest versions of all dependencies.
set -euo pipefail
# shellcheck source=scripts/environment.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"

status=0
failed=()

# remember STATUS NAME: the first failure is the script's exit status.
remember() {
    failed+=("$2")
    if [[ "$status" == 0 ]]; then
        status="$1"
    fi
}

# quietly COMMAND...: its output appears only if it fails.
quietly() {
    local output
    output="$("$VENV/bin/$1" "${@:2}" 2>&1)" || {
        remember "$?" "$*"
        printf '%s:\n%s\n\n' "$*" "$output"
    }
}

choice=(-m "not slow")
arguments=()
for argument; do
    if [[ "$argument" == --all ]]; then
        choice=()
    else
        arguments+=("$argument")
    fi
done

prepare_environment
cd -- "$ROOT"
quietly ruff check
quietly ruff format --check
quietly mypy
"$VENV/bin/python" -m tests.support.class_archive
# Two processes: much of a test is waiting for a JVM to start. Tests keep their order, see tests/conftest.py.
"$VENV/bin/python" -m pytest --numprocesses 2 --dist loadscope --no-loadscope-reorder \
    ${choice[@]+"${choice[@]}"} ${arguments[@]+"${arguments[@]}"} || remember "$?" pytest
if ((${#choice[@]} + ${#arguments[@]} == 0)); then
    scripts/lowest.sh -q || remember "$?" lowest.sh
fi

if ((${#failed[@]} > 0)); then
    printf -v list ', %s' "${failed[@]}"
    say "Failed: ${list:2}."
fi
exit "$status"
