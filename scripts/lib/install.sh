# Installs what is missing, from Debian's own archive, and only where that is allowed.
# shellcheck shell=bash

missing_packages() {
    [[ -n $(postgres_bin) ]] || printf 'postgresql '
    [[ -n $(redis_bin) ]] || printf 'redis-server '
    [[ -n $(rabbitmq_bin) ]] || printf 'rabbitmq-server '
}

as_root() {
    if ((EUID == 0)); then "$@"; else sudo -n -- "$@"; fi
}

can_install() {
    command -v apt-get >/dev/null && { ((EUID == 0)) || sudo -n true 2>/dev/null; }
}

install_missing() {
    local packages
    read -ra packages <<<"$(missing_packages)"
    ((${#packages[@]} > 0)) || return 0
    can_install || die "these servers are missing and can't be installed from here (that takes apt-get, and root or passwordless sudo).
Install them, then run this again:  sudo apt-get install ${packages[*]}"
    # One installer at a time on this machine; the file is only a thing to lock that exists everywhere.
    exec {INSTALL_FD}</etc/os-release
    flock "$INSTALL_FD"
    read -ra packages <<<"$(missing_packages)"
    ((${#packages[@]} == 0)) || install_packages "${packages[@]}"
    exec {INSTALL_FD}<&-
    [[ -z $(missing_packages) ]] || die "installed ${packages[*]}, but still can't find: $(missing_packages)"
}

install_packages() (
    say "installing $*"
    local log
    log=$(mktemp)
    trap 'allow_daemons; rm -f -- "$log"' EXIT
    forbid_daemons
    if ! { apt_get update && apt_get install --no-install-recommends "$@"; } >"$log" 2>&1; then
        tail -n 30 -- "$log" >&2
        die "apt-get could not install: $*"
    fi
)

apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -y -qq -o DPkg::Lock::Timeout=300 "$@"
}

# Debian's packages start a default daemon when they are installed. policy-rc.d is Debian's way to say no;
# one that is there already and says no is left as it is.
POLICY=/usr/sbin/policy-rc.d

forbid_daemons() {
    if [[ -x $POLICY ]]; then
        local answer=0
        as_root "$POLICY" redis-server start >/dev/null 2>&1 || answer=$?
        ((answer != 101)) || return 0
    fi
    [[ ! -e $POLICY ]] || as_root mv -- "$POLICY" "$POLICY.before-doorbuster"
    printf '#!/bin/sh\n# Written by doorbuster scripts/services while it installs packages.\nexit 101\n' |
        as_root tee "$POLICY" >/dev/null
    as_root chmod 755 "$POLICY"
}

allow_daemons() {
    grep -qs doorbuster "$POLICY" || return 0
    as_root rm -f -- "$POLICY"
    [[ ! -e $POLICY.before-doorbuster ]] || as_root mv -- "$POLICY.before-doorbuster" "$POLICY"
}

# libFuzzer, which everything built with all features has in it, is C++.
install_compiler() {
    ! command -v "${CXX:-c++}" >/dev/null || return 0
    [[ -z ${CXX:-} ]] || die "CXX names a C++ compiler that is not here: $CXX"
    can_install || die "a C++ compiler is missing:  sudo apt-get install g++"
    install_packages g++
}
