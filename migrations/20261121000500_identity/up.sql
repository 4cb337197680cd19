-- Who may do what: people, their sessions, other programs, and the keys that tokens are signed with.

create table accounts (
    user_id text primary key,
    -- Argon2id, as a PHC string.
    password_hash text not null,
    role text not null,
    created_at timestamptz not null default clock_timestamp(),
    disabled_at timestamptz,
    constraint accounts_user_id check (octet_length(user_id) between 1 and 128),
    constraint accounts_role check (role in ('customer', 'operator'))
);

-- A login, and the refresh tokens that descend from it.
create table sessions (
    id uuid primary key,
    user_id text not null references accounts on delete cascade,
    created_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null,
    revoked_at timestamptz
);
create index sessions_user on sessions (user_id);

-- SHA-256 of each token. One that is used a second time was stolen, by the first user of it or by the
-- second: its session ends.
create table refresh_tokens (
    hash bytea primary key,
    session_id uuid not null references sessions on delete cascade,
    used_at timestamptz,
    constraint refresh_tokens_hash check (octet_length(hash) = 32)
);
create index refresh_tokens_session on refresh_tokens (session_id);

-- Other programs. A key is 256 random bits, so that its SHA-256 tells nothing of it.
create table service_keys (
    id bigint generated always as identity primary key,
    name text not null,
    hash bytea not null unique,
    scopes text[] not null,
    created_at timestamptz not null default clock_timestamp(),
    revoked_at timestamptz,
    constraint service_keys_name check (octet_length(name) between 1 and 64),
    constraint service_keys_hash check (octet_length(hash) = 32)
);
-- A name is used again only once its key was revoked.
create unique index service_keys_name on service_keys (name) where revoked_at is null;

-- What access tokens are signed with. The newest signs, a minute after it was made, when every instance
-- knows it; an older one is believed until it retires.
create table signing_keys (
    kid text primary key,
    algorithm text not null,
    secret bytea not null,
    created_at timestamptz not null default clock_timestamp(),
    retires_at timestamptz
);

-- From where: the address of the client, as far as it is known.
alter table audit_log add column origin text not null default '';
