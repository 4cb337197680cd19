# What is up, for people and for programs.
# shellcheck shell=bash

state() {
    if ! is_running "$1"; then
        printf down
    elif call ready "$1"; then
        printf up
    else
        printf stuck
    fi
}

status_text() {
    local server state exit_code=0
    for server in "${SERVERS[@]}"; do
        state=$(state "$server")
        [[ $state == up ]] || exit_code=3
        printf '%-9s %-5s  pid %-7s  port %-5s%s\n' "$server" "$state" \
            "$(running_pid "$server" || printf -- -)" "$(port "$server" 2>/dev/null || printf -- -)" \
            "$(status_note "$server" "$state")"
    done
    return "$exit_code"
}

status_note() {
    local server=$1 state=$2
    [[ $server != rabbitmq* || $state == down ]] || printf '  management %s' "$(rabbitmq_management_url "$server")"
}

status_json() {
    local server state rows=() exit_code=0
    for server in "${SERVERS[@]}"; do
        state=$(state "$server")
        [[ $state == up ]] || exit_code=3
        rows+=("$(server_json "$server" "$state")")
    done
    local IFS=,
    printf '{"folder":"%s","allUp":%s,"servers":[%s]}\n' "$FOLDER" "$( ((exit_code == 0)) && printf true || printf false)" "${rows[*]}"
    return "$exit_code"
}

# The folder's name is free of characters that need escaping (folder.sh).
server_json() {
    local server=$1 state=$2
    printf '{"name":"%s","state":"%s","pid":%s,"port":%s,"log":"%s"' "$server" "$state" \
        "$(running_pid "$server" || printf null)" "$(port "$server" 2>/dev/null || printf null)" "$(log_file "$server")"
    if [[ $server == rabbitmq* && $state != down ]]; then
        printf ',"managementUrl":"%s","prometheusUrl":"http://127.0.0.1:%s/metrics"' \
            "$(rabbitmq_management_url "$server")" "$(port "$server-prometheus")"
    fi
    printf '}'
}
