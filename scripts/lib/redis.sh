# Redis: nothing persisted, because the gate may be lost at any time (ARCHITECTURE.md).
# shellcheck shell=bash

redis_bin() { command -v redis-server || true; }
redis_ports() { printf redis; }

# `default` is the name of Redis's own user; some clients send an empty name when the URL has none.
redis_url() { printf 'redis://default:%s@127.0.0.1:%s/0' "$(password redis)" "$(port redis)"; }

redis_start() {
    mkdir -p -- "$FOLDER/redis"
    (umask 077 && redis_conf >"$FOLDER/redis/redis.conf")
    spawn redis "$(redis_bin)" "$FOLDER/redis/redis.conf"
}

redis_conf() {
    cat <<CONF
# Written by scripts/services at every start.
bind 127.0.0.1
port $(port redis)
requirepass $(password redis)
dir "$FOLDER/redis"
# So that tests can take one each.
databases 1024
save ""
appendonly no
maxmemory 2gb
maxmemory-policy volatile-ttl
CONF
}

redis_ready() { [[ $(ask "$(port redis)" "AUTH $(password redis)\r\nPING\r\nQUIT\r\n") == *+PONG* ]]; }

redis_stop_signal() { printf TERM; }
redis_kill() { kill -KILL "$1"; }
redis_wipe() { rm -rf -- "$FOLDER/redis"; }
