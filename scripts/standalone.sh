#!/usr/bin/env bash
# A standalone Spark cluster on loopback, from pyspark's own distribution (or $SPARK_HOME), for trying out
# what runs on a real one:
#
#   scripts/standalone.sh start [WORKERS [MEMORY]]   4 workers of 1 core and 1g each; prints spark://...
#   scripts/standalone.sh stop
#
# Process ids, logs and work files are in $STANDALONE_DIR (default: .standalone in the clone), which `stop`
# removes. If LARGEBATCH_SPARK_SECRET_FILE names a file, the cluster takes only applications with the secret
# in it, over encrypted connections.
set -euo pipefail
# shellcheck source=scripts/environment.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"

FOLDER="${STANDALONE_DIR:-"$ROOT/.standalone"}"
USAGE="Usage: standalone.sh start [WORKERS [MEMORY]] | stop"
PATIENCE_S=300 # for processes to come, on a machine that has much else to do
STOP_TRIES=90  # of 0.2 s each, for processes to go

find_spark() {
    if [[ -z "${SPARK_HOME:-}" ]]; then
        prepare_environment
        SPARK_HOME="$("$VENV/bin/python" -c 'import pathlib, pyspark; print(pathlib.Path(pyspark.__file__).parent)')"
    fi
    export SPARK_HOME
    # Nothing listens to other machines; a tenth of the default heap will do for master and workers.
    export SPARK_LOCAL_IP=127.0.0.1 SPARK_DAEMON_MEMORY=128m
}

# daemon NAME CLASS ARGUMENT...
daemon() {
    nohup "$SPARK_HOME/bin/spark-class" "org.apache.spark.deploy.$2" \
        --host 127.0.0.1 --port 0 --webui-port 0 --properties-file "$FOLDER/spark.conf" "${@:3}" \
        </dev/null &>"$FOLDER/$1.log" &
    printf '%s\n' "$!" >"$FOLDER/$1.pid"
}

# Settings of master and workers: on a command line everyone could read the secret.
write_settings() {
    local secret
    (umask 077 && : >"$FOLDER/spark.conf")
    if [[ -z "${LARGEBATCH_SPARK_SECRET_FILE:-}" ]]; then
        return
    fi
    secret="$(<"$LARGEBATCH_SPARK_SECRET_FILE")"
    if [[ ! "$secret" =~ ^[A-Za-z0-9._+/=-]+$ ]]; then
        die 2 "The secret in $LARGEBATCH_SPARK_SECRET_FILE must be a line of letters, digits and . _ + / = -."
    fi
    cat >"$FOLDER/spark.conf" <<CONF
spark.authenticate               true
spark.authenticate.secret        $secret
spark.network.crypto.enabled     true
CONF
}

# Prints the address that the master has chosen, once it listens there.
address() {
    sed -n 's|.*Starting Spark master at \(spark://[^ ]*\).*|\1|p' "$FOLDER/master.log"
}

registered() {
    grep -c 'Registering worker' "$FOLDER/master.log" || true
}

# running NAME: whether the process is there and is one of ours.
running() {
    local pid
    pid="$(<"$FOLDER/$1.pid")"
    # The number may be another process' by now. -ww: not cut off at $COLUMNS.
    [[ "$(ps -ww -o args= -p "$pid" 2>/dev/null)" == *"$FOLDER/spark.conf"* ]]
}

# Whether all that this call has started is still there: nothing else can have their numbers so soon.
all_alive() {
    local file
    for file in "$FOLDER"/*.pid; do
        kill -0 "$(<"$file")" 2>/dev/null || return
    done
}

# wait_for SENTENCE COMMAND...: until the command succeeds.
wait_for() {
    local until=$((SECONDS + PATIENCE_S))
    until "${@:2}"; do
        if ((SECONDS >= until)) || ! all_alive; then
            tail -n 5 "$FOLDER"/*.log >&2
            stop
            die 1 "$1; the ends of the logs are above."
        fi
        sleep 0.2
    done
}

has_address() { [[ -n "$(address)" ]]; }
has_workers() { (($(registered) >= $1)); }

start() {
    local workers="${1:-4}" memory="${2:-1g}" number
    if [[ ! "$workers" =~ ^[1-9][0-9]*$ || ! "$memory" =~ ^[1-9][0-9]*[mg]$ || $# -gt 2 ]]; then
        die 2 "$USAGE"
    fi
    if ! mkdir -p -- "$(dirname -- "$FOLDER")" || ! mkdir -- "$FOLDER"; then
        die 2 "$FOLDER is there already: stop the cluster first, or name another folder by STANDALONE_DIR."
    fi
    find_spark
    write_settings
    daemon master master.Master
    wait_for "The master did not start" has_address
    for ((number = 1; number <= workers; number++)); do
        daemon "worker$number" worker.Worker --cores 1 --memory "$memory" --work-dir "$FOLDER/work" "$(address)"
    done
    wait_for "Not all $workers workers were registered" has_workers "$workers"
    address
}

stop() {
    local file name signal
    if [[ ! -d "$FOLDER" ]]; then
        say "No cluster was started in $FOLDER."
        return
    fi
    for signal in TERM KILL; do
        for file in "$FOLDER"/*.pid; do
            name="$(basename -- "$file" .pid)"
            if [[ -f "$file" ]] && running "$name"; then
                kill -s "$signal" "$(<"$file")" 2>/dev/null || true
            fi
        done
        for ((i = 0; i < STOP_TRIES && $(left) > 0; i++)); do
            sleep 0.2
        done
    done
    rm -rf -- "$FOLDER"
}

# Prints how many of our processes are left; executors end with their workers.
left() {
    local file count=0
    for file in "$FOLDER"/*.pid; do
        if [[ -f "$file" ]] && running "$(basename -- "$file" .pid)"; then
            count=$((count + 1))
        fi
    done
    printf '%s\n' "$count"
}

case "${1:-}" in
start) start "${@:2}" ;;
stop) stop ;;
*) die 2 "$USAGE" ;;
esac
