//! Durable counts of attempts to settle a suspect on its own.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use diesel::sql_types::{Array, BigInt, Uuid as SqlUuid};
use uuid::Uuid;

use super::errors::Fault;
use super::session::Session;
use super::statement::{bind, command, query};
use crate::domain::{Purchase, TrackingId};

/// Suspects that this process has in hand. Only a batch that contains one pays for deleting its
/// count; ordinary batches look here and nowhere else.
#[derive(Debug, Default)]
pub(super) struct Suspects(Mutex<HashSet<TrackingId>>);

impl Suspects {
    fn ids(&self) -> std::sync::MutexGuard<'_, HashSet<TrackingId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one more attempt; committed before the attempt is made, so that a worker which it
    /// kills has left a trace.
    pub(super) async fn begin_attempt(
        &self,
        session: &Session,
        id: TrackingId,
    ) -> Result<u32, Fault> {
        self.ids().insert(id);
        let sql = "
            insert into settle_attempts (order_id, attempts) values (?, 1)
            on conflict (order_id)
            do update set attempts = settle_attempts.attempts + 1, at = clock_timestamp()
            returning attempts";
        let count = query::<BigInt, _>(sql, (bind::<SqlUuid, _>(id.0),));
        session.row(count).await.map(super::rows::to_u32)
    }

    /// Deletes the counts of those suspects that are in `batch`.
    pub(super) async fn clear(&self, session: &Session, batch: &[Purchase]) -> Result<(), Fault> {
        let ids: Vec<Uuid> = {
            let ids = self.ids();
            if ids.is_empty() {
                return Ok(());
            }
            batch
                .iter()
                .map(|purchase| purchase.id)
                .filter(|id| ids.contains(id))
                .map(|id| id.0)
                .collect()
        };
        if !ids.is_empty() {
            let sql = "delete from settle_attempts where order_id = any(?)";
            session.execute(command(sql, (bind::<Array<SqlUuid>, _>(ids),))).await?;
        }
        Ok(())
    }

    /// They are settled or parked.
    pub(super) fn forget(&self, settled: impl IntoIterator<Item = TrackingId>) {
        let mut ids = self.ids();
        if ids.is_empty() {
            return;
        }
        for id in settled {
            ids.remove(&id);
        }
    }
}
