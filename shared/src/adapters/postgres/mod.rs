//! PostgreSQL: the ledger.
//!
//! | file | what |
//! |---|---|
//! | `connect`, `listen`, `tap`, `pool`, `session` | a connection: its guards, its errors, who uses it |
//! | `statement`, `rows`, `errors`, `transaction` | SQL with types, columns, outage or poison |
//! | `record`, `view`, `write`, `suspects` | settling a batch |
//! | `advance` | what happens to orders afterwards |
//! | `reads`, `audit` | reading |
//! | `catalogue`, `sales`, `outbox`, `dead_letters`, `letters` | the rest of the port |
//! | `rooms` | the book of waiting rooms |
//! | `identities` | accounts, sessions, keys, the audit log's lines |
//! | `migrate`, `grants` | the tables, and what each program may do with them |
//! | `realign` | after the database was restored to an earlier point |
//!
//! Lock order everywhere: orders already there (by ID) → inventory (by ID) → sales → buyers →
//! inserts → outbox.

mod advance;
mod audit;
mod audit_log;
mod catalogue;
mod connect;
mod dead_letters;
mod errors;
mod grants;
mod identities;
mod ledger;
mod letters;
mod listen;
mod migrate;
mod outbox;
mod pool;
mod reads;
mod realign;
mod record;
mod rooms;
mod rows;
mod sales;
mod session;
mod statement;
mod suspects;
mod tap;
mod transaction;
mod view;
mod write;

pub use grants::{Program, grant};
pub use ledger::PostgresLedger;
pub use migrate::migrate;
pub use realign::{Raised, RaisedProduct, Realigned};
