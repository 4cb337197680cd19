//! The gate in memory.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::domain::{ProductId, StockLevel};
use crate::ports::{Answer, GateError, GateLevel, ProductClaim, StockGate, SyncMode};

/// Free counts behind one mutex.
#[derive(Debug, Default)]
pub struct EmbeddedGate {
    levels: Mutex<HashMap<ProductId, GateLevel>>,
}

impl EmbeddedGate {
    /// Forgets everything, as a flushed Redis does.
    pub fn flush(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ProductId, GateLevel>> {
        self.levels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl StockGate for EmbeddedGate {
    async fn claim(&self, claims: &[ProductClaim]) -> Result<Vec<Vec<Answer>>, GateError> {
        let mut levels = self.lock();
        let answer = |claim: &ProductClaim| match levels.get_mut(&claim.product_id) {
            Some(level) => claim.quantities.iter().map(|&units| take(level, units)).collect(),
            None => vec![Answer::Unknown; claim.quantities.len()],
        };
        Ok(claims.iter().map(answer).collect())
    }

    async fn sync(
        &self,
        levels: &[StockLevel],
        mode: SyncMode,
    ) -> Result<Vec<Option<GateLevel>>, GateError> {
        let mut known = self.lock();
        let sync = |level: &StockLevel| {
            let found = known.get(&level.product_id).copied();
            let behind = found.is_none_or(|found| match mode {
                SyncMode::Newer => found.version < level.version,
                SyncMode::NewerOrEqual => found.version <= level.version,
            });
            if behind {
                let (free, version) = (level.counts.available(), level.version);
                known.insert(level.product_id, GateLevel { free, version });
            }
            found
        };
        Ok(levels.iter().map(sync).collect())
    }

    async fn levels(&self, products: &[ProductId]) -> Result<Vec<Option<GateLevel>>, GateError> {
        let levels = self.lock();
        Ok(products.iter().map(|product| levels.get(product).copied()).collect())
    }
}

fn take(level: &mut GateLevel, units: u32) -> Answer {
    if level.free < i64::from(units) {
        return Answer::No;
    }
    level.free -= i64::from(units);
    Answer::Yes
}
