# The services folder: who owns it, one command at a time in it, its logs and passwords.
# shellcheck shell=bash

FOLDER=$(realpath -m -- "${DOORBUSTER_SERVICES_DIR:-$REPO/.services}")

say() { printf '%s\n' "$*"; }

die() {
    printf 'services: %s\n' "$*" >&2
    exit 1
}

[[ $(uname) == Linux ]] || die "runs on Linux only; elsewhere use docker compose"

# These would need escaping in the servers' configuration files.
[[ $FOLDER != *[[:cntrl:]\"\\*?[]* ]] || die "the folder's name has characters that can't be used here: $FOLDER"

# The marker keeps `down --wipe` away from a folder that somebody named by mistake.
is_our_folder() { [[ -f $FOLDER/.doorbuster-services ]]; }

create_folder() {
    is_our_folder && return
    if [[ -e $FOLDER && (! -d $FOLDER || -n $(ls -A -- "$FOLDER")) ]]; then
        die "$FOLDER is there already and was not made by scripts/services; name another folder"
    fi
    mkdir -p -- "$FOLDER"/{log,run,ports}
    touch -- "$FOLDER/.doorbuster-services"
}

remove_folder() {
    rm -rf -- "$FOLDER"/{log,run,ports,passwords,lock,replicated,.doorbuster-services}
    rmdir -- "$FOLDER" || die "$FOLDER holds files that are not ours; left them there"
}

# Queues that were declared on one node stay on it, so a folder is replicated from its beginning or never.
make_replicated() {
    is_replicated && return
    [[ ! -f $FOLDER/passwords ]] ||
        die "$FOLDER holds single servers; run down --wipe first, or name another folder in DOORBUSTER_SERVICES_DIR"
    touch -- "$FOLDER/replicated"
}

require_folder() {
    [[ -f $FOLDER/passwords ]] || die "nothing is set up in $FOLDER; run scripts/services up first"
}

# Two shells may say `up` at the same moment.
lock_folder() {
    exec {LOCK_FD}>"$FOLDER/lock"
    flock --wait 300 "$LOCK_FD" || die "another scripts/services has been busy in $FOLDER for 5 minutes"
}

log_file() { printf '%s' "$FOLDER/log/$1.log"; }

# Generated, because every user of the machine can reach 127.0.0.1. Hex needs no escaping in a URL. Those of
# a folder that an older version made are kept, and what it did not know is added.
create_passwords() {
    # Of the administrators and of the programs' own users, in PostgreSQL and RabbitMQ.
    local name names=("${KINDS[@]}" api worker)
    # Of PostgreSQL's role that copies and promotes, and what RabbitMQ's nodes know each other by.
    ! is_replicated || names+=(operator cookie)
    (
        umask 077
        for name in "${names[@]}"; do
            grep -s "^$name=" "$FOLDER/passwords" ||
                printf '%s=%s\n' "$name" "$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
        done >"$FOLDER/passwords.new"
    )
    mv -- "$FOLDER/passwords.new" "$FOLDER/passwords"
}

password() { sed -n "s/^$1=//p" "$FOLDER/passwords"; }
