# Runs of the load generator whose findings are kept, and what they need.
# shellcheck shell=bash

# The script sets BIN, OUT, SECONDS_EACH and CONNECTIONS, and has started the programs (programs.sh).

FAILED=
failed() { FAILED=yes; }
none_failed() { [[ -z $FAILED ]]; }

# The places of those APIs that are measured, where it is not all of them.
MEASURED_APIS=()

# Into URLS and WATCHED: the options that name the APIs, and everything whose processor time counts.
watched() {
    local number pid service
    local numbers=("${MEASURED_APIS[@]}")
    ((${#numbers[@]})) || numbers=("${!API_URLS[@]}")
    URLS=() WATCHED=()
    for number in "${numbers[@]}"; do
        URLS+=(--url "${API_URLS[number]}")
        WATCHED+=(--process "api=${API_PIDS[number]}")
    done
    for pid in "${WORKER_PIDS[@]}"; do WATCHED+=(--process "worker=$pid"); done
    for service in rabbitmq postgres redis; do
        WATCHED+=(--process "$service=$(service_pid "$service")")
    done
    WATCHED+=(--postgres "$DOORBUSTER__POSTGRES__URL")
}

# measure NAME.ROUND SCENARIO SECONDS [OPTION…]
measure() {
    local file=$1 scenario=$2 seconds=$3
    shift 3
    forget_keys
    watched
    keep "$file" "$BIN/doorbuster" load run "$scenario" --json "${URLS[@]}" "${WATCHED[@]}" \
        --connections "$CONNECTIONS" --duration-s "$seconds" "$@"
}

# Idempotency keys stay for a day: a Redis that is full of those of earlier runs is not what is measured.
# Redis loses nothing that is not made anew within a second.
forget_keys() {
    [[ -z $SERVICES_ARE_OURS ]] ||
        redis-cli -u "$DOORBUSTER__REDIS__URL" --no-auth-warning FLUSHALL >/dev/null
}

# measure_knee SCENARIO
measure_knee() {
    forget_keys
    watched
    keep "knee-$1.1" "$BIN/doorbuster" load knee "$1" --json "${URLS[@]}" "${WATCHED[@]}" \
        --connections "$CONNECTIONS" --duration-s "$SECONDS_EACH"
}

# keep NAME.ROUND COMMAND…: its JSON. Exit 1 is a finding (something was lost), anything else the end.
keep() {
    local file=$OUT/$1.json status=0
    say "$1"
    shift
    "$@" >"$file.new" || status=$?
    if ((status > 1)); then
        rm -f -- "$file.new"
        exit "$status"
    fi
    ((status == 0)) || failed
    mv -- "$file.new" "$file"
}

# The highest rate that was sustained; 0 if none was.
knee_of() {
    local knee
    knee=$(grep -o '"kneePerS":[0-9.]*' "$OUT/knee-$1.1.json" | head -n 1 | cut -d : -f 2) || knee=0
    printf '%s\n' "${knee:-0}"
}

# Second, program and bytes, once a second for as long as all of the programs are there.
sample_memory() {
    local began=$SECONDS number pid
    while true; do
        for number in "${!API_PIDS[@]}"; do
            resident "${API_PIDS[number]}" "api-$((number + 1))" || return 0
        done
        for number in "${!WORKER_PIDS[@]}"; do
            resident "${WORKER_PIDS[number]}" "worker-$((number + 1))" || return 0
        done
        sleep 1
    done >"$1"
}

resident() {
    local kilobytes
    kilobytes=$(awk '$1 == "VmRSS:" { print $2 }' "/proc/$1/status" 2>/dev/null) && [[ -n $kilobytes ]] || return 1
    printf '%d %s %d\n' $((SECONDS - began)) "$2" $((kilobytes * 1024))
}

# How many orders prefill has made.
PREFILLED=0

# prefill N: as many confirmed orders of a product that nobody buys any more, by buyers in no order, as
# buyers are.
prefill() {
    local step
    command -v psql >/dev/null || die "psql is needed to fill the table; apt-get install postgresql-client"
    while ((PREFILLED < $1)); do
        step=$(($1 - PREFILLED < 500000 ? $1 - PREFILLED : 500000))
        say "orders in the table: $((PREFILLED + step)) of $1"
        prefill_sql $((PREFILLED + 1)) $((PREFILLED + step)) |
            psql "$DOORBUSTER__POSTGRES__URL" --no-psqlrc --quiet --set ON_ERROR_STOP=1 >&2
        PREFILLED=$((PREFILLED + step))
    done
    psql "$DOORBUSTER__POSTGRES__URL" --no-psqlrc --quiet --command 'vacuum (analyze) orders' >&2
}

# prefill_sql FROM TO: the IDs look like those of a day ago, one in each millisecond; the books agree.
prefill_sql() {
    cat <<SQL
begin;
insert into products (sku, name, description, category, price_minor, currency, active)
values ('PREFILLED', 'Sold long ago', 'Made by scripts/performance', 'load', 100, 'USD', false)
on conflict (sku) do nothing;
insert into inventory (product_id, total, sold)
select id, 0, 0 from products where sku = 'PREFILLED'
on conflict (product_id) do nothing;
update inventory set total = total + $2 - $1 + 1, sold = sold + $2 - $1 + 1, version = version + 1
where product_id = (select id from products where sku = 'PREFILLED');
insert into orders (id, product_id, user_id, quantity, unit_price_minor, currency, status,
    idempotency_key, fingerprint, accepted_at, decided_at, version)
select
    (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '80008000' || lpad(to_hex(n), 12, '0'))::uuid,
    p.id, 'u-' || md5(n::text), 1, 100, 'USD', 'CONFIRMED', 'k-' || n, n, at, at, 1
from products p, generate_series($1::bigint, $2::bigint) n,
    lateral (select date_trunc('day', now()) - interval '1 day' + n * interval '1 millisecond' as at) moment
where p.sku = 'PREFILLED';
commit;
SQL
}
