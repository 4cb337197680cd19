# PostgreSQL: role `doorbuster` (owns the tables, may create databases), roles `doorbuster_api` and
# `doorbuster_worker` (may do what `doorbuster migrate` gives them), database `doorbuster`, passwords over TCP only.
# shellcheck shell=bash

# PostgreSQL refuses to run as root.
AS_POSTGRES=()
((EUID != 0)) || AS_POSTGRES=(setpriv --reuid=postgres --regid=postgres --init-groups --)

# The folder of its programs: the newest, except where the data was made by an older version.
postgres_bin() {
    local version
    version=$(cat -- "$(postgres_data "$(primary_of postgres)")/PG_VERSION" 2>/dev/null) || version=
    if [[ -n $version && -x /usr/lib/postgresql/$version/bin/postgres ]]; then
        printf '%s' "/usr/lib/postgresql/$version/bin"
    elif command -v postgres >/dev/null && command -v initdb >/dev/null; then
        dirname -- "$(command -v postgres)"
    else
        # Debian keeps them off the PATH.
        find /usr/lib/postgresql/*/bin -maxdepth 1 -name postgres -printf '%h\n' 2>/dev/null | sort -V | tail -n 1
    fi
}

postgres_ports() { printf '%s' "$1"; }
postgres_url() { printf 'postgres://doorbuster:%s@127.0.0.1:%s/doorbuster' "$(password postgres)" "$(port "$1")"; }
postgres_data() { cat -- "$FOLDER/$1.datadir" 2>/dev/null; }

postgres_start() {
    local member=$1 bin data
    ((EUID != 0)) || id postgres >/dev/null 2>&1 ||
        die "PostgreSQL can't run as root and there is no system user 'postgres'; create one: useradd --system postgres"
    postgres_choose_data "$member"
    bin=$(postgres_bin)
    data=$(postgres_data "$member")
    if is_primary "$member"; then
        postgres_init "$bin" "$data" || report_failure "$member" "could not create its data"
        postgres_begin_alone "$member"
    else
        postgres_begin_following "$member"
    fi
    postgres_configure "$member"
    forget_zombie "$data"
    spawn "$member" "${AS_POSTGRES[@]}" "$bin/postgres" -D "$data"
}

# A place that the server's user can reach: here, or else in a temporary folder (/var/tmp first: /tmp may
# be memory, where durability costs nothing and so measures nothing).
postgres_choose_data() {
    [[ ! -d $(postgres_data "$1") ]] || return 0
    local data=$FOLDER/$1 parent
    mkdir -p -- "$data"
    if ! "${AS_POSTGRES[@]}" test -x "$data/."; then
        rmdir -- "$data"
        for parent in "${TMPDIR:-/var/tmp}" /var/tmp /tmp; do
            "${AS_POSTGRES[@]}" test -x "$parent/." && break
        done
        data=$(mktemp -d -- "$parent/doorbuster-services-XXXXXXXX")
    fi
    ((EUID != 0)) || chown postgres: -- "$data"
    printf '%s\n' "$data" >"$FOLDER/$1.datadir"
}

# In a container whose first process never collects its dead, a killed postmaster stays as a zombie, and
# PostgreSQL takes it for alive. Removing the file is safe: a start still refuses while any process of the
# old server holds its shared memory.
forget_zombie() {
    local pid
    { read -r pid <"$1/postmaster.pid"; } 2>/dev/null || return 0
    is_alive "$pid" || rm -f -- "$1/postmaster.pid"
}

# Single-user mode makes role and database before anybody can connect. initdb's `trust` never takes
# effect: pg_hba.conf is written at every start. The marker comes last, so half-made data is made anew.
postgres_init() {
    local bin=$1 data=$2
    [[ ! -f $data/.complete ]] || return 0
    find "$data" -mindepth 1 -delete
    chmod 700 -- "$data"
    {
        "${AS_POSTGRES[@]}" "$bin/initdb" --pgdata="$data" --username=postgres --encoding=UTF8 --locale=C --auth=trust &&
            postgres_roles | "${AS_POSTGRES[@]}" "$bin/postgres" --single -D "$data" template1 &&
            touch -- "$data/.complete"
    } >>"$(log_file postgres)" 2>&1
}

# One statement per line: single-user mode reads them so.
postgres_roles() {
    cat <<SQL
create role doorbuster login createdb password '$(password postgres)'
create role doorbuster_api login password '$(password api)'
create role doorbuster_worker login password '$(password worker)'
create database doorbuster owner doorbuster
SQL
    ! is_replicated || postgres_pair_roles
}

# postgres_configure MEMBER [STANDBY]: STANDBY, or else whoever it is at the moment, is waited for.
postgres_configure() {
    local member=$1 data
    data=$(postgres_data "$member")
    {
        postgres_conf "$member"
        ! is_replicated || postgres_pair_conf "$@"
    } >"$data/postgresql.conf"
    {
        printf 'host all all 127.0.0.1/32 scram-sha-256\n'
        ! is_replicated || printf 'host replication operator 127.0.0.1/32 scram-sha-256\n'
    } >"$data/pg_hba.conf"
}

postgres_conf() {
    cat <<CONF
# Written by scripts/services at every start.
listen_addresses = '127.0.0.1'
port = $(port "$1")
unix_socket_directories = ''    # a socket's path may have only 107 bytes
max_connections = 200

# Durability is never traded for speed, not even in tests: what is measured here must mean something.
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
}

postgres_ready() {
    PGPASSWORD=$(password postgres) PGCONNECT_TIMEOUT=3 timeout 5 "$(postgres_bin)/psql" -XAtq -h 127.0.0.1 \
        -p "$(port "$1")" -U doorbuster -d doorbuster -c 'select 1' >/dev/null 2>&1
}

postgres_stop_signal() { printf INT; } # "fast": ends the sessions, writes a checkpoint

# With its children, or one of them would keep the shared memory and the next start would refuse. It is
# paused first, so that it can't fork another while they are being counted.
postgres_kill() {
    local pid=$2 child children
    kill -STOP "$pid"
    mapfile -t children < <(children_of "$pid")
    kill -KILL "$pid" "${children[@]}"
    for child in "${children[@]}"; do
        wait_until 10 is_gone "$child" || die "PostgreSQL's process $child survived kill -9"
    done
}

postgres_wipe() {
    local data
    rm -f -- "$FOLDER/$1.follows" "$FOLDER"/postgres.{primary,alone}
    data=$(postgres_data "$1") || return 0
    case $data in
        "$FOLDER/$1" | */doorbuster-services-????????) rm -rf -- "$data" ;;
        *) die "$FOLDER/$1.datadir names '$data', which is not ours; remove it yourself" ;;
    esac
    rm -f -- "$FOLDER/$1.datadir"
}
