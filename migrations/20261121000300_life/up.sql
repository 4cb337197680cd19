-- What happens to an order after it was settled.

-- Transactions of the payment provider whose money has to go back: a JSON array of texts.
alter table orders add column refund_references jsonb;
alter table orders add constraint orders_refund check (
    (refund_due_at is null) = (refund_references is null)
);

-- Deadlines, swept in order; as small as there are open holds.
create index orders_deadline on orders
    ((case status when 'RESERVED' then expires_at else pay_by end))
where status in ('RESERVED', 'PENDING');

-- A late payment is honoured once.
create unique index orders_reclaims on orders (reclaims) where reclaims is not null;

-- Money that has to go back, for operators.
create index orders_refund_due on orders (id) where refund_due_at is not null;

-- A user's orders, newest first.
create index orders_user on orders (user_id, id);

-- What else a commit owes than news of orders: stock that ran low or out, sales and products that
-- changed.
alter table outbox add column notices jsonb not null default '[]';

-- What was last announced of a sale that follows the clock: upcoming, live or ended.
alter table sales add column announced text not null default 'upcoming'
    constraint sales_announced check (announced in ('upcoming', 'live', 'ended'));

create index sales_to_announce on sales
    ((case announced when 'upcoming' then starts_at else ends_at end))
where announced <> 'ended' and cancelled_at is null;
