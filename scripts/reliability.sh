#!/usr/bin/env bash
# Provokes every fault that there is a test for, several times (default 3), and writes docs/reliability.md from
# what came of it. Exit status: 0 all promises were held, 1 some were not, else the table is left as it was.
set -euo pipefail
# shellcheck source=scripts/environment.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"

repetitions="${1:-3}"
if [[ ! "$repetitions" =~ ^[1-9][0-9]*$ || $# -gt 1 ]]; then
    say "usage: scripts/reliability.sh [repetitions], a whole number from 1 on"
    exit 2
fi

prepare_environment
cd -- "$ROOT"
results="$(mktemp -d)"
trap 'rm -rf -- "$results"' EXIT
status=0
for ((i = 1; i <= repetitions; i++)); do
    say "Repetition $i of $repetitions"
    outcome=0
    "$VENV/bin/python" -m pytest -m faults --junitxml="$results/$i.xml" || outcome=$?
    if ((outcome > 1)); then # interrupted, or no tests were run
        exit "$outcome"
    fi
    status=$((status | outcome))
done
"$VENV/bin/python" -m tests.support.fault_table "$results"/*.xml >"$results/reliability.md"
if [[ -f docs/reliability.md ]]; then # what scripts/environments.sh has written stays
    printf '\n' >>"$results/reliability.md"
    sed -n '/^## Surroundings/,$p' docs/reliability.md >>"$results/reliability.md"
fi
mkdir -p docs
mv -- "$results/reliability.md" docs/reliability.md
say "docs/reliability.md has been written."
exit "$status"
