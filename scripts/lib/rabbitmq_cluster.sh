# RabbitMQ's cluster: three nodes, and so three members of every quorum queue.
# shellcheck shell=bash

rabbitmq_cluster_conf() {
    local member=$1
    [[ $member == rabbitmq ]] || rabbitmq_joiner_conf "$member"
    cat <<CONF
# Queues are declared by the node that completes the cluster: an earlier one would keep them to itself.
cluster_formation.target_cluster_size_hint = 3
# A node that was paused for a minute has been given up by the others, and must not go on by itself.
cluster_partition_handling = pause_minority
# Three nodes on one machine: a third of the usual 0.4 of its memory for each, and of that at most 64 MB
# (instead of 512 MB) for what quorum queues have written last.
vm_memory_high_watermark.relative = 0.13
raft.wal_max_size_bytes = 67108864
CONF
}

# The first time, the first node founds the cluster, and the others join it when it is up: half started, it
# would give them tables of an older format. Later all start at once, because some may wait for others.
rabbitmq_start_nodes() {
    local member joined=() new=()
    for member in $(members_of rabbitmq); do
        if [[ -e $FOLDER/$member.joined ]]; then joined+=("$member"); else new+=("$member"); fi
    done
    if ((${#joined[@]} == 0)); then
        joined=(rabbitmq)
        new=("${new[@]:1}")
    fi
    rabbitmq_start_epmd # before its nodes, which would each start one
    together start_server "${joined[@]}"
    together start_server "${new[@]}"
}

# For a node's first start. The first node has no such list, so that it never looks for others, nor waits for
# the lock that a joining node holds on all whom it lists.
rabbitmq_joiner_conf() {
    cat <<CONF
cluster_formation.peer_discovery_backend = classic_config
cluster_formation.classic_config.nodes.1 = $(rabbitmq_node rabbitmq)
cluster_formation.classic_config.nodes.2 = $(rabbitmq_node "$1")
cluster_formation.discovery_retry_limit = $((START_DEADLINE_S * 2))
cluster_formation.discovery_retry_interval = 500
CONF
}

# Erlang makes one where there is none, but then each node would be first.
rabbitmq_write_cookie() {
    local cookie=$FOLDER/rabbitmq/home/.erlang.cookie new
    [[ ! -e $cookie ]] || return 0
    new=$(mktemp -- "$cookie.XXXXXX")
    password cookie | tr -d '\n' >"$new"
    chmod 400 -- "$new"
    mv -f -- "$new" "$cookie"
}

rabbitmq_await_nodes() {
    local member
    for member in $(members_of rabbitmq); do
        if is_running "$member"; then
            await_server "$member"
            touch -- "$FOLDER/$member.joined"
        fi
    done
}

# The first node that answers; any answers for all of them.
rabbitmq_any() {
    local member
    if is_replicated; then
        for member in $(members_of rabbitmq); do
            if is_running "$member" && rabbitmq_ready "$member"; then
                printf '%s' "$member"
                return
            fi
        done
    fi
    printf rabbitmq
}

# After the last node of a cluster is gone, the first to come back waits for those that were there longer:
# they may know of queues that it has not heard of.
rabbitmq_must_wait() {
    is_replicated || return 1
    local member running=1
    for member in $(members_of rabbitmq); do
        if [[ $member != "$1" ]] && is_running "$member"; then
            ((++running))
            ! rabbitmq_ready "$member" || return 1
        fi
    done
    ((running < 3))
}

# Prints the name of the server that leads a queue.
rabbitmq_leader() {
    local vhost=$1 queue=$2 node member
    node=$(rabbitmq_ctl "$(rabbitmq_any)" -q eval "
        case rabbit_amqqueue:lookup(rabbit_misc:r($(erlang_binary "$vhost"), queue, $(erlang_binary "$queue"))) of
            {ok, Q} ->
                case amqqueue:get_pid(Q) of
                    {Name, _} ->
                        case ra:members([{Name, Node} || Node <- [node() | nodes()]], 5000) of
                            {ok, _, {_, Leader}} -> Leader;
                            _ -> no_leader
                        end;
                    Pid -> node(Pid)
                end;
            {error, not_found} -> no_queue
        end.") || die "no node of RabbitMQ answers"
    [[ $node != no_queue ]] || die "there is no queue '$queue' in vhost '$vhost'"
    for member in $(members_of rabbitmq); do
        if [[ ${node//\'/} == "$(rabbitmq_node "$member")" ]]; then
            say "$member"
            return
        fi
    done
    die "queue '$queue' of vhost '$vhost' has no leader at the moment"
}

# Bytes as numbers, so that nothing needs escaping.
erlang_binary() { printf '<<%s>>' "$(printf %s "$1" | od -An -v -tu1 | xargs | tr ' ' ,)"; }
