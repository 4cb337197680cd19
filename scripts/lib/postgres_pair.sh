# PostgreSQL's pair: a standby that every commit of the primary waits for, so that it can take over at any
# moment without an acknowledged commit lost. Two files are what is known about it:
#
#   postgres.alone    the primary has acknowledged commits that the standby may lack. It is there before the
#                     primary stops waiting, and goes after the standby has everything.
#   MEMBER.follows    the member's data is a whole copy of today's primary, however much is missing at its end.
# shellcheck shell=bash

ALONE=$FOLDER/postgres.alone

postgres_is_alone() { [[ -e $ALONE ]] && [[ $1 == "$(primary_of postgres)" ]]; }

# A superuser, because of `checkpoint` and the state of replication; the programs never get it.
postgres_pair_roles() { printf "create role operator superuser login password '%s'\n" "$(password operator)"; }

postgres_pair_conf() {
    local member=$1 awaited=${2:-}
    if is_primary "$member"; then
        [[ -e $ALONE ]] || awaited=$(partner_of "$member")
        postgres_primary_conf "$awaited"
    else
        postgres_standby_conf "$member"
    fi
}

# A standby that is away for longer than this much WAL is copied afresh; without an end, it would fill the disk.
postgres_primary_conf() {
    local awaited=
    [[ -z $1 ]] || awaited="\"$1\"" # a name with a dash
    cat <<CONF

# synchronous_commit = on means: written to disk by this one too. Empty, the primary commits alone.
synchronous_standby_names = '$awaited'
max_slot_wal_keep_size = 1GB
CONF
}

postgres_standby_conf() {
    local member=$1
    cat <<CONF

primary_conninfo = '$(postgres_conninfo "$(partner_of "$member")") application_name=$member'
primary_slot_name = 'standby'
wal_retrieve_retry_interval = 500ms
CONF
}

postgres_conninfo() { printf 'host=127.0.0.1 port=%s user=operator password=%s' "$(port "$1")" "$(password operator)"; }

postgres_sql() {
    PGPASSWORD=$(password operator) PGCONNECT_TIMEOUT=3 timeout "$START_DEADLINE_S" "$(postgres_bin)/psql" -XAtq \
        -h 127.0.0.1 -p "$(port "$1")" -U operator -d postgres -v ON_ERROR_STOP=1 -c "$2" 2>>"$(log_file "$1")"
}

postgres_says() { [[ $(postgres_sql "$1" "$2") == t ]]; }

# A primary whose standby is down would acknowledge nothing.
postgres_begin_alone() {
    is_replicated && ! is_running "$(partner_of "$1")" || return 0
    touch -- "$ALONE"
}

postgres_begin_following() {
    local member=$1 primary
    primary=$(partner_of "$member")
    postgres_can_follow "$member" "$primary" || postgres_copy "$member" "$primary"
    # It makes the server a standby; a promotion removes it.
    "${AS_POSTGRES[@]}" touch -- "$(postgres_data "$member")/standby.signal"
}

# Not what was a primary itself: it may hold commits that the other one never heard of.
postgres_can_follow() {
    [[ -e $FOLDER/$1.follows ]] || return 1
    ! postgres_ready "$2" || postgres_says "$2" \
        "select wal_status in ('reserved', 'extended') from pg_replication_slots where slot_name = 'standby'"
}

postgres_copy() {
    local member=$1 primary=$2 data
    data=$(postgres_data "$member")
    postgres_ready "$primary" || die "$member has to be copied from $primary, which is not up; start $primary first"
    rm -f -- "$FOLDER/$member.follows"
    find "$data" -mindepth 1 -delete
    chmod 700 -- "$data"
    # The one that the copy's predecessor has used may be in use for a moment yet.
    wait_until 10 postgres_new_slot "$primary" || report_failure "$primary" "could not make a replication slot"
    PGPASSWORD=$(password operator) "${AS_POSTGRES[@]}" "$(postgres_bin)/pg_basebackup" -h 127.0.0.1 \
        -p "$(port "$primary")" -U operator -D "$data" --slot=standby --checkpoint=fast --no-password \
        >>"$(log_file "$member")" 2>&1 || report_failure "$member" "could not be copied from $primary"
    touch -- "$FOLDER/$member.follows"
}

postgres_new_slot() {
    postgres_sql "$1" "
        select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = 'standby';
        select pg_create_physical_replication_slot('standby', true)" >/dev/null
}

# Both are up: the primary waits for its standby again.
postgres_settle() {
    is_replicated || return 0
    local primary standby
    primary=$(primary_of postgres)
    standby=$(partner_of "$primary")
    is_running "$primary" && is_running "$standby" || return 0
    # Its primary may have another port by now.
    postgres_configure "$standby"
    postgres_reload "$standby"
    postgres_await "$primary" "state = 'streaming'"
    [[ ! -e $ALONE ]] || postgres_rejoin "$primary" "$standby"
    postgres_await "$primary" "sync_state = 'sync'"
}

# postgres_await PRIMARY CONDITION on its standby.
postgres_await() {
    wait_until "$START_DEADLINE_S" postgres_says "$1" \
        "select $2 from pg_stat_replication where application_name = '$(partner_of "$1")'" ||
        die "$(partner_of "$1") did not catch up with $1; see $(log_file "$(partner_of "$1")")"
}

# After a reload, commits still go without the standby until the checkpointer has taken notice; a checkpoint
# that is asked for later proves that it has. What was acknowledged before it lies before `end`.
postgres_rejoin() {
    local primary=$1 standby=$2 end
    postgres_configure "$primary" "$standby"
    postgres_reload "$primary"
    postgres_await "$primary" "sync_state = 'sync'"
    postgres_sql "$primary" checkpoint
    end=$(postgres_sql "$primary" 'select pg_current_wal_flush_lsn()')
    postgres_await "$primary" "flush_lsn >= '$end'"
    rm -f -- "$ALONE"
}

# The standby was taken away on purpose: the primary goes on without it.
postgres_gone() {
    local primary
    is_replicated && ! is_primary "$1" || return 0
    primary=$(partner_of "$1")
    is_running "$primary" || return 0
    touch -- "$ALONE"
    postgres_configure "$primary"
    postgres_reload "$primary"
}

postgres_reload() { kill -HUP "$(running_pid "$1")"; }

postgres_leads() { [[ $(postgres_sql "$1" 'select pg_is_in_recovery()') == f ]]; }

postgres_may_lead() {
    local primary
    primary=$(partner_of "$1")
    [[ ! -e $ALONE ]] ||
        die "$1 may lack commits that $primary has acknowledged alone; start both first: scripts/services up"
}

# It finds nobody to wait for in its configuration, so it can commit at once.
postgres_lead() {
    local member=$1
    touch -- "$ALONE"
    rm -f -- "$FOLDER/$member.follows"
    "${AS_POSTGRES[@]}" "$(postgres_bin)/pg_ctl" promote --wait --timeout="$START_DEADLINE_S" \
        -D "$(postgres_data "$member")" >>"$(log_file "$member")" 2>&1 ||
        report_failure "$member" "could not be promoted"
}
