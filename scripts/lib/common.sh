# What all servers share: the services folder, ports, passwords, processes and waiting.
# shellcheck shell=bash

SERVICES_DIR=$(realpath -m -- "${DOORBUSTER_SERVICES_DIR:-$REPO/.services}")
START_DEADLINE_S=60
STOP_DEADLINE_S=60

say() { printf '%s\n' "$*"; }

die() {
    printf 'services: %s\n' "$*" >&2
    exit 1
}

is_server() {
    local server
    for server in "${SERVERS[@]}"; do
        [[ $server == "${1:-}" ]] && return 0
    done
    return 1
}

# --- the services folder ----------------------------------------------------------------------------

# The marker keeps `down --wipe` away from a folder that somebody named by mistake.
is_services_dir() { [[ -f $SERVICES_DIR/.doorbuster-services ]]; }

create_services_dir() {
    is_services_dir && return
    if [[ -d $SERVICES_DIR && -n $(ls -A -- "$SERVICES_DIR") ]]; then
        die "$SERVICES_DIR is not empty and was not made by scripts/services; name another folder"
    fi
    mkdir -p -- "$SERVICES_DIR"/{log,run,ports}
    touch -- "$SERVICES_DIR/.doorbuster-services"
}

remove_services_dir() {
    rm -rf -- "$SERVICES_DIR"/{log,run,ports,secrets,lock,.doorbuster-services}
    rmdir -- "$SERVICES_DIR" || die "$SERVICES_DIR holds files that are not ours; left them there"
}

require_services() {
    [[ -f $SERVICES_DIR/secrets ]] || die "nothing set up in $SERVICES_DIR; run scripts/services up first"
}

# One command at a time per folder: two shells may say `up` at once.
lock() {
    exec {LOCK_FD}>"$SERVICES_DIR/lock"
    flock --wait 300 "$LOCK_FD" || die "another scripts/services has been busy in $SERVICES_DIR for 5 minutes"
}

log_file() { printf '%s' "$SERVICES_DIR/log/$1.log"; }

# --- passwords --------------------------------------------------------------------------------------

# Generated, because 127.0.0.1 is shared by all users of the machine. Hex needs no escaping in a URL.
create_secrets() {
    [[ -f $SERVICES_DIR/secrets ]] && return
    local server
    (
        umask 077
        for server in "${SERVERS[@]}"; do
            printf '%s=%s\n' "$server" "$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
        done >"$SERVICES_DIR/secrets.new"
    )
    mv -- "$SERVICES_DIR/secrets.new" "$SERVICES_DIR/secrets"
}

password() { sed -n "s/^$1=//p" "$SERVICES_DIR/secrets"; }

# --- ports ------------------------------------------------------------------------------------------

port() { cat -- "$SERVICES_DIR/ports/$1"; }

port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

port_is_ours() { grep -qxF -- "$1" "$SERVICES_DIR"/ports/* 2>/dev/null; }

# Keeps the remembered port unless somebody else has taken it meanwhile.
choose_port() {
    local name=$1 file=$SERVICES_DIR/ports/$1 candidate
    [[ -f $file ]] && port_is_free "$(<"$file")" && return
    # 20000-24999 is below the range the kernel takes for outgoing connections, so a stopped server's port
    # is still free when it starts again, and away from a default RabbitMQ's 25672 and 35672-35682.
    for _ in {1..200}; do
        candidate=$((20000 + RANDOM % 5000))
        if port_is_free "$candidate" && ! port_is_ours "$candidate"; then
            printf '%s\n' "$candidate" >"$file"
            return
        fi
    done
    die "found no free port for $name between 20000 and 24999"
}

# Sends a request to a local port and prints everything that comes back until the server closes.
ask() {
    # shellcheck disable=SC2016 # the inner shell expands these
    timeout 5 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1" && printf "%b" "$2" >&3 && cat <&3' ask "$1" "$2" 2>/dev/null
}

# --- processes --------------------------------------------------------------------------------------

# When a process started, in clock ticks since boot; nothing for one that is gone or a zombie. A recorded
# pid is only believed together with this, so that a pid used again by a stranger is never signalled.
started_at() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    read -ra stat <<<"${stat##*) }" # what follows the program's name: state, ppid, ...
    [[ ${stat[0]} != Z ]] && printf '%s' "${stat[19]}"
}

remember_pid() {
    local started
    started=$(started_at "$2") || return 1
    printf '%s %s\n' "$2" "$started" >"$SERVICES_DIR/run/$1.pid"
}

running_pid() {
    local pid started
    read -r pid started 2>/dev/null <"$SERVICES_DIR/run/$1.pid" || return 1
    [[ $(started_at "$pid") == "$started" ]] && printf '%s' "$pid"
}

# Starts a server that outlives this shell: own session, and none of the caller's files held open, or a
# pipe such as `scripts/services up | tee` would never end.
spawn() {
    local name=$1 fd
    shift
    (
        for fd in /proc/self/fd/*; do
            fd=${fd##*/}
            ((fd <= 2)) || eval "exec $fd>&-"
        done
        exec setsid -- "$@"
    ) </dev/null >>"$(log_file "$name")" 2>&1 &
    remember_pid "$name" $! || true # already gone: the wait for it says so, with its log
}

wait_gone() {
    local pid=$1 deadline=$((SECONDS + $2))
    while started_at "$pid" >/dev/null; do
        ((SECONDS < deadline)) || return 1
        sleep 0.05
    done
}

# Waits until the server answers; gives up at once when its process has ended.
wait_ready() {
    local server=$1 deadline=$((SECONDS + START_DEADLINE_S)) what="did not answer within $START_DEADLINE_S s"
    while ((SECONDS < deadline)); do
        "${server}_ready" && return
        running_pid "$server" >/dev/null || {
            what="ended while starting"
            break
        }
        sleep 0.1
    done
    printf 'services: %s %s; the end of %s:\n' "$server" "$what" "$(log_file "$server")" >&2
    tail -n 15 -- "$(log_file "$server")" >&2
    return 1
}

# --- one server -------------------------------------------------------------------------------------

start_server() {
    local server=$1
    if ! running_pid "$server" >/dev/null; then
        local name
        for name in $("${server}_ports"); do
            port_is_free "$(port "$name")" || die "port $(port "$name") of $server is taken; stop its user, or run scripts/services up to get another"
        done
        "${server}_start"
    fi
    wait_ready "$server"
}

stop_server() {
    local server=$1 pid
    pid=$(running_pid "$server") || return 0
    kill -s "$("${server}_stop_signal")" "$pid"
    wait_gone "$pid" "$STOP_DEADLINE_S" || die "$server (pid $pid) did not stop in $STOP_DEADLINE_S s; see $(log_file "$server"), or use kill $server"
    rm -f -- "$SERVICES_DIR/run/$server.pid"
}

kill_server() {
    local server=$1 pid
    pid=$(running_pid "$server") || die "$server is not running"
    "${server}_kill" "$pid"
    wait_gone "$pid" 10 || die "$server (pid $pid) survived kill -9"
    rm -f -- "$SERVICES_DIR/run/$server.pid"
}

# up: it answers. stuck: its process is there but does not answer (starting, or stopped by SIGSTOP).
state() {
    if ! running_pid "$1" >/dev/null; then
        printf down
    elif "${1}_ready"; then
        printf up
    else
        printf stuck
    fi
}

all_up() {
    local server
    for server in "${SERVERS[@]}"; do
        [[ $(state "$server") == up ]] || return 1
    done
}

status_text() {
    local server state note exit_code=0
    for server in "${SERVERS[@]}"; do
        state=$(state "$server")
        [[ $state == up ]] || exit_code=3
        note=
        [[ $server != rabbitmq || $state == down ]] || note="management $(rabbitmq_management_url)"
        printf '%-9s %-5s pid %-8s port %-6s %s\n' "$server" "$state" \
            "$(running_pid "$server" || printf -- -)" "$(port "$server" 2>/dev/null || printf -- -)" "$note"
    done
    return "$exit_code"
}

status_json() {
    local server state comma= exit_code=0
    printf '{"servicesDir":"%s","services":[' "$SERVICES_DIR"
    for server in "${SERVERS[@]}"; do
        state=$(state "$server")
        [[ $state == up ]] || exit_code=3
        printf '%s{"name":"%s","state":"%s","pid":%s,"port":%s,"log":"%s"' "$comma" "$server" "$state" \
            "$(running_pid "$server" || printf null)" "$(port "$server" 2>/dev/null || printf null)" "$(log_file "$server")"
        [[ $server != rabbitmq || $state == down ]] || printf ',"managementUrl":"%s"' "$(rabbitmq_management_url)"
        printf '}'
        comma=,
    done
    printf ']}\n'
    return "$exit_code"
}
