# Start, stop and kill one server; and one step for all of them at once.
# shellcheck shell=bash

START_DEADLINE_S=60
STOP_DEADLINE_S=60

start_server() {
    local server=$1 started=no
    if ! is_running "$server"; then
        require_free_ports "$server"
        "${server}_start"
        started=yes
    fi
    wait_until "$START_DEADLINE_S" ready_or_ended "$server" || report_failure "$server" "did not answer within $START_DEADLINE_S s"
    is_running "$server" || report_failure "$server" "ended while starting"
    if [[ $started == yes && $server == rabbitmq ]]; then rabbitmq_settle_queues; fi
}

ready_or_ended() { "${1}_ready" || ! is_running "$1"; }

report_failure() {
    local server=$1 what=$2 log
    log=$(log_file "$server")
    printf 'services: %s %s; the end of %s:\n' "$server" "$what" "$log" >&2
    # Only what this start wrote.
    tac -- "$log" | sed '/^--- started /q' | head -n 20 | tac >&2
    exit 1
}

stop_server() {
    local server=$1 pid
    pid=$(running_pid "$server") || return 0
    kill -s "$("${server}_stop_signal")" "$pid"
    kill -s CONT "$pid" 2>/dev/null || true # one that a test has paused can't act on the first signal
    wait_until "$STOP_DEADLINE_S" is_gone "$pid" ||
        die "$server (pid $pid) did not stop in $STOP_DEADLINE_S s; see $(log_file "$server"), or use kill $server"
    forget_pid "$server"
}

kill_server() {
    local server=$1 pid
    pid=$(running_pid "$server") || die "$server is not running"
    "${server}_kill" "$pid"
    wait_until 10 is_gone "$pid" || die "$server (pid $pid) survived kill -9"
    forget_pid "$server"
}

for_all_servers() {
    local step=$1 server job jobs=() failed=0
    for server in "${SERVERS[@]}"; do
        "$step" "$server" &
        jobs+=($!)
    done
    for job in "${jobs[@]}"; do
        wait "$job" || failed=1
    done
    return "$failed"
}
