# RabbitMQ with its management UI: the repository's rabbitmq.conf, plugins and definitions, plus private
# ports, a private user, and a private epmd (Erlang's port mapper), so that no other node is disturbed.
# shellcheck shell=bash

# Debian's /usr/sbin/rabbitmq-server insists on the system's user and folders; the one behind it does not.
rabbitmq_bin() {
    if [[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ]]; then
        printf /usr/lib/rabbitmq/bin/rabbitmq-server
    else
        command -v rabbitmq-server || true
    fi
}

rabbitmq_ports() {
    printf '%s ' "$1" "$1-management" "$1-prometheus" "$1-distribution"
    is_running epmd || printf rabbitmq-epmd
}

rabbitmq_url() { printf 'amqp://doorbuster:%s@127.0.0.1:%s/doorbuster' "$(password rabbitmq)" "$(port "$1")"; }

rabbitmq_management_url() {
    printf 'http://doorbuster:%s@127.0.0.1:%s' "$(password rabbitmq)" "$(port "$1-management")"
}

rabbitmq_start() {
    local member=$1 environment
    rabbitmq_configure "$member"
    mapfile -t environment < <(rabbitmq_environment "$member")
    rabbitmq_start_epmd
    spawn "$member" env "${environment[@]}" "$(rabbitmq_bin)"
}

rabbitmq_configure() {
    local member=$1 dir=$FOLDER/$1
    mkdir -p -- "$dir"/{conf.d,definitions.d} "$FOLDER/rabbitmq/home"
    cp -- "$REPO/rabbitmq/rabbitmq.conf" "$REPO/rabbitmq/enabled_plugins" "$dir/"
    cp -- "$REPO/rabbitmq/definitions.json" "$dir/definitions.d/10-topology.json"
    (umask 077 && rabbitmq_users >"$dir/definitions.d/20-users.json")
    rm -f -- "$dir/definitions.d/20-user.json"
    cp -- "$REPO/rabbitmq/permissions.json" "$dir/definitions.d/30-permissions.json"
    rabbitmq_private_conf "$member" >"$dir/conf.d/private.conf"
    if is_replicated; then
        rabbitmq_cluster_conf "$member" >>"$dir/conf.d/private.conf"
        rabbitmq_write_cookie
    fi
}

# Added to the repository's rabbitmq.conf; where both set a key, this wins.
rabbitmq_private_conf() {
    local member=$1
    cat <<CONF
# Written by scripts/services at every start.
load_definitions = $FOLDER/$member/definitions.d
listeners.tcp.1 = 127.0.0.1:$(port "$member")
management.tcp.ip = 127.0.0.1
management.tcp.port = $(port "$member-management")
prometheus.tcp.ip = 127.0.0.1
prometheus.tcp.port = $(port "$member-prometheus")
CONF
}

# An administrator, so that tests can create virtual hosts through the management API, and the programs' own
# users, who may do what they need.
rabbitmq_users() {
    cat <<JSON
{
  "users": [
    { "name": "doorbuster", "password": "$(password rabbitmq)", "tags": ["administrator"] },
    { "name": "doorbuster-api", "password": "$(password api)", "tags": [] },
    { "name": "doorbuster-worker", "password": "$(password worker)", "tags": [] }
  ]
}
JSON
}

# Everything that a node would otherwise take from /etc/rabbitmq, /var/lib/rabbitmq or the user's home.
rabbitmq_environment() {
    local member=$1 dir=$FOLDER/$1
    cat <<ENVIRONMENT
HOME=$FOLDER/rabbitmq/home
ERL_CRASH_DUMP=$dir/erl_crash.dump
ERL_EPMD_ADDRESS=127.0.0.1
ERL_EPMD_PORT=$(port rabbitmq-epmd)
RABBITMQ_NODENAME=$(rabbitmq_node "$member")
RABBITMQ_DIST_PORT=$(port "$member-distribution")
RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-noinput -kernel inet_dist_use_interface {127,0,0,1}
RABBITMQ_CTL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}
RABBITMQ_CONF_ENV_FILE=$dir/rabbitmq-env.conf
RABBITMQ_CONFIG_FILE=$dir/rabbitmq.conf
RABBITMQ_CONFIG_FILES=$dir/conf.d/*.conf
RABBITMQ_ADVANCED_CONFIG_FILE=$dir/advanced.config
RABBITMQ_ENABLED_PLUGINS_FILE=$dir/enabled_plugins
RABBITMQ_GENERATED_CONFIG_DIR=$dir/generated
RABBITMQ_SCHEMA_DIR=$dir/schema
RABBITMQ_MNESIA_BASE=$dir/data
RABBITMQ_LOG_BASE=$dir/log
RABBITMQ_LOGS=-
RABBITMQ_PID_FILE=$dir/beam.pid
RABBITMQ_ALLOW_INPUT=1
ENVIRONMENT
    # The last one makes the script become the server instead of its parent; -noinput takes back the rest.
}

rabbitmq_node() { printf 'doorbuster-%s%s@localhost' "$(cksum <<<"$FOLDER" | cut -d' ' -f1)" "${1#rabbitmq}"; }

# Our own port mapper: the one that Erlang would start by itself is shared by everybody on the machine.
rabbitmq_start_epmd() {
    if ! is_running epmd; then
        require_free_port rabbitmq-epmd
        spawn epmd "$(rabbitmq_epmd)" -address 127.0.0.1 -port "$(port rabbitmq-epmd)"
    fi
    wait_until 10 epmd_answers_or_ended || report_failure epmd "did not answer within 10 s"
    is_running epmd || report_failure epmd "ended while starting"
}

epmd_answers_or_ended() { ! port_is_free "$(port rabbitmq-epmd)" || ! is_running epmd; }

# Not on the PATH where Erlang was installed from its own packages.
rabbitmq_epmd() {
    command -v epmd || erl -noinput -eval 'io:format("~s", [os:find_executable("epmd")]), halt().'
}

rabbitmq_stop_epmd() {
    local pid
    pid=$(running_pid epmd) || return 0
    kill -TERM "$pid"
    wait_until 10 is_gone "$pid" || die "epmd (pid $pid) did not stop"
    forget_pid epmd
}

# The AMQP port opens last, after the definitions were imported; and the question takes our user.
rabbitmq_ready() {
    local credentials request
    credentials=$(printf 'doorbuster:%s' "$(password rabbitmq)" | base64 -w 0)
    request="GET /api/health/checks/port-listener/$(port "$1") HTTP/1.1\r\nHost: localhost\r\n"
    request+="Authorization: Basic $credentials\r\nConnection: close\r\n\r\n"
    [[ $(ask "$(port "$1-management")" "$request") == 'HTTP/1.1 200 '* ]]
}

# Two things that the AMQP port does not wait for. A quorum queue elects its leader a moment after a start,
# and until then reports 0 messages whatever it holds. And a new queue's registration is written to disk up
# to 500 ms late: a kill -9 before that leaves a queue that never has a leader again (3.10.8 and 4.0.5).
rabbitmq_settle() {
    local member
    ! is_replicated || rabbitmq_await_nodes
    member=$(rabbitmq_any)
    rabbitmq_ctl "$member" -q eval '
        Nodes = [node() | nodes()],
        [rpc:call(Node, dets, sync, [Table])
            || Node <- Nodes, Tables <- [rpc:call(Node, dets, all, [])], is_list(Tables), Table <- Tables],
        [{ok, _, _} = ra:members([{element(1, amqqueue:get_pid(Q)), Node} || Node <- Nodes], 10000)
            || Q <- rabbit_amqqueue:list(<<"doorbuster">>), amqqueue:get_type(Q) =:= rabbit_quorum_queue],
        ok.' >>"$(log_file "$member")" 2>&1 ||
        die "RabbitMQ runs, but a queue of vhost doorbuster has no leader; see $(log_file "$member"), or start over with down --wipe"
}

# rabbitmq_ctl MEMBER ARG...
rabbitmq_ctl() {
    local environment
    mapfile -t environment < <(rabbitmq_environment "$1")
    shift
    env "${environment[@]}" "$(dirname -- "$(rabbitmq_bin)")/rabbitmqctl" "$@"
}

rabbitmq_stop_signal() { printf TERM; }
rabbitmq_kill() { kill -KILL "$2"; }
rabbitmq_gone() { :; }
rabbitmq_wipe() { rm -rf -- "${FOLDER:?}/$1" "$FOLDER/$1.joined"; }
