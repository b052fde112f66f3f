#!/usr/bin/env bash
# Calls the commands in all surroundings of tests/environments/rows.py (locales, variables, limits, users, pauses), and
# writes their table into docs/reliability.md. With a folder, what was tried stays there, and is not tried again.
# Exit status: 0 all was right, 1 something was not.
set -euo pipefail
# shellcheck source=scripts/environment.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"

if (($# > 1)); then
    say "usage: scripts/environments.sh [folder]"
    exit 2
fi

prepare_environment
cd -- "$ROOT"
folder="${1:-}"
if [[ -z "$folder" ]]; then
    folder="$(mktemp -d)"
    trap 'rm -rf -- "$folder"' EXIT
fi
mkdir -p -- "$folder"
"$VENV/bin/python" -m tests.environments.table "$folder"
