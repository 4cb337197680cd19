# Which servers a folder holds: one or more members of each kind.
# shellcheck shell=bash

KINDS=(postgres redis rabbitmq)

# All members, in the order in which they are listed.
# shellcheck disable=SC2034 # read by the others
SERVERS=("${KINDS[@]}")

# call STEP MEMBER [ARG...]: the step as the member's kind does it.
call() { "${2%-[0-9]}_$1" "${@:2}"; }

# In the order in which they start and stop.
members_of() { printf '%s\n' "$1"; }
