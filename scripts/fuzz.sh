#!/usr/bin/env bash
# Hostile input for all readers: fuzz.sh [INPUTS], 200000 unless told; prints how many each reader was given.
set -euo pipefail
# shellcheck source=scripts/environment.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"

prepare_environment
cd -- "$ROOT"
LARGEBATCH_FUZZ_EXAMPLES="${1:-200000}" "$VENV/bin/python" -m pytest tests/fuzz -q
