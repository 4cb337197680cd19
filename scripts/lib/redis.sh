# Redis: nothing persisted, because the gate may be lost at any time (ARCHITECTURE.md).
# shellcheck shell=bash

redis_bin() { command -v redis-server || true; }
redis_ports() { printf '%s' "$1"; }

# `default` is the name of Redis's own user; some clients send an empty name when the URL has none.
redis_url() { printf 'redis://default:%s@127.0.0.1:%s/0' "$(password redis)" "$(port "$1")"; }

redis_start() {
    local member=$1
    mkdir -p -- "$FOLDER/$member"
    (umask 077 && redis_conf "$member" >"$FOLDER/$member/redis.conf")
    spawn "$member" "$(redis_bin)" "$FOLDER/$member/redis.conf"
}

redis_conf() {
    local member=$1
    cat <<CONF
# Written by scripts/services at every start.
bind 127.0.0.1
port $(port "$member")
requirepass $(password redis)
dir "$FOLDER/$member"
# So that tests can take one each.
databases 1024
save ""
appendonly no
maxmemory 2gb
maxmemory-policy volatile-ttl
CONF
}

redis_ready() { [[ $(ask "$(port "$1")" "AUTH $(password redis)\r\nPING\r\nQUIT\r\n") == *+PONG* ]]; }

redis_settle() { :; }
redis_stop_signal() { printf TERM; }
redis_kill() { kill -KILL "$2"; }
redis_wipe() { rm -rf -- "${FOLDER:?}/$1"; }
