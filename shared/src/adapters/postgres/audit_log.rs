//! The log of what operators did and of what concerns security. Rows are only ever added: a trigger
//! refuses everything else.

use diesel::data_types::PgTimestamp;
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz};

use super::errors::Fault;
use super::rows;
use super::session::Session;
use super::statement::{bind, command, query};
use crate::domain::Actor;
use crate::ports::{AuditEntry, AuditQuery, Deed};

/// Adds an entry, in the transaction of what it tells of.
pub(super) async fn note(session: &Session, by: &Actor, deed: &Deed) -> Result<(), Fault> {
    let sql = "insert into audit_log (actor, origin, action, subject, details)
               values (?, ?, ?, ?, ?::jsonb)";
    let binds = (
        bind::<Text, _>(by.name.as_str()),
        bind::<Text, _>(by.origin.as_str()),
        bind::<Text, _>(deed.action),
        bind::<Text, _>(deed.subject.as_str()),
        bind::<Text, _>(deed.details.to_string()),
    );
    session.execute(command(sql, binds)).await.map(drop)
}

type Row = (i64, PgTimestamp, String, String, String, String, String);

/// Reads a page, oldest first.
pub(super) async fn read(session: &Session, asked: &AuditQuery) -> Result<Vec<AuditEntry>, Fault> {
    let sql = "
        select id, at, actor, origin, action, subject, details::text from audit_log
        where id > ? and actor = coalesce(?, actor) and action = coalesce(?, action)
            and subject = coalesce(?, subject)
        order by id limit ?";
    let binds = (
        bind::<BigInt, _>(asked.after),
        bind::<Nullable<Text>, _>(asked.actor.as_deref()),
        bind::<Nullable<Text>, _>(asked.action.as_deref()),
        bind::<Nullable<Text>, _>(asked.subject.as_deref()),
        bind::<BigInt, _>(i64::try_from(asked.limit).unwrap_or(i64::MAX)),
    );
    let columns = query::<(BigInt, Timestamptz, Text, Text, Text, Text, Text), _>(sql, binds);
    let found: Vec<Row> = session.rows(columns).await?;
    let entry = |(id, at, actor, origin, action, subject, details): Row| AuditEntry {
        id,
        at: rows::from_pg(at),
        actor,
        origin,
        action,
        subject,
        // It was JSON when it was stored.
        details: serde_json::from_str(&details).unwrap_or_default(),
    };
    Ok(found.into_iter().map(entry).collect())
}
