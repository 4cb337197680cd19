-- What operators do with dead letters, and the log of what operators did.

-- When it was last replayed; null where it has failed again since.
alter table dead_letters add column replayed_at timestamptz;
-- Since when it waits for nobody: its order was decided, or it was discarded.
alter table dead_letters add column closed_at timestamptz;

update dead_letters d set closed_at = clock_timestamp()
from orders o where o.id = d.order_id and o.status <> 'PARKED';

create index dead_letters_open on dead_letters (id) where closed_at is null;
create index dead_letters_closed on dead_letters (closed_at);
create index dead_letters_order on dead_letters (order_id) where order_id is not null;

-- What operators did. Rows are added in the transaction of the act, and never change.
create table audit_log (
    id bigint generated always as identity primary key,
    at timestamptz not null default clock_timestamp(),
    actor text not null,
    action text not null,
    subject text not null,
    details jsonb not null default '{}'
);

create function audit_log_is_append_only() returns trigger language plpgsql as $$
begin
    raise exception 'audit_log is only ever added to';
end
$$;

create trigger audit_log_append_only before update or delete or truncate on audit_log
for each statement execute function audit_log_is_append_only();
