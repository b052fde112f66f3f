#!/usr/bin/env bash
# The driver's tests, which start no JVM, with the lowest versions that pyproject.toml allows; without those of the
# repository, which no version concerns. Arguments go to pytest.
set -euo pipefail
# shellcheck source=scripts/environment.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"

# Prints each dependency with its lower bound as its version, and the tools for testing as in constraints.txt.
lowest_versions() {
    "$VENV/bin/python" - "$ROOT/pyproject.toml" "$CONSTRAINTS" <<'PYTHON'
import pathlib, re, sys, tomllib

project_file, constraints = map(pathlib.Path, sys.argv[1:])
project = tomllib.loads(project_file.read_text())["project"]
for requirement in project["dependencies"]:
    print(re.sub(r">=([^,;]+)[^;]*", r"==\1", requirement, count=1))
tools = [re.split("[^a-z-]", requirement.lower())[0] for requirement in project["optional-dependencies"]["test"]]
for line in constraints.read_text().splitlines():
    if line.partition("==")[0].lower() in tools:
        print(line)
PYTHON
}

prepare_environment
pins="$VENV/lowest.txt"
lowest_versions >"$pins.new"
mv -- "$pins.new" "$pins"
CONSTRAINTS="$pins"
VENV="$VENV/lowest"
UNTRIED_MINOR=13 # there are no wheels of the lowest versions for Python 3.13
unset PYTHON
ensure_venv
cd -- "$ROOT"
exec "$VENV/bin/python" -m pytest tests/driver --ignore tests/driver/repository -m "not systemds and not spark" \
    --numprocesses 2 --dist loadscope --no-loadscope-reorder "$@"
