//! A ledger that can be away, and that refuses the purchases of a user called `poison`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use shared::domain::Purchase;
use shared::ports::{Ledger, LedgerError, Recorded};
use shared::testing::eventually;
use shared::testing::ledger::{Guard, GuardedLedger};

pub(crate) type FaultyLedger = GuardedLedger<Faults>;

#[derive(Default)]
pub(crate) struct Faults {
    away: AtomicBool,
    /// Batches that came while it was away.
    asked: AtomicU32,
}

pub(crate) fn faulty(inner: Arc<dyn Ledger>) -> FaultyLedger {
    FaultyLedger { inner, guard: Faults::default() }
}

impl Faults {
    pub(crate) fn outage(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// Waits until a batch was tried again during the outage.
    pub(crate) async fn was_asked_again(&self) {
        eventually("the batch is tried again", async || {
            (self.asked.load(Ordering::SeqCst) >= 2).then_some(())
        })
        .await;
    }
}

impl Guard for Faults {
    fn before(&self, name: &'static str) -> Result<(), LedgerError> {
        let settling = ["record", "begin_attempt", "park", "pulse"].contains(&name);
        if settling && self.away.load(Ordering::SeqCst) {
            return Err(LedgerError::Unavailable("an outage".into()));
        }
        Ok(())
    }

    fn before_record(&self, batch: &[Purchase]) -> Option<Result<Recorded, LedgerError>> {
        let outage = self.before("record").err();
        self.asked.fetch_add(u32::from(outage.is_some()), Ordering::SeqCst);
        let poisoned = batch.iter().any(|purchase| purchase.terms.user_id.as_str() == "poison");
        let poison = || LedgerError::Poison("a value it cannot store".into());
        outage.or_else(|| poisoned.then(poison)).map(Err)
    }
}
