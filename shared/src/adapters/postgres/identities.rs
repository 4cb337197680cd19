//! Accounts, sessions and keys. Every change and its line in the audit log are one transaction.

use async_trait::async_trait;
use diesel::data_types::PgTimestamp;
use diesel::sql_types::{
    Array, BigInt, Binary, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid,
};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use uuid::Uuid;

use super::audit_log::note;
use super::errors::Fault;
use super::ledger::{PostgresLedger, to_its_end};
use super::rows::from_pg;
use super::session::Session;
use super::statement::{bind, command, query};
use super::transaction::transaction;
use crate::domain::{Actor, Role, Scope, UserId};
use crate::ports::{
    Account, Deed, Identities, IdentityError, LedgerError, NewSession, Rotated, SecretHash,
    ServiceKey, SigningKey,
};

/// A statement that changes a row if the rules allow it; whether it did.
macro_rules! changes {
    ($session:expr, $sql:expr, $binds:expr) => {
        $session.execute(command($sql, $binds)).await? > 0
    };
}

/// As a customer, which is the column's default: the API's user may set no other.
async fn register(session: &Session, account: &Account, by: &Actor) -> Result<bool, Fault> {
    let sql = "insert into accounts (user_id, password_hash)
               select ?, ? where not exists (select from orders where user_id = ?)
               on conflict do nothing";
    let binds = (
        bind::<Text, _>(account.user_id.as_str()),
        bind::<Text, _>(account.password_hash.expose_secret()),
        bind::<Text, _>(account.user_id.as_str()),
    );
    if !changes!(session, sql, binds) {
        return Ok(false);
    }
    note(session, by, &Deed::account_registered(account)).await?;
    Ok(true)
}

async fn add_account(session: &Session, account: &Account, by: &Actor) -> Result<bool, Fault> {
    let sql = "insert into accounts (user_id, password_hash, role) values (?, ?, ?)
               on conflict do nothing";
    let binds = (
        bind::<Text, _>(account.user_id.as_str()),
        bind::<Text, _>(account.password_hash.expose_secret()),
        bind::<Text, _>(account.role.as_str()),
    );
    if !changes!(session, sql, binds) {
        return Ok(false);
    }
    note(session, by, &Deed::account_registered(account)).await?;
    Ok(true)
}

async fn account(session: &Session, user: &UserId) -> Result<Option<Account>, Fault> {
    let sql = "select password_hash, role, disabled_at is not null from accounts where user_id = ?";
    let read = query::<(Text, Text, Bool), _>(sql, (bind::<Text, _>(user.as_str()),));
    let found: Vec<(String, String, bool)> = session.rows(read).await?;
    let Some((password_hash, role, disabled)) = found.into_iter().next() else { return Ok(None) };
    let role = role_of(&role)?;
    let password_hash = SecretString::from(password_hash);
    Ok(Some(Account { user_id: user.clone(), password_hash, role, disabled }))
}

async fn disable(
    session: &Session,
    user: &UserId,
    disabled: bool,
    by: &Actor,
) -> Result<bool, Fault> {
    let sql = "update accounts set disabled_at = case when ? then clock_timestamp() end
               where user_id = ?";
    let binds = (bind::<Bool, _>(disabled), bind::<Text, _>(user.as_str()));
    if !changes!(session, sql, binds) {
        return Ok(false);
    }
    if disabled {
        let sql = "update sessions set revoked_at = clock_timestamp()
                   where user_id = ? and revoked_at is null";
        session.execute(command(sql, (bind::<Text, _>(user.as_str()),))).await?;
    }
    note(session, by, &Deed::account_disabled(user, disabled)).await?;
    Ok(true)
}

async fn begin_session(session: &Session, new: &NewSession, by: &Actor) -> Result<(), Fault> {
    let sql = "delete from sessions
               where user_id = ? and (expires_at < clock_timestamp() or revoked_at is not null)";
    session.execute(command(sql, (bind::<Text, _>(new.user_id.as_str()),))).await?;
    let sql = "insert into sessions (id, user_id, expires_at)
               values (?, ?, clock_timestamp() + ? * interval '1 second')";
    let binds = (
        bind::<SqlUuid, _>(new.id),
        bind::<Text, _>(new.user_id.as_str()),
        bind::<BigInt, _>(i64::from(new.seconds)),
    );
    session.execute(command(sql, binds)).await?;
    add_token(session, new.id, &new.token).await?;
    note(session, by, &Deed::session_begun(new.id)).await
}

async fn add_token(session: &Session, id: Uuid, token: &SecretHash) -> Result<(), Fault> {
    let sql = "insert into refresh_tokens (hash, session_id) values (?, ?)";
    let binds = (bind::<Binary, _>(&token[..]), bind::<SqlUuid, _>(id));
    session.execute(command(sql, binds)).await.map(drop)
}

type TokenRow = (Uuid, String, String, bool, i32);

/// The session of a token, locked: two that come with the same token come one after the other.
async fn session_of(session: &Session, token: &SecretHash) -> Result<Option<TokenRow>, Fault> {
    let sql = "select s.id, s.user_id, a.role, t.used_at is not null,
                   floor(extract(epoch from s.expires_at - clock_timestamp()))::int
               from refresh_tokens t join sessions s on s.id = t.session_id
                   join accounts a on a.user_id = s.user_id
               where t.hash = ? and s.revoked_at is null and a.disabled_at is null
                   and s.expires_at > clock_timestamp()
               for update of s, t";
    let read =
        query::<(SqlUuid, Text, Text, Bool, Integer), _>(sql, (bind::<Binary, _>(&token[..]),));
    Ok(session.rows(read).await?.into_iter().next())
}

async fn revoke(session: &Session, id: Uuid) -> Result<(), Fault> {
    let sql = "update sessions set revoked_at = clock_timestamp() where id = ?";
    session.execute(command(sql, (bind::<SqlUuid, _>(id),))).await.map(drop)
}

async fn rotate(
    session: &Session,
    token: &SecretHash,
    next: &SecretHash,
    origin: &str,
) -> Result<Rotated, Fault> {
    let Some((id, user, role, used, seconds_left)) = session_of(session, token).await? else {
        return Ok(Rotated::Ended);
    };
    let user_id = user_of(&user)?;
    if used {
        revoke(session, id).await?;
        let by = Actor::user(&user_id, origin);
        note(session, &by, &Deed::session_reused(id)).await?;
        return Ok(Rotated::Reused { user_id });
    }
    let sql = "update refresh_tokens set used_at = clock_timestamp() where hash = ?";
    session.execute(command(sql, (bind::<Binary, _>(&token[..]),))).await?;
    add_token(session, id, next).await?;
    let seconds_left = u32::try_from(seconds_left).unwrap_or_default();
    Ok(Rotated::Fresh { session: id, user_id, role: role_of(&role)?, seconds_left })
}

async fn end_session(session: &Session, token: &SecretHash, origin: &str) -> Result<(), Fault> {
    let Some((id, user, ..)) = session_of(session, token).await? else { return Ok(()) };
    revoke(session, id).await?;
    let by = Actor::user(&user_of(&user)?, origin);
    note(session, &by, &Deed::session_ended(id)).await
}

async fn add_service_key(
    session: &Session,
    name: &str,
    hash: &SecretHash,
    scopes: &[Scope],
    by: &Actor,
) -> Result<Option<i64>, Fault> {
    let sql = "insert into service_keys (name, hash, scopes) values (?, ?, ?)
               on conflict (name) where revoked_at is null do nothing returning id";
    let names: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
    let binds =
        (bind::<Text, _>(name), bind::<Binary, _>(&hash[..]), bind::<Array<Text>, _>(names));
    let added: Vec<i64> = session.rows(query::<BigInt, _>(sql, binds)).await?;
    let Some(&id) = added.first() else { return Ok(None) };
    note(session, by, &Deed::service_key_created(name, id, scopes)).await?;
    Ok(Some(id))
}

async fn revoke_service_key(session: &Session, name: &str, by: &Actor) -> Result<bool, Fault> {
    let sql = "update service_keys set revoked_at = clock_timestamp()
               where name = ? and revoked_at is null";
    if !changes!(session, sql, (bind::<Text, _>(name),)) {
        return Ok(false);
    }
    note(session, by, &Deed::service_key_revoked(name)).await?;
    Ok(true)
}

type ServiceKeyRow = (i64, String, Vec<u8>, Vec<String>, PgTimestamp, Option<PgTimestamp>);

async fn service_keys(session: &Session) -> Result<Vec<ServiceKey>, Fault> {
    let sql = "select id, name, hash, scopes, created_at, revoked_at from service_keys order by id";
    let read = query::<(BigInt, Text, Binary, Array<Text>, Timestamptz, Nullable<Timestamptz>), _>(
        sql,
        (),
    );
    let found: Vec<ServiceKeyRow> = session.rows(read).await?;
    let key = |(id, name, hash, scopes, created_at, revoked_at): ServiceKeyRow| {
        Some(ServiceKey {
            id,
            name,
            hash: hash.try_into().ok()?,
            // One that a newer version knows gives no rights here.
            scopes: scopes.iter().filter_map(|scope| Scope::parse(scope)).collect(),
            created_at: from_pg(created_at),
            revoked_at: revoked_at.map(from_pg),
        })
    };
    Ok(found.into_iter().filter_map(key).collect())
}

type SigningKeyRow = (String, String, Vec<u8>, PgTimestamp, Option<PgTimestamp>);

async fn signing_keys(session: &Session) -> Result<Vec<SigningKey>, Fault> {
    let sql = "select kid, algorithm, secret, created_at, retires_at from signing_keys
               where retires_at is null or retires_at > clock_timestamp()
               order by created_at desc, kid";
    let read = query::<(Text, Text, Binary, Timestamptz, Nullable<Timestamptz>), _>(sql, ());
    let found: Vec<SigningKeyRow> = session.rows(read).await?;
    let key = |(kid, algorithm, secret, created_at, retires_at): SigningKeyRow| SigningKey {
        kid,
        algorithm,
        secret: SecretSlice::from(secret),
        created_at: from_pg(created_at),
        retires_at: retires_at.map(from_pg),
    };
    Ok(found.into_iter().map(key).collect())
}

async fn add_signing_key(
    session: &Session,
    key: &SigningKey,
    only_first: bool,
    overlap_s: u32,
    by: &Actor,
) -> Result<(), Fault> {
    // One after the other: of two that make the first key, the second finds it made.
    session.batch("lock table signing_keys in share row exclusive mode").await?;
    let sql = "select count(*) from signing_keys where algorithm = ? and retires_at is null";
    let read = query::<BigInt, _>(sql, (bind::<Text, _>(key.algorithm.as_str()),));
    let signing: i64 = session.row(read).await?;
    if only_first && signing > 0 {
        return Ok(());
    }
    let sql = "update signing_keys
               set retires_at = clock_timestamp() + ? * interval '1 second'
               where retires_at is null and algorithm = ?";
    let algorithm = bind::<Text, _>(key.algorithm.as_str());
    let binds = (bind::<BigInt, _>(i64::from(overlap_s)), algorithm);
    session.execute(command(sql, binds)).await?;
    let sql = "insert into signing_keys (kid, algorithm, secret) values (?, ?, ?)";
    let binds = (
        bind::<Text, _>(key.kid.as_str()),
        bind::<Text, _>(key.algorithm.as_str()),
        bind::<Binary, _>(key.secret.expose_secret()),
    );
    session.execute(command(sql, binds)).await?;
    note(session, by, &Deed::signing_key_created(key)).await
}

/// Constraints keep anything else out of the tables.
fn role_of(name: &str) -> Result<Role, Fault> {
    Role::parse(name).ok_or_else(|| Fault::outage(format!("unknown role {name:?}")))
}

fn user_of(name: &str) -> Result<UserId, Fault> {
    UserId::parse(name).map_err(|error| Fault::outage(error.to_string()))
}

fn away(fault: Fault) -> IdentityError {
    LedgerError::from(fault).into()
}

/// `true` where something was changed, else the error.
fn changed(changed: bool, error: IdentityError) -> Result<(), IdentityError> {
    if changed { Ok(()) } else { Err(error) }
}

#[async_trait]
impl Identities for PostgresLedger {
    async fn register(&self, new: &Account, by: &Actor) -> Result<(), IdentityError> {
        let new = Account { role: Role::Customer, ..new.clone() };
        let (pool, by) = (self.pool.clone(), by.clone());
        let added =
            to_its_end(async move { transaction!(pool, |session| register(session, &new, &by)) });
        changed(added.await?, IdentityError::Taken)
    }

    async fn add_account(&self, new: &Account, by: &Actor) -> Result<(), IdentityError> {
        let (pool, new, by) = (self.pool.clone(), new.clone(), by.clone());
        let added =
            to_its_end(
                async move { transaction!(pool, |session| add_account(session, &new, &by)) },
            );
        changed(added.await?, IdentityError::Taken)
    }

    async fn account(&self, user: &UserId) -> Result<Option<Account>, IdentityError> {
        let session = self.pool.get().await.map_err(away)?;
        account(&session, user).await.map_err(away)
    }

    async fn disable(
        &self,
        user: &UserId,
        disabled: bool,
        by: &Actor,
    ) -> Result<(), IdentityError> {
        let (pool, user, by) = (self.pool.clone(), user.clone(), by.clone());
        let found = to_its_end(async move {
            transaction!(pool, |session| disable(session, &user, disabled, &by))
        });
        changed(found.await?, IdentityError::NotFound)
    }

    async fn begin_session(&self, new: &NewSession, by: &Actor) -> Result<(), IdentityError> {
        let (pool, new, by) = (self.pool.clone(), new.clone(), by.clone());
        to_its_end(async move { transaction!(pool, |session| begin_session(session, &new, &by)) })
            .await
            .map_err(IdentityError::from)
    }

    async fn rotate(
        &self,
        token: &SecretHash,
        next: &SecretHash,
        origin: &str,
    ) -> Result<Rotated, IdentityError> {
        let (pool, token, next) = (self.pool.clone(), *token, *next);
        let origin = origin.to_owned();
        to_its_end(
            async move { transaction!(pool, |session| rotate(session, &token, &next, &origin)) },
        )
        .await
        .map_err(IdentityError::from)
    }

    async fn end_session(&self, token: &SecretHash, origin: &str) -> Result<(), IdentityError> {
        let (pool, token, origin) = (self.pool.clone(), *token, origin.to_owned());
        to_its_end(
            async move { transaction!(pool, |session| end_session(session, &token, &origin)) },
        )
        .await
        .map_err(IdentityError::from)
    }

    async fn add_service_key(
        &self,
        name: &str,
        hash: &SecretHash,
        scopes: &[Scope],
        by: &Actor,
    ) -> Result<i64, IdentityError> {
        let (pool, name, hash) = (self.pool.clone(), name.to_owned(), *hash);
        let (scopes, by) = (scopes.to_vec(), by.clone());
        let added = to_its_end(async move {
            transaction!(pool, |session| add_service_key(session, &name, &hash, &scopes, &by))
        });
        added.await?.ok_or(IdentityError::Taken)
    }

    async fn revoke_service_key(&self, name: &str, by: &Actor) -> Result<(), IdentityError> {
        let (pool, name, by) = (self.pool.clone(), name.to_owned(), by.clone());
        let found = to_its_end(async move {
            transaction!(pool, |session| revoke_service_key(session, &name, &by))
        });
        changed(found.await?, IdentityError::NotFound)
    }

    async fn service_keys(&self) -> Result<Vec<ServiceKey>, IdentityError> {
        let session = self.pool.get().await.map_err(away)?;
        service_keys(&session).await.map_err(away)
    }

    async fn signing_keys(&self) -> Result<Vec<SigningKey>, IdentityError> {
        let session = self.pool.get().await.map_err(away)?;
        signing_keys(&session).await.map_err(away)
    }

    async fn add_signing_key(
        &self,
        key: &SigningKey,
        only_first: bool,
        overlap_s: u32,
        by: &Actor,
    ) -> Result<(), IdentityError> {
        let (pool, key, by) = (self.pool.clone(), key.clone(), by.clone());
        to_its_end(async move {
            transaction!(pool, |session| add_signing_key(session, &key, only_first, overlap_s, &by))
        })
        .await
        .map_err(IdentityError::from)
    }

    async fn note(&self, by: &Actor, deed: &Deed) -> Result<(), IdentityError> {
        let session = self.pool.get().await.map_err(away)?;
        note(&session, by, deed).await.map_err(away)
    }
}
