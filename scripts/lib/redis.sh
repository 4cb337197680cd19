# Redis: nothing persisted, because the gate may be lost at any time (ARCHITECTURE.md).
# shellcheck shell=bash

redis_bin() { command -v redis-server || true; }
redis_ports() { printf redis; }
redis_choose_ports() { choose_port redis; }
redis_url() { printf 'redis://default:%s@127.0.0.1:%s/0' "$(password redis)" "$(port redis)"; }

redis_configure() (
    umask 077
    mkdir -p -- "$SERVICES_DIR/redis"
    cat >"$SERVICES_DIR/redis/redis.conf" <<CONF
# Written by scripts/services at every start.
bind 127.0.0.1
port $(port redis)
requirepass $(password redis)
dir "$SERVICES_DIR/redis"
databases 1024
save ""
appendonly no
maxmemory-policy noeviction
CONF
)

redis_start() {
    redis_configure
    spawn redis "$(redis_bin)" "$SERVICES_DIR/redis/redis.conf"
}

redis_ready() { [[ $(ask "$(port redis)" "AUTH $(password redis)\r\nPING\r\nQUIT\r\n") == *+PONG* ]]; }

redis_stop_signal() { printf TERM; }
redis_kill() { kill -KILL "$1"; }
redis_wipe() { rm -rf -- "$SERVICES_DIR/redis"; }
