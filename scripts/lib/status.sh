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
    local server state width=9 exit_code=0
    ! is_replicated || width=10
    for server in "${SERVERS[@]}"; do
        state=$(state "$server")
        [[ $state == up ]] || exit_code=3
        printf "%-${width}s %-5s  pid %-7s  port %-5s%s\n" "$server" "$state" \
            "$(running_pid "$server" || printf -- -)" "$(port "$server" 2>/dev/null || printf -- -)" \
            "$(status_note "$server" "$state")"
    done
    return "$exit_code"
}

status_note() {
    local server=$1 state=$2
    if [[ $server == rabbitmq* ]]; then
        [[ $state == down ]] || printf '  management %s' "$(rabbitmq_management_url "$server")"
    elif is_replicated; then
        printf '  %s' "$(role_of "$server")"
        ! postgres_is_alone "$server" || printf ', commits alone'
    fi
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
    local server=$1 state=$2 role
    role=$(role_of "$server")
    printf '{"name":"%s","state":"%s","pid":%s,"port":%s,"log":"%s"' "$server" "$state" \
        "$(running_pid "$server" || printf null)" "$(port "$server" 2>/dev/null || printf null)" "$(log_file "$server")"
    [[ -z $role ]] || printf ',"role":"%s"' "$role"
    if [[ $server == postgres* && $role == primary ]]; then
        printf ',"alone":%s' "$(postgres_is_alone "$server" && printf true || printf false)"
    fi
    if [[ $server == rabbitmq* && $state != down ]]; then
        printf ',"managementUrl":"%s","prometheusUrl":"http://127.0.0.1:%s/metrics"' \
            "$(rabbitmq_management_url "$server")" "$(port "$server-prometheus")"
    fi
    printf '}'
}
