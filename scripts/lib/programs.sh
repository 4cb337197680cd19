# Doorbuster's own programs: as many APIs and workers as a script wants, awaited, and stopped with it.
# shellcheck shell=bash

# The script sets REPO and LOGS, defines say and die, and has stop_everything at its EXIT.

BIN=${DOORBUSTER_BIN_DIR:-}
READY_WITHIN_S=30
STOP_WITHIN_S=15
# In the order in which they were started: API_PIDS[0] listens at API_URLS[0].
API_PIDS=() API_URLS=() WORKER_PIDS=()
SERVICES_ARE_OURS=
# How they go down at the end; a script whose services keep nothing adds --wipe.
SERVICES_DOWN=(down)

build_programs() {
    [[ -z $BIN ]] || return 0
    say "building the release binaries"
    (cd "$REPO" && cargo build --release -p doorbuster -p doorbuster-api -p doorbuster-worker) >&2
    BIN=${CARGO_TARGET_DIR:-$REPO/target}/release
}

# Everything from here on until EXIT is stopped by stop_everything.
begin_programs() {
    mkdir -p "$LOGS"
    rm -f -- "$LOGS"/*.log
    trap stop_everything EXIT
    trap 'exit 130' INT TERM
}

services_up() {
    if ! "$REPO/scripts/services" status >/dev/null 2>&1; then
        SERVICES_ARE_OURS=yes
        "$REPO/scripts/services" up >&2
    fi
    local exports
    exports=$("$REPO/scripts/services" env)
    eval "$exports"
    "$BIN/doorbuster" migrate >&2
}

# The pid of postgres, redis or rabbitmq.
service_pid() { "$REPO/scripts/services" status | awk -v name="$1" '$1 == name { print $4 }'; }

# start_programs APIS WORKERS: beside those that are there; returns when every API is ready.
start_programs() {
    ((${#API_PIDS[@]})) || DOORBUSTER__ADMIN__API_KEY=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    export DOORBUSTER__ADMIN__API_KEY DOORBUSTER__LOG__LEVEL=${DOORBUSTER__LOG__LEVEL:-warn}
    local number url
    for ((number = 1; number <= $2; number++)); do
        start "worker-$((${#WORKER_PIDS[@]} + 1))" "$BIN/doorbuster-worker"
        WORKER_PIDS+=($!)
    done
    for ((number = 1; number <= $1; number++)); do
        choose_port
        start "api-$((${#API_PIDS[@]} + 1))" env DOORBUSTER__HTTP__ADDR="127.0.0.1:$PORT" "$BIN/doorbuster-api"
        API_PIDS+=($!) API_URLS+=("http://127.0.0.1:$PORT")
    done
    for url in "${API_URLS[@]}"; do wait_ready "$url"; done
}

# Starts a program of ours in the background; its pid is in $!.
start() {
    local log=$LOGS/$1.log
    shift
    "$@" >>"$log" 2>&1 &
}

# Into PORT: below the range that the kernel takes for outgoing connections, away from those of
# scripts/services.
choose_port() {
    for _ in {1..200}; do
        PORT=$((26000 + RANDOM % 5000))
        [[ " ${API_URLS[*]} " != *":$PORT "* ]] && port_is_free "$PORT" && return 0
    done
    die "found no free port between 26000 and 30999"
}

port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

wait_ready() {
    local give_up=$((SECONDS + READY_WITHIN_S)) pid
    until "$BIN/doorbuster" health --url "$1/readyz" >/dev/null 2>&1; do
        for pid in "${API_PIDS[@]}" "${WORKER_PIDS[@]}"; do
            is_running "$pid" || { show_logs && die "a program ended before it was ready"; }
        done
        ((SECONDS < give_up)) || { show_logs && die "$1/readyz was not ready within $READY_WITHIN_S s"; }
        sleep 0.1
    done
}

show_logs() { tail -n 20 "$LOGS"/*.log >&2; }

# The jobs of this shell, so a number that belongs to a stranger by now is never signalled.
is_running() { [[ $'\n'$(jobs -pr)$'\n' == *$'\n'$1$'\n'* ]]; }

# The APIs and workers; others can be started after it.
stop_programs() {
    local pid give_up=$((SECONDS + STOP_WITHIN_S)) pids=("${API_PIDS[@]}" "${WORKER_PIDS[@]}")
    for pid in "${pids[@]}"; do
        if is_running "$pid"; then kill -TERM "$pid" || true; fi
    done
    for pid in "${pids[@]}"; do
        while is_running "$pid" && ((SECONDS < give_up)); do sleep 0.1; done
        if is_running "$pid"; then
            say "pid $pid did not end within $STOP_WITHIN_S s and is killed"
            kill -KILL "$pid" || true
        fi
    done
    API_PIDS=() API_URLS=() WORKER_PIDS=()
}

# At EXIT: leaves with the status that the script had.
stop_everything() {
    local status=$?
    trap - EXIT
    stop_programs
    [[ -z $SERVICES_ARE_OURS ]] || "$REPO/scripts/services" "${SERVICES_DOWN[@]}" >&2 || true
    ((status == 0)) || say "logs: $LOGS"
    exit "$status"
}

# one_of OPTION VALUE "WORD WORD…"
one_of() {
    [[ " $3 " == *" $2 "* ]] || die "$1 must be one of: $3"
}

# positive OPTION VALUE
positive() {
    [[ $2 =~ ^[1-9][0-9]*$ ]] || die "$1 must be a positive number"
}
