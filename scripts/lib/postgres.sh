# PostgreSQL: role `doorbuster` (may create databases), database `doorbuster`, scram over TCP only.
# shellcheck shell=bash

# The folder of the newest version, or of the one that made the data.
postgres_bin() {
    local version=
    [[ ! -f $SERVICES_DIR/postgres.datadir ]] || version=$(cat "$(postgres_data)/PG_VERSION" 2>/dev/null) || version=
    if [[ -n $version && -x /usr/lib/postgresql/$version/bin/postgres ]]; then
        printf '%s' "/usr/lib/postgresql/$version/bin"
    elif command -v postgres >/dev/null && command -v initdb >/dev/null; then
        dirname -- "$(command -v postgres)"
    else
        find /usr/lib/postgresql/*/bin -maxdepth 1 -name postgres -printf '%h\n' 2>/dev/null | sort -V | tail -n 1
    fi
}

postgres_data() { cat -- "$SERVICES_DIR/postgres.datadir"; }
postgres_ports() { printf postgres; }
postgres_choose_ports() { choose_port postgres; }
postgres_url() { printf 'postgres://doorbuster:%s@127.0.0.1:%s/doorbuster' "$(password postgres)" "$(port postgres)"; }

# PostgreSQL refuses to run as root.
AS_POSTGRES=()
((EUID != 0)) || AS_POSTGRES=(setpriv --reuid=postgres --regid=postgres --init-groups --)

# A place for the data that the server's user can reach: .services/ itself, or else a private folder in
# the temporary directory. Only the folder's name is kept in .services/.
postgres_choose_data() {
    [[ ! -f $SERVICES_DIR/postgres.datadir ]] || return 0
    local data=$SERVICES_DIR/postgres parent
    mkdir -p -- "$data"
    if ! "${AS_POSTGRES[@]}" test -x "$data/."; then
        rmdir -- "$data"
        for parent in "${TMPDIR:-/tmp}" /tmp /var/tmp; do
            ! "${AS_POSTGRES[@]}" test -x "$parent/." || break
        done
        data=$(mktemp -d -- "$parent/doorbuster-services-XXXXXXXX")
    fi
    ((EUID != 0)) || chown postgres: -- "$data"
    printf '%s\n' "$data" >"$SERVICES_DIR/postgres.datadir"
}

# Single-user mode makes role and database before anybody can connect, so there is no moment without a
# password (initdb's `trust` is never used: pg_hba.conf is ours at every start).
postgres_init() {
    local bin=$1 data=$2
    [[ ! -f $data/.complete ]] || return 0
    find "$data" -mindepth 1 -delete
    chmod 700 -- "$data"
    cd / # the server's user may not be able to enter the caller's folder
    {
        "${AS_POSTGRES[@]}" "$bin/initdb" --pgdata="$data" --username=postgres --encoding=UTF8 --locale=C --auth=trust &&
            "${AS_POSTGRES[@]}" "$bin/postgres" --single -D "$data" template1 <<SQL &&
create role doorbuster login createdb password '$(password postgres)'
create database doorbuster owner doorbuster
SQL
            touch -- "$data/.complete"
    } >>"$(log_file postgres)" 2>&1
}

postgres_configure() {
    cat >"$1/postgresql.conf" <<CONF
# Written by scripts/services at every start.
listen_addresses = '127.0.0.1'
port = $(port postgres)
unix_socket_directories = ''        # TCP only: socket paths are limited to 107 bytes
max_connections = 200

# Durability is never traded for speed, not even in tests: measurements here must mean something.
fsync = on
full_page_writes = on
synchronous_commit = on

shared_buffers = 256MB
max_wal_size = 2GB

# A client whose machine vanished must not keep its locks.
tcp_keepalives_idle = 10
tcp_keepalives_interval = 2
tcp_keepalives_count = 3
tcp_user_timeout = 10s

timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %d '
log_lock_waits = on
CONF
    printf 'host all all 127.0.0.1/32 scram-sha-256\n' >"$1/pg_hba.conf"
}

postgres_start() {
    local bin data
    postgres_choose_data
    data=$(postgres_data)
    bin=$(postgres_bin)
    postgres_init "$bin" "$data" || die "could not create PostgreSQL's data; see $(log_file postgres)"
    postgres_configure "$data"
    spawn postgres "${AS_POSTGRES[@]}" "$bin/postgres" -D "$data"
}

postgres_ready() {
    PGPASSWORD=$(password postgres) PGCONNECT_TIMEOUT=2 timeout 3 "$(postgres_bin)/psql" -XAtq -h 127.0.0.1 \
        -p "$(port postgres)" -U doorbuster -d doorbuster -c 'select 1' >/dev/null 2>&1
}

postgres_stop_signal() { printf INT; } # "fast": ends sessions, writes a checkpoint

# The children too: one that lives on keeps the shared memory, and the next start would refuse. The
# postmaster is stopped first, so that it can't fork another while they are counted.
postgres_kill() {
    local children
    kill -STOP "$1"
    mapfile -t children < <(pgrep -P "$1")
    kill -KILL "$1" "${children[@]}"
    local child
    for child in "${children[@]}"; do
        wait_gone "$child" 10
    done
}

postgres_wipe() {
    [[ ! -f $SERVICES_DIR/postgres.datadir ]] || rm -rf -- "$(postgres_data)"
    rm -f -- "$SERVICES_DIR/postgres.datadir"
}
