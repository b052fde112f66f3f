#!/usr/bin/env bash
# Lint, types and tests; arguments go to pytest, e.g. -m 'not slow'. All of them run, whatever fails.
# Tests run in two processes, a file in one of them: much of a test is waiting for a JVM to start. Files come
# in their order, so that the session that a folder's tests share ends with them: idle JVMs take time, too.
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

prepare_environment
cd -- "$ROOT"
quietly ruff check
quietly ruff format --check
quietly mypy
"$VENV/bin/python" -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder "$@" || remember "$?" pytest

if ((${#failed[@]} > 0)); then
    printf -v list ', %s' "${failed[@]}"
    say "Failed: ${list:2}."
fi
exit "$status"
