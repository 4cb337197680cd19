-- Every purchase that was settled, refused ones too: each tracking ID ends in a row.
--
-- No foreign keys: a refusal may name a product that does not exist, and each key would cost a
-- lookup and a lock per row on the way that 25,000 rows a second take.
create table orders (
    -- A UUIDv8 that begins with the moment of acceptance, so that new rows meet at one end of the
    -- index. Order ID, tracking ID and reservation ID in one.
    id uuid primary key,
    -- Who buys what at which price: all of it or, while parked with nothing known, none.
    product_id bigint,
    sale_id bigint,
    user_id text,
    quantity bigint,
    unit_price_minor bigint,
    currency text,
    status text not null,
    reason text,
    -- The client's key and the digest of what was asked for under it, on the row that owns it.
    idempotency_key text,
    fingerprint bigint,
    -- The order that this one repeats; its reader is shown that one.
    replay_of uuid,
    -- The expired or failed hold whose late payment this order honours.
    reclaims uuid,
    -- Set when money has to go back.
    refund_due_at timestamptz,
    -- End of the hold, and of the time to pay, by this database's clock.
    expires_at timestamptz,
    pay_by timestamptz,
    accepted_at timestamptz not null,
    decided_at timestamptz,
    -- 1 when the row is written, +1 at every transition.
    version bigint not null,
    payment_method text,
    payment_reference text,
    shipping_address jsonb,

    constraint orders_status check (
        status in (
            'REJECTED', 'PARKED', 'RESERVED', 'PENDING', 'CONFIRMED', 'EXPIRED', 'CANCELLED',
            'FAILED', 'FULFILLED'
        )
    ),
    constraint orders_reason check ((status = 'REJECTED') = (reason is not null)),
    -- Nothing is known of a parked order, nor of one that was discarded unread.
    constraint orders_terms check (
        case num_nulls(product_id, user_id, quantity, unit_price_minor, currency)
            when 0 then quantity > 0 and unit_price_minor >= 0
            when 5 then status = 'PARKED' or reason = 'DISCARDED'
            else false
        end
    ),
    constraint orders_key check ((idempotency_key is null) = (fingerprint is null)),
    constraint orders_version check (version > 0)
);

-- Indexes are the largest single cost of a settle, so there are only those that a rule needs.

-- A retried key is never a second purchase, for ever and whatever Redis has forgotten.
create unique index orders_user_key on orders (user_id, idempotency_key)
where idempotency_key is not null;

-- Who holds units now: looked up by buyer, and swept; as small as there are open holds.
create index orders_held on orders (product_id, user_id)
where status in ('RESERVED', 'PENDING');

-- Units that a buyer has, counted only where a limit applies. Sale 0 is outside sales.
create table buyers (
    product_id bigint not null,
    sale_id bigint not null default 0,
    user_id text not null,
    units bigint not null,
    primary key (product_id, sale_id, user_id),
    constraint buyers_units check (units >= 0)
);
