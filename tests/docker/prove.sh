#!/usr/bin/env bash
# Proves the image where no Docker engine runs, as root on Debian 12 with debootstrap and bubblewrap:
#   tests/docker/prove.sh WORK [build|run]     WORK is a folder for some 4 GB; without a step, both
# `build` carries out the Dockerfile's steps on a Debian made by debootstrap, `run` the command and the
# cluster of compose.yaml in what came out, without a network; prove.py says how.
set -euo pipefail
# shellcheck source=scripts/environment.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/../../scripts/environment.sh"

(($# == 1 || $# == 2)) || die 2 "tests/docker/prove.sh takes a folder to work in, and may be one of build, run."
[[ "$(id -u)" == 0 ]] || die 2 "tests/docker/prove.sh mounts file systems: start it as root."
for tool in debootstrap bwrap ip; do
    command -v "$tool" >/dev/null || die 2 "$tool is missing: apt-get install debootstrap bubblewrap iproute2."
done

prepare_environment
python="$VENV/bin/python"
mkdir -p "$1"
work="$(CDPATH='' cd -- "$1" && pwd)"
cd -- "$ROOT"
if [[ "${2:-build}" == build ]]; then
    # What is mounted goes with the process.
    unshare --mount "$python" -m tests.docker.prove build "$work"
fi
if [[ "${2:-run}" == run ]]; then
    unshare --mount --net bash -c 'ip link set lo up && exec "$@"' - "$python" -m tests.docker.prove run "$work"
fi
