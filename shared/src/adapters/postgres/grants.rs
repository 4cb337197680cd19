//! What the programs' own users may do with the tables: what they need and no more. Whoever migrates owns the
//! tables, and gives.

use diesel::sql_types::Text;

use super::connect::Connector;
use super::statement::{bind, query};
use crate::config;
use crate::ports::LedgerError;

/// A program that has a user of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// Takes purchases, settles the synchronous ones, and does what operators ask.
    Api,
    /// Settles purchases.
    Worker,
}

/// Table by table. (Rows are locked with the right to update them.)
const WORKER: &[(&str, &str)] = &[
    ("products", "select"),
    ("inventory", "select, update"),
    ("sales", "select, update"),
    ("settings", "select"),
    ("orders", "select, insert, update"),
    ("buyers", "select, insert, update"),
    ("outbox", "select, insert, update, delete"),
    ("dead_letters", "select, insert, update"),
    ("settle_attempts", "select, insert, update, delete"),
];

/// The API settles too, and is operators' and users' way in. It never deletes an order, never changes what
/// was logged, and makes neither service keys nor operators.
const API: &[(&str, &str)] = &[
    ("products", "select, insert, update"),
    ("inventory", "select, insert, update"),
    ("stock_movements", "select, insert"),
    ("sales", "select, insert, update"),
    ("settings", "select, update"),
    ("orders", "select, insert, update"),
    ("buyers", "select, insert, update, delete"),
    ("outbox", "select, insert, update, delete"),
    ("dead_letters", "select, insert, update"),
    ("settle_attempts", "select, insert, update, delete"),
    ("waiting_rooms", "select, insert, update"),
    ("waiting_room_calls", "select, insert, delete"),
    ("audit_log", "select, insert"),
    ("accounts", "select, insert (user_id, password_hash)"),
    ("sessions", "select, insert, update, delete"),
    ("refresh_tokens", "select, insert, update"),
    ("service_keys", "select"),
    ("signing_keys", "select, insert, update"),
];

/// Gives `role` what a program needs, and takes everything else on these tables away. The role must exist.
pub async fn grant(
    settings: &config::Postgres,
    program: Program,
    role: &str,
) -> Result<(), LedgerError> {
    let connector = Connector::new(settings).map_err(LedgerError::Unavailable)?;
    let session = connector.open_bare().await.map_err(LedgerError::Unavailable)?;
    let tables = match program {
        Program::Api => API,
        Program::Worker => WORKER,
    };
    let names = "select quote_ident(?), quote_ident(current_schema)";
    let names = query::<(Text, Text), _>(names, (bind::<Text, _>(role),));
    let (role, schema): (String, String) = session.row(names).await?;
    let given =
        tables.iter().map(|(table, rights)| format!("grant {rights} on {table} to {role};"));
    let sql = format!(
        "begin;
         revoke all on all tables in schema {schema} from {role};
         grant usage on schema {schema} to {role};
         {}
         commit",
        given.collect::<String>()
    );
    Ok(session.batch(&sql).await?)
}
