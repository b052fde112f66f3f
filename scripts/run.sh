#!/usr/bin/env bash
# From a bare clone to a report: installs what is missing, carries out the study `quick`, or what is left of
# it, and reports it. Arguments, such as --out DIR, go to `largebatch sweep`; so does the exit status come
# from there, and a sweep in which runs failed is reported all the same.
set -euo pipefail
# shellcheck source=scripts/environment.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"

out=runs/quick
previous=
for argument in "$@"; do
    if [[ "$previous" == --out ]]; then
        out="$argument"
    elif [[ "$argument" == --out=* ]]; then
        out="${argument#--out=}"
    fi
    previous="$argument"
done

prepare_environment
status=0
"$VENV/bin/python" -m largebatch sweep quick "$@" || status=$?
# 2: the study can't be carried out as asked for. 130: whoever is there wants to stop.
if [[ "$status" != 2 && "$status" != 130 && -f "$out/study.json" ]]; then
    "$VENV/bin/python" -m largebatch report "$out" || status=$((status ? status : $?))
fi
exit "$status"
