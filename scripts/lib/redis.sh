# Redis: nothing persisted, because the gate may be lost at any time (ARCHITECTURE.md).
# shellcheck shell=bash

redis_bin() { command -v redis-server || true; }
redis_ports() { printf '%s' "$1"; }

# `default` is the name of Redis's own user; some clients send an empty name when the URL has none.
redis_url() { printf 'redis://default:%s@127.0.0.1:%s/0' "$(password redis)" "$(port "$1")"; }

redis_start() {
    local member=$1
    mkdir -p -- "$FOLDER/$member"
    # A replica leaves what it was sent as dump.rdb, and would begin with that whatever `save` says.
    rm -f -- "$FOLDER/$member"/*.rdb
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
    ! is_replicated || redis_pair_conf "$member"
}

redis_pair_conf() {
    cat <<CONF
masterauth $(password redis)
# Otherwise a replica that comes back waits 5 s for others to come back with it.
repl-diskless-sync-delay 0
CONF
    is_primary "$1" || printf 'replicaof 127.0.0.1 %s\n' "$(port "$(partner_of "$1")")"
}

redis_ask() { ask "$(port "$1")" "AUTH $(password redis)\r\n$2\r\nQUIT\r\n"; }
redis_ready() { [[ $(redis_ask "$1" PING) == *+PONG* ]]; }

# A new replica is empty until it has heard from its primary.
redis_settle() {
    local primary standby
    is_replicated || return 0
    primary=$(primary_of redis)
    standby=$(partner_of "$primary")
    is_running "$primary" && is_running "$standby" || return 0
    # Its primary may have another port by now; otherwise this changes nothing.
    redis_ask "$standby" "REPLICAOF 127.0.0.1 $(port "$primary")" >/dev/null
    wait_until "$START_DEADLINE_S" redis_follows "$standby" ||
        die "$standby does not follow $primary; see $(log_file "$standby")"
}

redis_follows() { [[ $(redis_ask "$1" 'INFO replication') == *master_link_status:up* ]]; }

redis_leads() { [[ $(redis_ask "$1" 'INFO replication') == *role:master* ]]; }
redis_may_lead() { :; } # nothing is kept in Redis that may not be lost
redis_lead() {
    [[ $(redis_ask "$1" 'REPLICAOF NO ONE') == *+OK*+OK* ]] ||
        die "$1 refused to become the primary; see $(log_file "$1")"
}

redis_gone() { :; }
redis_stop_signal() { printf TERM; }
redis_kill() { kill -KILL "$2"; }
redis_wipe() { rm -rf -- "${FOLDER:?}/$1" "$FOLDER/redis.primary"; }
