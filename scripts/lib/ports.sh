# Free ports, chosen once and remembered in one small file each.
# shellcheck shell=bash

port() { cat -- "$FOLDER/ports/$1"; }

port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

choose_ports() {
    local name
    for name in $(call ports "$1"); do
        choose_port "$name"
    done
}

# Keeps the remembered port unless somebody else has taken it meanwhile.
choose_port() {
    local name=$1 file=$FOLDER/ports/$1 candidate
    [[ -f $file ]] && port_is_free "$(<"$file")" && return
    # 20000-24999 lies below the range that the kernel takes for outgoing connections, so a stopped server's
    # port is still free when it starts again, and away from a default RabbitMQ's 25672 and 35672-35682.
    for _ in {1..200}; do
        candidate=$((20000 + RANDOM % 5000))
        if port_is_free "$candidate" && ! grep -qsxF "$candidate" "$FOLDER"/ports/*; then
            printf '%s\n' "$candidate" >"$file"
            return
        fi
    done
    die "found no free port for $name between 20000 and 24999"
}

# `start` keeps the port that clients know. The wait is for a killed server that is still letting go of it.
require_free_ports() {
    local name
    for name in $(call ports "$1"); do
        require_free_port "$name"
    done
}

require_free_port() {
    wait_until 5 port_is_free "$(port "$1")" ||
        die "port $(port "$1") of $1 is taken by another program; scripts/services up chooses another"
}

# Sends a request to a local port and prints what comes back until the server closes.
ask() {
    # shellcheck disable=SC2016 # the inner shell expands these
    timeout 5 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1" && printf "%b" "$2" >&3 && cat <&3' ask "$1" "$2" 2>/dev/null
}
