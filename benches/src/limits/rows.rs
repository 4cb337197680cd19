//! Rows like those that a settle writes, and the statement that it writes them with.

use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use shared::domain::{Minter, TrackingKey};
use shared::ports::{Clock, SystemClock};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::error::LimitError;
use super::table::{Writer, away};

/// The ledger's statement for another table.
pub(super) fn statement(table: &str) -> String {
    format!(
        "insert into {table} (
            id, product_id, sale_id, user_id, quantity, unit_price_minor, currency, status,
            reason, replay_of, accepted_at, decided_at, expires_at, version, idempotency_key,
            fingerprint
        )
        select * from unnest(
            $1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[],
            $7::text[], $8::text[], $9::text[], $10::uuid[], $11::timestamptz[],
            $12::timestamptz[], $13::timestamptz[], $14::bigint[], $15::text[], $16::bigint[]
        )
        on conflict do nothing"
    )
}

/// Buyers as the load generator names and numbers them, and IDs as the API makes them.
pub(super) struct Crowd {
    minter: Minter,
    name: u32,
    came: AtomicU64,
}

impl Crowd {
    pub(super) fn new() -> Self {
        let minter = Minter::new(TrackingKey::new(rand::random()), rand::random());
        Self { minter, name: rand::random(), came: AtomicU64::new(0) }
    }

    fn next(&self) -> String {
        format!("st-{:08x}-{}", self.name, self.came.fetch_add(1, Ordering::Relaxed))
    }
}

/// The rows of a batch, a vector per column; IDs and users are new in every batch.
pub(super) struct Columns {
    ids: Vec<Uuid>,
    users: Vec<String>,
    keys: Vec<Option<String>>,
    keyed: bool,
    at: Vec<DateTime<Utc>>,
    ones: Vec<i64>,
    prices: Vec<i64>,
    currencies: Vec<&'static str>,
    statuses: Vec<&'static str>,
    fingerprints: Vec<Option<i64>>,
    no_numbers: Vec<Option<i64>>,
    no_texts: Vec<Option<String>>,
    no_ids: Vec<Option<Uuid>>,
    no_moments: Vec<Option<DateTime<Utc>>>,
}

impl Columns {
    /// Room for so many rows.
    pub(super) fn new(batch: usize, keyed: bool) -> Self {
        Self {
            ids: Vec::with_capacity(batch),
            users: Vec::with_capacity(batch),
            keys: vec![None; batch],
            keyed,
            at: Vec::new(),
            ones: vec![1; batch],
            prices: vec![99_999; batch],
            currencies: vec!["USD"; batch],
            statuses: vec!["CONFIRMED"; batch],
            fingerprints: vec![keyed.then_some(1); batch],
            no_numbers: vec![None; batch],
            no_texts: vec![None; batch],
            no_ids: vec![None; batch],
            no_moments: vec![None; batch],
        }
    }

    /// The next buyers, with the next IDs.
    pub(super) fn renew(&mut self, crowd: &Crowd) {
        let (batch, now) = (self.ones.len(), SystemClock.now());
        self.at = vec![now.into(); batch];
        self.ids.clear();
        self.ids.extend((0..batch).map(|_| crowd.minter.mint(now).0));
        self.users = (0..batch).map(|_| crowd.next()).collect();
        if self.keyed {
            self.keys = self.users.iter().cloned().map(Some).collect();
        }
    }

    /// Inserts them; how many were.
    pub(super) async fn insert(&self, writer: &Writer) -> Result<u64, LimitError> {
        let columns: [&(dyn ToSql + Sync); 16] = [
            &self.ids,
            &self.ones,
            &self.no_numbers,
            &self.users,
            &self.ones,
            &self.prices,
            &self.currencies,
            &self.statuses,
            &self.no_texts,
            &self.no_ids,
            &self.at,
            &self.at,
            &self.no_moments,
            &self.ones,
            &self.keys,
            &self.fingerprints,
        ];
        writer.client.execute(&writer.insert, &columns).await.map_err(away)
    }
}
