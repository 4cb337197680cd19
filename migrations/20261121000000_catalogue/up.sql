-- What is for sale, how much of it there is, and what the programs share.

create table products (
    id bigint generated always as identity primary key,
    sku text not null constraint products_sku_key unique,
    name text not null,
    description text not null,
    category text not null,
    image_url text,
    price_minor bigint not null check (price_minor >= 0),
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    -- Units one user may buy outside sales; null: no limit.
    per_user_limit bigint check (per_user_limit >= 0),
    active boolean not null default true
);

-- One row per product, changed by every settle that sells of it. Whoever changes it, or the
-- product's limits, sales or active flag, locks this row first and raises the version by one, so
-- that one version orders everything the boards show.
create table inventory (
    product_id bigint primary key references products (id),
    total bigint not null,
    reserved bigint not null default 0,
    sold bigint not null default 0,
    version bigint not null default 1,
    -- Conservation: total = available + reserved + sold, none of them negative.
    constraint inventory_conserved check (reserved >= 0 and sold >= 0 and reserved + sold <= total)
) with (
    -- No column that changes is indexed: with room on the page every update is heap-only and
    -- leaves the primary key alone, also while a long reader keeps old versions alive.
    fillfactor = 20,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 1000
);

-- Changes of `total`, so that inventory can be recomputed from history.
create table stock_movements (
    id bigint generated always as identity primary key,
    product_id bigint not null references products (id),
    delta bigint not null check (delta <> 0),
    why text not null,
    who text not null,
    at timestamptz not null default clock_timestamp()
);

-- For the exclusion constraint below: equality of bigint inside a GiST index.
create extension if not exists btree_gist;

create table sales (
    id bigint generated always as identity primary key,
    product_id bigint not null references products (id),
    -- In the product's currency.
    price_minor bigint not null check (price_minor >= 0),
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    per_user_limit bigint check (per_user_limit >= 0),
    -- Length of a hold; null: the configured default.
    hold_seconds bigint check (hold_seconds > 0),
    -- Units the sale may sell; null: all there are. `taken` is kept only where it is set.
    quantity bigint check (quantity > 0),
    taken bigint not null default 0,
    cancelled_at timestamptz,
    waiting_room jsonb,
    constraint sales_time check (starts_at < ends_at),
    constraint sales_taken check (taken >= 0 and (quantity is null or taken <= quantity)),
    -- Sales of one product never overlap; a cancelled one makes room.
    constraint sales_overlap exclude using gist (
        product_id with =, tstzrange(starts_at, ends_at) with &&
    ) where (cancelled_at is null)
) with (
    -- `taken` changes as often as inventory does, and is in no index.
    fillfactor = 20
);

-- What all instances share: the tracking key (made by `doorbuster migrate`) and the catalogue's
-- version, which rises with every change of a product or sale.
create table settings (
    name text primary key,
    value text not null
);

insert into settings (name, value) values ('catalogue_version', '1');
