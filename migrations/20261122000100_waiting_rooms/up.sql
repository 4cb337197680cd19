-- What is known of waiting rooms for good. The lines themselves are kept where it is fast; everything is
-- written here first, so that a line that was lost goes on where it was.
create table waiting_rooms (
    sale_id bigint primary key references sales,
    -- No index at or above this one was given out.
    reserved bigint not null,
    -- No number at or above this one was called.
    admitted bigint not null default 0,
    -- How many had joined before the opening, and what shuffled them.
    early bigint,
    seed text,
    constraint waiting_rooms_counts check (reserved >= 0 and admitted >= 0 and early >= 0),
    constraint waiting_rooms_draw check ((early is null) = (seed is null)),
    constraint waiting_rooms_seed check (seed ~ '^[0-9a-f]{32}$')
);

-- Which numbers were called when, `first` up to just before `beyond`; as far back as a pass may still be good.
create table waiting_room_calls (
    id bigint generated always as identity primary key,
    sale_id bigint not null references waiting_rooms on delete cascade,
    first bigint not null,
    beyond bigint not null,
    at timestamptz not null
);
create index waiting_room_calls_sale on waiting_room_calls (sale_id, at);

-- The rules of a sale's waiting room; null: it has none.
alter table sales add constraint sales_waiting_room
    check (waiting_room is null or jsonb_typeof(waiting_room) = 'object');
