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

# Alone of its kind; a node of a cluster may have to wait for others, which only the caller can start.
start_one() {
    local server=$1
    if is_running "$server"; then
        await_server "$server"
    elif [[ $server == rabbitmq* ]] && rabbitmq_must_wait "$server"; then
        launch_server "$server"
        say "$server is starting, but needs more nodes of its cluster; start those too"
    else
        start_server "$server"
        "$(kind_of "$server")_settle"
    fi
}

start_kind() {
    local kind=$1 members member started=
    mapfile -t members < <(members_of "$kind")
    for member in "${members[@]}"; do
        is_running "$member" || started=yes
    done
    if [[ $kind == rabbitmq ]]; then
        rabbitmq_start_nodes
    else
        in_turn start_server "${members[@]}"
    fi
    [[ -z $started ]] || "${kind}_settle"
}

stop_kind() {
    local kind=$1 members
    mapfile -t members < <(members_of "$kind")
    if [[ $kind == rabbitmq ]]; then
        together stop_server "${members[@]}"
    else
        in_turn stop_server "${members[@]}"
    fi
}

stop_server() {
    local server=$1 pid
    if pid=$(running_pid "$server"); then
        kill -s "$(call stop_signal "$server")" "$pid"
        kill -s CONT "$pid" 2>/dev/null || true # one that a test has paused can't act on the first signal
        wait_until "$STOP_DEADLINE_S" is_gone "$pid" ||
            die "$server (pid $pid) did not stop in $STOP_DEADLINE_S s; see $(log_file "$server"), or use kill $server"
        forget_pid "$server"
    fi
    call gone "$server"
}

kill_server() {
    local server=$1 pid
    pid=$(running_pid "$server") || die "$server is not running"
    call kill "$server" "$pid"
    wait_until 10 is_gone "$pid" || die "$server (pid $pid) survived kill -9"
    forget_pid "$server"
    call gone "$server"
}

# limit_server NAME BYTES|none: only the soft limit, so that it can be taken away again.
limit_server() {
    local server=$1 bytes=${2/none/unlimited} pid child
    pid=$(running_pid "$server") || die "$server is not running"
    # Itself first: children that it makes meanwhile have the limit from it.
    limit_process "$pid" "$bytes" || die "$server (pid $pid) could not be limited"
    for child in $(children_of "$pid"); do
        limit_process "$child" "$bytes" || is_gone "$child" || die "$server (pid $child) could not be limited"
    done
}

# As its owner: to limit somebody else's takes a capability that root in a container may not have.
limit_process() {
    local owner=() uid
    uid=$(stat -c %u "/proc/$1") || return
    ((uid == EUID)) || owner=(setpriv "--reuid=$uid" "--regid=$(stat -c %g "/proc/$1")" --clear-groups --)
    "${owner[@]}" prlimit --pid "$1" --fsize="$2":
}

# The primary of a pair changes. The old one is never left running: two would both say yes.
promote_server() {
    local server=$1 old
    [[ -n $(role_of "$server") ]] ||
        die "$server is not one of a pair; promote is for PostgreSQL and Redis after up --replicated"
    if is_primary "$server" && call leads "$server"; then
        say "$server is the primary already"
        return
    fi
    call ready "$server" ||
        die "$server is not up (status: $(state "$server")); start it first: scripts/services start $server"
    if ! is_primary "$server"; then
        call may_lead "$server"
        old=$(partner_of "$server")
        ! is_running "$old" || say "stopping $old, so that there is one primary"
        stop_server "$old"
        make_primary "$server"
    fi
    call lead "$server"
    say "$server is the primary now; start $(partner_of "$server") makes that one its standby"
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
