# Which servers a folder holds. A kind has one member of its own name; with --replicated, more of them:
# PostgreSQL and Redis are pairs of a primary and its copy, RabbitMQ is a cluster of three equals.
# shellcheck shell=bash

KINDS=(postgres redis rabbitmq)

is_replicated() { [[ -e $FOLDER/replicated ]]; }

# Into SERVERS: all members, in the order in which they are listed.
# shellcheck disable=SC2034 # read by the others
know_servers() {
    SERVERS=("${KINDS[@]}")
    if is_replicated; then
        SERVERS=(postgres postgres-2 redis redis-2 rabbitmq rabbitmq-2 rabbitmq-3)
        START_DEADLINE_S=120 # more than twice as many start at once, and some wait for others
    fi
}

kind_of() { printf '%s' "${1%-[0-9]}"; }

# call STEP MEMBER [ARG...]: the step as the member's kind does it.
call() { "${2%-[0-9]}_$1" "${@:2}"; }

# In the order in which they start and stop. A primary is first: a copy needs it to start, and once it has
# stopped, nothing is committed that the copy would miss.
members_of() {
    if ! is_replicated; then
        printf '%s\n' "$1"
    elif [[ $1 == rabbitmq ]]; then
        printf '%s\n' rabbitmq rabbitmq-2 rabbitmq-3
    else
        printf '%s\n' "$(primary_of "$1")" "$(partner_of "$(primary_of "$1")")"
    fi
}

primary_of() { cat -- "$FOLDER/$1.primary" 2>/dev/null || printf '%s' "$1"; }
is_primary() { [[ $(primary_of "$(kind_of "$1")") == "$1" ]]; }
partner_of() { if [[ $1 == *-2 ]]; then printf '%s' "${1%-2}"; else printf '%s-2' "$1"; fi; }

make_primary() {
    local file
    file=$FOLDER/$(kind_of "$1").primary
    printf '%s\n' "$1" >"$file.new"
    mv -- "$file.new" "$file"
}

# What a member of a pair is; nothing for the others.
role_of() {
    is_replicated && [[ $1 != rabbitmq* ]] || return 0
    if is_primary "$1"; then printf primary; else printf standby; fi
}
