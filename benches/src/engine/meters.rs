//! What the measured time costs: processor, memory, log.

use std::time::{Duration, Instant};

use crate::engine::error::LoadError;
use crate::engine::load::Load;
use crate::engine::process::Meter;
use crate::engine::wal::{self, WalMeter};
use crate::measure::{ProcessUse, WalUse};

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What was used.
pub(crate) struct Used {
    pub(crate) processes: Vec<ProcessUse>,
    pub(crate) wal: Option<WalUse>,
}

/// Opened before the load begins, so that a wrong process ID or URL is noticed at once.
pub(crate) struct Meters {
    wal: Option<WalMeter>,
}

impl Meters {
    pub(crate) async fn open(load: &Load) -> Result<Self, LoadError> {
        Meter::begin(&load.processes)?;
        let wal = match &load.postgres {
            Some(url) => {
                let meter = WalMeter::connect(url).await?;
                meter.read().await?;
                Some(meter)
            }
            None => None,
        };
        Ok(Self { wal })
    }

    /// Reads at `start` and at `end`, and looks at the processes each second in between.
    pub(crate) async fn between(
        self,
        load: &Load,
        start: Instant,
        end: Instant,
    ) -> Result<Used, LoadError> {
        tokio::time::sleep_until(start.into()).await;
        let mut processes = Meter::begin(&load.processes)?;
        let before = self.read_wal().await?;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            tokio::time::sleep(left.min(LOOK_EVERY)).await;
            processes.look();
        }
        // A server that has gone meanwhile takes its counters with it, but not the measurement.
        let after = self.read_wal().await.ok().flatten();
        let wal = before.zip(after).map(|(before, after)| wal::between(before, after));
        Ok(Used { processes: processes.used(), wal })
    }

    async fn read_wal(&self) -> Result<Option<WalUse>, LoadError> {
        match &self.wal {
            Some(meter) => meter.read().await.map(Some),
            None => Ok(None),
        }
    }
}
