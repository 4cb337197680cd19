//! The catalogue board: all products and sales, swapped whole when a newer version is announced.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use tokio::sync::{Mutex, Notify};
use tokio::time::Instant;
use tracing::info;

use crate::domain::Catalogue;
use crate::ports::{Ledger, LedgerError};

/// The newest catalogue known; none until it was loaded once.
#[derive(Debug, Default)]
pub struct CatalogueBoard {
    current: ArcSwapOption<Catalogue>,
    /// The last load. Loads are rare and take turns, so that an older answer never replaces a
    /// newer one.
    loading: Mutex<Option<Load>>,
    changed: Notify,
}

/// When a load began, and how it ended.
#[derive(Debug)]
struct Load {
    began: Instant,
    outcome: Result<(), LedgerError>,
}

impl CatalogueBoard {
    /// The catalogue, once it was loaded.
    pub fn current(&self) -> Option<Arc<Catalogue>> {
        self.current.load_full()
    }

    /// Resolves at the next change. Make the future before looking.
    pub fn changed(&self) -> impl Future<Output = ()> + '_ {
        self.changed.notified()
    }

    /// The version shown; -1 before the first load.
    pub fn version(&self) -> i64 {
        self.current.load().as_ref().map_or(-1, |catalogue| catalogue.version)
    }

    /// Loads the catalogue if the ledger is known to have a version newer than ours.
    pub async fn refresh(&self, announced: i64, ledger: &dyn Ledger) -> Result<(), LedgerError> {
        if self.version() >= announced {
            return Ok(());
        }
        let mut turn = self.loading.lock().await;
        if self.version() < announced {
            self.load(&mut turn, ledger).await?;
        }
        Ok(())
    }

    /// Loads the catalogue unless a load began after this call, whose outcome is then shared: a
    /// crowd that asks for something unknown costs the ledger one read at a time, also one that
    /// fails.
    pub async fn look_again(&self, ledger: &dyn Ledger) -> Result<(), LedgerError> {
        let asked = Instant::now();
        let mut turn = self.loading.lock().await;
        match &*turn {
            Some(load) if load.began >= asked => load.outcome.clone(),
            _ => self.load(&mut turn, ledger).await,
        }
    }

    async fn load(&self, last: &mut Option<Load>, ledger: &dyn Ledger) -> Result<(), LedgerError> {
        let began = Instant::now();
        let outcome = ledger.catalogue().await.map(|catalogue| {
            if catalogue.version > self.version() {
                info!(version = catalogue.version, "catalogue loaded");
                self.current.store(Some(Arc::new(catalogue)));
                self.changed.notify_waiters();
            }
        });
        *last = Some(Load { began, outcome: outcome.clone() });
        outcome
    }
}
