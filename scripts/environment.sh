# shellcheck shell=bash
# Sourced by the other scripts. `prepare_environment` provides .venv with the package in it, Java 17 and
# OpenBLAS. What is there already stays as it is: a second call installs nothing.

ROOT="$(CDPATH='' cd -- "${BASH_SOURCE[0]%/*}/.." && pwd)"
VENV="$ROOT/.venv"
CONSTRAINTS="$ROOT/scripts/constraints.txt"
UNTRIED_MINOR=14 # the first Python 3.x that largebatch was not tried out with

say() { printf '%s\n' "$*" >&2; }

# die STATUS SENTENCE
die() {
    say "$2"
    exit "$1"
}

prepare_environment() {
    ensure_venv
    ensure_java
    ensure_openblas
}

# ---- Python ----

# usable_python PYTHON [MINOR]: whether it is Python 3.11 or newer, but older than 3.MINOR, with all that is needed.
usable_python() {
    "$1" -c "import sys; assert (3, 11) <= sys.version_info < (3, ${2:-99}); import ensurepip, ssl, venv" \
        </dev/null &>/dev/null
}

# Where interpreters lie that are not on the path; patterns without a match stay as they are and don't run.
python_places() {
    printf '%s\n' /usr/local/bin/python3.1[1-9] /usr/bin/python3.1[1-9] \
        "${PYENV_ROOT:-${HOME:-}/.pyenv}"/versions/3.*/bin/python3 \
        "${HOME:-}"/.local/bin/python3.1[1-9] /opt/python*/bin/python3 /opt/homebrew/bin/python3
}

# Prints the first Python that will do. One that is newer than those tried out is the last resort.
find_python() {
    local minor candidate
    for minor in "$UNTRIED_MINOR" 99; do
        while IFS= read -r candidate; do
            if usable_python "$candidate" "$minor"; then
                printf '%s\n' "$candidate"
                return
            fi
        done < <(
            printf '%s\n' python3 python3.13 python3.12 python3.11 python3.14
            python_places
        )
    done
    die 2 "Python 3.11 or newer with venv and ensurepip was not found: install it (on Debian and Ubuntu: \
python3 python3-venv, or python3.11 python3.11-venv where python3 is older), or name it by PYTHON=<path>."
}

# What an installation depends on: interpreter, place (scripts in .venv hold its path), wanted packages.
# Unless PYTHON asks for another, the interpreter in .venv is right.
fingerprint() {
    "${PYTHON:-"$VENV/bin/python"}" - "$ROOT" "$ROOT/pyproject.toml" "$CONSTRAINTS" <<'PYTHON'
import hashlib, pathlib, sys

root, *files = sys.argv[1:]
digest = hashlib.sha256(f"{sys.version} {root}".encode())
for file in files:
    digest.update(pathlib.Path(file).read_bytes())
print(digest.hexdigest())
PYTHON
}

# Prints the file that is written when the installation is complete, never before.
stamp() { printf '%s\n' "$VENV/installed"; }

venv_is_current() {
    [[ -x "$VENV/bin/python" && -s "$(stamp)" && "$(<"$(stamp)")" == "$(fingerprint 2>/dev/null)" ]]
}

ensure_venv() {
    if [[ -n "${PYTHON:-}" ]] && ! usable_python "$PYTHON"; then
        say "PYTHON ($PYTHON) is no Python 3.11 or newer with venv and ensurepip; another is looked for."
        unset PYTHON
    fi
    if venv_is_current; then
        return
    fi
    local python wanted
    python="${PYTHON:-"$(find_python)"}" || exit
    wanted="$(PYTHON="$python" fingerprint)" # now: the files may change while pip runs
    say "Installing largebatch into ${VENV#"$ROOT/"} (about 1 minute) ..."
    rm -f "$(stamp)"
    "$python" -m venv --clear "$VENV" || die 1 "$python could not make $VENV."
    if ! "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check \
        --constraint "$CONSTRAINTS" --editable "${ROOT}[test]" &>"$VENV/install.log"; then
        cat "$VENV/install.log" >&2
        die 1 "pip could not install largebatch: its output is above. A network is needed, once."
    fi
    printf '%s\n' "$wanted" >"$(stamp)"
}

# ---- Java and OpenBLAS ----

can_apt() { [[ "$(id -u)" == 0 ]] && command -v apt-get >/dev/null; }

# apt_install LOG PACKAGE...
apt_install() {
    local log="$1"
    shift
    say "Installing $* (apt-get, about 1 minute) ..."
    local options=(-qq -o Acquire::http::Timeout=20 -o Acquire::Retries=1)
    {
        DEBIAN_FRONTEND=noninteractive apt-get "${options[@]}" update &&
            DEBIAN_FRONTEND=noninteractive apt-get "${options[@]}" install -y --no-install-recommends "$@"
    } &>"$log" </dev/null
}

# Prints the home of Java 17, or on standard error what is missing.
find_java() {
    "$VENV/bin/python" - <<'PYTHON'
import sys

from largebatch.errors import UserError
from largebatch.engine.java import find_java

try:
    print(find_java().home)
except UserError as error:
    sys.exit(str(error))
PYTHON
}

ensure_java() {
    local home log="$VENV/apt-java.log"
    if ! home="$(find_java 2>/dev/null)"; then
        if can_apt && ! apt_install "$log" openjdk-17-jre-headless; then
            say "apt-get could not install openjdk-17-jre-headless; its output is in $log."
        fi
        home="$(find_java)" || exit 2
    fi
    if [[ -n "${JAVA_HOME:-}" && ! "$JAVA_HOME" -ef "$home" ]]; then
        say "JAVA_HOME ($JAVA_HOME) is not Java 17; $home is used."
    fi
    export JAVA_HOME="$home"
}

# Prints the names of packages that are missing for OpenBLAS; nothing where SystemDS can't use it.
missing_libraries() {
    "$VENV/bin/python" - <<'PYTHON'
import sys

from largebatch.errors import UserError
from largebatch.engine.openblas import find_native

try:
    found = find_native()
except UserError as error:
    sys.exit(str(error))
if found.supported:
    print(*["libopenblas0"] * (not found.openblas), *["libgomp1"] * (not found.gomp))
PYTHON
}

# OpenBLAS only saves time: whatever happens here is a remark.
ensure_openblas() {
    local missing packages log="$VENV/apt-openblas.log"
    missing="$(missing_libraries)" || return 0
    if [[ -z "$missing" ]]; then
        return
    fi
    read -ra packages <<<"$missing"
    # The log marks an earlier attempt, which isn't repeated at every start.
    if can_apt && [[ ! -e "$log" ]] && apt_install "$log" "${packages[@]}"; then
        return
    fi
    say "Without ${packages[*]} everything runs, but takes longer (on Debian and Ubuntu: apt-get install)."
}
