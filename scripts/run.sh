#!/usr/bin/env bash
# From a bare clone to a table of results: installs what is missing, then runs `largebatch demo`.
set -euo pipefail
# shellcheck source=scripts/environment.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"

prepare_environment
exec "$VENV/bin/python" -m largebatch demo "$@"
