# Processes: started so that they outlive this shell, remembered so that no stranger is ever signalled.
# shellcheck shell=bash

# The fields of /proc/PID/stat from the state on (the program's name before it may hold anything), into
# the array PROC; fails for a process that is gone or only a zombie.
read_process() {
    local stat
    { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
    read -ra PROC <<<"${stat##*) }"
    [[ ${PROC[0]} != Z ]]
}

is_alive() { read_process "$1"; }
is_gone() { ! read_process "$1"; }

children_of() {
    local proc
    for proc in /proc/[0-9]*; do
        if read_process "${proc#/proc/}" && [[ ${PROC[1]} == "$1" ]]; then
            printf '%s\n' "${proc#/proc/}"
        fi
    done
}

# A pid is recorded with the moment its process started (in ticks since boot) and only believed together
# with it: the number may belong to a stranger by now.
remember_pid() {
    read_process "$2" && printf '%s %s\n' "$2" "${PROC[19]}" >"$FOLDER/run/$1.pid"
}

forget_pid() { rm -f -- "$FOLDER/run/$1.pid"; }

running_pid() {
    local pid started
    { read -r pid started <"$FOLDER/run/$1.pid"; } 2>/dev/null || return 1
    read_process "$pid" && [[ ${PROC[19]} == "$started" ]] && printf '%s' "$pid"
}

is_running() { running_pid "$1" >/dev/null; }

# Own session, so that no terminal takes the server down with it; and none of the caller's files held
# open, or a pipe such as `scripts/services up | tee` would never end.
spawn() {
    local name=$1 fd
    shift
    say "--- started $(date --iso-8601=seconds)" >>"$(log_file "$name")"
    (
        for fd in /proc/self/fd/*; do
            fd=${fd##*/}
            ((fd <= 2)) || eval "exec $fd>&-"
        done
        raise_file_limit
        exec setsid -- "$@"
    ) </dev/null >>"$(log_file "$name")" 2>&1 &
    remember_pid "$name" $! || true # ended already: whoever waits for it will say so
}

# 1,024 files are too few for a broker. Not simply the maximum: Erlang makes a table of that size.
raise_file_limit() {
    local hard
    hard=$(ulimit -Hn)
    [[ $hard != unlimited ]] && ((hard < 65536)) || hard=65536
    ulimit -Sn "$hard" || true
}

# wait_until SECONDS COMMAND...: polls until the command succeeds.
wait_until() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.05
    done
}
