# RabbitMQ with management UI: the repository's own rabbitmq.conf, plugins and definitions, plus private
# ports, a private user and a private epmd (Erlang's port mapper), so that no other node is disturbed.
# shellcheck shell=bash

# Debian's /usr/sbin/rabbitmq-server insists on the system's user and folders; the real one does not.
rabbitmq_bin() {
    if [[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ]]; then
        printf /usr/lib/rabbitmq/bin/rabbitmq-server
    else
        command -v rabbitmq-server || true
    fi
}

# amqp is first: it is the one that `status` shows.
rabbitmq_ports() { printf 'rabbitmq rabbitmq-management rabbitmq-prometheus rabbitmq-dist'; }

rabbitmq_choose_ports() {
    local name
    for name in $(rabbitmq_ports); do
        choose_port "$name"
    done
    running_pid epmd >/dev/null || choose_port epmd
}

rabbitmq_url() { printf 'amqp://doorbuster:%s@127.0.0.1:%s/doorbuster' "$(password rabbitmq)" "$(port rabbitmq)"; }

rabbitmq_management_url() {
    printf 'http://doorbuster:%s@127.0.0.1:%s' "$(password rabbitmq)" "$(port rabbitmq-management)"
}

rabbitmq_configure() {
    local dir=$SERVICES_DIR/rabbitmq
    mkdir -p -- "$dir"/{conf.d,definitions.d,home}
    cp -- "$REPO/rabbitmq/rabbitmq.conf" "$REPO/rabbitmq/enabled_plugins" "$dir/"
    cp -- "$REPO/rabbitmq/definitions.json" "$dir/definitions.d/10-topology.json"
    (umask 077 && rabbitmq_user >"$dir/definitions.d/20-user.json")
    cat >"$dir/conf.d/private.conf" <<CONF
# Written by scripts/services at every start.
load_definitions = $dir/definitions.d
listeners.tcp.1 = 127.0.0.1:$(port rabbitmq)
management.tcp.ip = 127.0.0.1
management.tcp.port = $(port rabbitmq-management)
prometheus.tcp.ip = 127.0.0.1
prometheus.tcp.port = $(port rabbitmq-prometheus)
CONF
}

# An administrator, so that tests can create virtual hosts through the management API.
rabbitmq_user() {
    cat <<JSON
{
  "users": [{ "name": "doorbuster", "password": "$(password rabbitmq)", "tags": ["administrator"] }],
  "permissions": [{ "user": "doorbuster", "vhost": "doorbuster", "configure": ".*", "write": ".*", "read": ".*" }]
}
JSON
}

# Everything that a node would otherwise take from /etc/rabbitmq, /var/lib/rabbitmq or the user's home.
rabbitmq_environment() {
    local dir=$SERVICES_DIR/rabbitmq
    printf '%s\n' \
        "HOME=$dir/home" \
        "ERL_EPMD_ADDRESS=127.0.0.1" \
        "ERL_EPMD_PORT=$(port epmd)" \
        "RABBITMQ_NODENAME=doorbuster-$(cksum <<<"$SERVICES_DIR" | cut -d' ' -f1)@localhost" \
        "RABBITMQ_DIST_PORT=$(port rabbitmq-dist)" \
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-noinput -kernel inet_dist_use_interface {127,0,0,1}" \
        "RABBITMQ_CONF_ENV_FILE=$dir/rabbitmq-env.conf" \
        "RABBITMQ_CONFIG_FILE=$dir/rabbitmq.conf" \
        "RABBITMQ_CONFIG_FILES=$dir/conf.d/*.conf" \
        "RABBITMQ_ADVANCED_CONFIG_FILE=$dir/advanced.config" \
        "RABBITMQ_ENABLED_PLUGINS_FILE=$dir/enabled_plugins" \
        "RABBITMQ_GENERATED_CONFIG_DIR=$dir/generated" \
        "RABBITMQ_SCHEMA_DIR=$dir/schema" \
        "RABBITMQ_MNESIA_BASE=$dir/data" \
        "RABBITMQ_LOG_BASE=$SERVICES_DIR/log" \
        "RABBITMQ_LOGS=-" \
        "RABBITMQ_PID_FILE=$dir/beam.pid" \
        "RABBITMQ_ALLOW_INPUT=1"
}

rabbitmq_start() {
    local environment
    rabbitmq_configure
    mapfile -t environment < <(rabbitmq_environment)
    rabbitmq_start_epmd
    spawn rabbitmq env "${environment[@]}" "$(rabbitmq_bin)"
}

# Our own port mapper: the one that Erlang would start by itself is shared by everybody on the machine.
rabbitmq_start_epmd() {
    running_pid epmd >/dev/null || spawn epmd epmd -address 127.0.0.1 -port "$(port epmd)"
}

rabbitmq_stop_epmd() {
    local pid
    pid=$(running_pid epmd) || return 0
    kill -TERM "$pid"
    wait_gone "$pid" 10 || die "epmd (pid $pid) did not stop"
    rm -f -- "$SERVICES_DIR/run/epmd.pid"
}

# The AMQP port opens last, after the definitions were imported; the answer needs our user to exist.
rabbitmq_ready() {
    local credentials
    credentials=$(printf 'doorbuster:%s' "$(password rabbitmq)" | base64 -w 0)
    [[ $(ask "$(port rabbitmq-management)" "GET /api/health/checks/port-listener/$(port rabbitmq) HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic $credentials\r\nConnection: close\r\n\r\n") == 'HTTP/1.1 200'* ]]
}

rabbitmq_stop_signal() { printf TERM; }
rabbitmq_kill() { kill -KILL "$1"; }
rabbitmq_wipe() { rm -rf -- "$SERVICES_DIR/rabbitmq"; }
