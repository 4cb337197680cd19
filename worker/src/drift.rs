//! Tells what a heartbeat found wrong at the gate.

use metrics::{counter, gauge, histogram};
use shared::domain::StockLevel;
use shared::pipeline::drift::{GateBeat, GateDrift, GateWatch};
use shared::ports::GateLevel;
use tracing::{info, warn};

/// The gate, heartbeat after heartbeat.
#[derive(Default)]
pub(crate) struct GateDrifts {
    watch: GateWatch,
    /// Products that were ahead of the ledger at the last heartbeat.
    ahead: usize,
}

impl GateDrifts {
    /// Takes note of a heartbeat that the gate took, and of what the gate had until then.
    pub(crate) fn note(&mut self, levels: &[StockLevel], found: &[Option<GateLevel>]) {
        let GateBeat { healed, within, standing } = self.watch.beat(levels, found);
        for kind in GateDrift::ALL {
            // Also none: a counter that begins with its first event hides it.
            let count = healed.iter().filter(|(_, drift)| *drift == kind).count();
            counter!("doorbuster_gate_drift_healed_total", "kind" => kind.as_str())
                .increment(count as u64);
        }
        if let Some((product, drift)) = healed.first() {
            histogram!("doorbuster_gate_drift_seconds").record(within.as_secs_f64());
            info!(products = healed.len(), %product, ?drift, ?within, "the gate was put right");
        }
        gauge!("doorbuster_gate_ahead_products").set(standing.products as f64);
        gauge!("doorbuster_gate_ahead_oldest_seconds").set(standing.oldest.as_secs_f64());
        match (self.ahead, standing.products) {
            (0, products @ 1..) => warn!(
                products,
                "the gate is ahead of the ledger and takes nothing from it: was the ledger restored?"
            ),
            (1.., 0) => info!("the gate is no longer ahead of the ledger"),
            _ => {}
        }
        self.ahead = standing.products;
    }
}
