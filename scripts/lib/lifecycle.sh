# Start, stop and kill one server or all of a kind; and one step for several at once.
# shellcheck shell=bash

START_DEADLINE_S=60
STOP_DEADLINE_S=60

start_server() {
    launch_server "$1"
    await_server "$1"
}

launch_server() {
    is_running "$1" && return
    require_free_ports "$1"
    call start "$1"
}

await_server() {
    local server=$1
    wait_until "$START_DEADLINE_S" ready_or_ended "$server" || report_failure "$server" "did not answer within $START_DEADLINE_S s"
    is_running "$server" || report_failure "$server" "ended while starting"
}

ready_or_ended() { call ready "$1" || ! is_running "$1"; }

report_failure() {
    local server=$1 what=$2 log
    log=$(log_file "$server")
    printf 'services: %s %s; the end of %s:\n' "$server" "$what" "$log" >&2
    # Only what this start wrote.
    tac -- "$log" | sed '/^--- started /q' | head -n 20 | tac >&2
    exit 1
}

start_one() {
    local server=$1
    if is_running "$server"; then
        await_server "$server"
    else
        start_server "$server"
        call settle "$server"
    fi
}

start_kind() {
    local kind=$1 members member started=
    mapfile -t members < <(members_of "$kind")
    for member in "${members[@]}"; do
        is_running "$member" || started=yes
    done
    in_turn start_server "${members[@]}"
    [[ -z $started ]] || "${kind}_settle"
}

stop_kind() {
    local kind=$1 members
    mapfile -t members < <(members_of "$kind")
    in_turn stop_server "${members[@]}"
}

stop_server() {
    local server=$1 pid
    pid=$(running_pid "$server") || return 0
    kill -s "$(call stop_signal "$server")" "$pid"
    kill -s CONT "$pid" 2>/dev/null || true # one that a test has paused can't act on the first signal
    wait_until "$STOP_DEADLINE_S" is_gone "$pid" ||
        die "$server (pid $pid) did not stop in $STOP_DEADLINE_S s; see $(log_file "$server"), or use kill $server"
    forget_pid "$server"
}

kill_server() {
    local server=$1 pid
    pid=$(running_pid "$server") || die "$server is not running"
    call kill "$server" "$pid"
    wait_until 10 is_gone "$pid" || die "$server (pid $pid) survived kill -9"
    forget_pid "$server"
}

in_turn() {
    local step=$1 one
    shift
    for one in "$@"; do
        "$step" "$one"
    done
}

together() {
    local step=$1 one job jobs=() failed=0
    shift
    for one in "$@"; do
        "$step" "$one" &
        jobs+=($!)
    done
    for job in "${jobs[@]}"; do
        wait "$job" || failed=1
    done
    return "$failed"
}
