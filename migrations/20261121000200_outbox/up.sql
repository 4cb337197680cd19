-- What a commit owes to the world: one row per batch, deleted when it is paid, which is usually
-- within milliseconds. The sweep pays what a crash left.
create table outbox (
    id bigint generated always as identity primary key,
    -- Parallel arrays: what became (`kinds`) of which order at which version.
    order_ids uuid[] not null,
    kinds text[] not null,
    versions bigint[] not null,
    -- Copies owed to the dead-letter queue.
    dead_letter_ids bigint[] not null default '{}',
    at timestamptz not null default clock_timestamp(),
    -- Until then somebody is paying it; at first the settler that wrote it, from memory.
    leased_until timestamptz not null
) with (
    -- The table is nearly empty and turns over completely: what matters is the number of dead
    -- rows, at which the oldest-first scan of the sweep would have to look.
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 1000,
    toast.autovacuum_vacuum_scale_factor = 0,
    toast.autovacuum_vacuum_threshold = 2000
);
-- IDs do not compress: do not try.
alter table outbox alter column order_ids set storage external;

-- Messages that could not be processed, as they came.
create table dead_letters (
    id bigint generated always as identity primary key,
    -- The parked order, where the message could be decoded.
    order_id uuid,
    body bytea not null,
    error text not null,
    attempts bigint not null default 0,
    at timestamptz not null default clock_timestamp()
);

-- A message that comes again is the same letter. (A digest: bodies are longer than an index entry
-- may be.)
create unique index dead_letters_body on dead_letters (sha256(body));

-- How often a suspect was tried on its own; outlives the workers that it kills. Empty but for
-- suspects in hand.
create table settle_attempts (
    order_id uuid primary key,
    attempts bigint not null,
    at timestamptz not null default clock_timestamp()
);
