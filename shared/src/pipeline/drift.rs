//! Drift of the gate: what a heartbeat finds there that is not the ledger's.
//!
//! Claims take units before the ledger commits, and a commit is told to the gate a moment later. So a
//! gate that has fewer units, or an older version, is usually just busy. What a heartbeat finds is
//! compared with what the last one left: only what cannot have come about since then is drift.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::boards::drift::{Ahead, Standing};
use crate::domain::{ProductId, StockLevel};
use crate::planted::planted;
use crate::ports::GateLevel;

/// How the gate of a product was wrong until a heartbeat put it right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GateDrift {
    /// It was not there any more: Redis was flushed, or lost something.
    Missing,
    /// It had a version older than that of the last heartbeat: Redis was restored, or written to.
    Behind,
    /// It had more units than the ledger at the same version. Claims only take units.
    Surplus,
    /// It had fewer units, and half a second later nobody had bought them: whoever claimed them was
    /// refused by a rule, or died.
    Short,
}

impl GateDrift {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Missing, Self::Behind, Self::Surplus, Self::Short];

    /// The name in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Behind => "behind",
            Self::Surplus => "surplus",
            Self::Short => "short",
        }
    }
}

/// Compares the gate with every heartbeat of this worker.
#[derive(Debug)]
pub struct GateWatch {
    ahead: Ahead,
    left: HashMap<ProductId, Left>,
    /// The last heartbeat that the gate took; it was right then.
    beat_at: Instant,
}

/// What a heartbeat left of a product.
#[derive(Debug, Clone, Copy)]
struct Left {
    version: i64,
    /// Units were missing that the ledger had not sold yet.
    was_short: bool,
}

/// What a heartbeat found at the gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateBeat {
    /// Products that were wrong and are right now.
    pub healed: Vec<(ProductId, GateDrift)>,
    /// For how long they can have been wrong: since the last heartbeat.
    pub within: Duration,
    /// What is still wrong.
    pub standing: Standing,
}

impl Default for GateWatch {
    fn default() -> Self {
        Self { ahead: Ahead::default(), left: HashMap::new(), beat_at: Instant::now() }
    }
}

impl GateWatch {
    /// Takes note of a heartbeat that the gate took, and of what the gate had until then.
    pub fn beat(&mut self, levels: &[StockLevel], found: &[Option<GateLevel>]) -> GateBeat {
        let now = Instant::now();
        let within = now - std::mem::replace(&mut self.beat_at, now);
        let pairs = || levels.iter().zip(found.iter().copied());
        let known = std::mem::take(&mut self.left);
        let mut healed = Vec::new();
        for (level, found) in pairs() {
            let (product, left) = (level.product_id, known.get(&level.product_id));
            healed.extend(judge(left, level, found).map(|drift| (product, drift)));
            let was_short = found.is_some_and(|gate| is_short(level, gate));
            self.left.insert(product, Left { version: level.version, was_short });
        }
        let versions = pairs()
            .filter_map(|(level, gate)| Some((level.product_id, level.version, gate?.version)));
        GateBeat { healed, within, standing: self.ahead.look(versions) }
    }
}

fn judge(left: Option<&Left>, level: &StockLevel, found: Option<GateLevel>) -> Option<GateDrift> {
    if planted("drift-not-seen") {
        return None;
    }
    let Some(gate) = found else {
        return left.map(|_| GateDrift::Missing);
    };
    if gate.version == level.version && gate.free > level.counts.available() {
        return Some(GateDrift::Surplus);
    }
    let left = left?;
    if gate.version < left.version {
        return Some(GateDrift::Behind);
    }
    (left.was_short && left.version == level.version).then_some(GateDrift::Short)
}

fn is_short(level: &StockLevel, gate: GateLevel) -> bool {
    gate.version == level.version && gate.free < level.counts.available()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Counts;

    const ONE: ProductId = ProductId(1);
    const BEAT: Duration = Duration::from_millis(500);

    fn ledger(version: i64, available: i64) -> StockLevel {
        let counts = Counts { total: 10, reserved: 0, sold: 10 - available };
        StockLevel { product_id: ONE, counts, version, sale: None }
    }

    /// What a beat sees: the ledger's version and units, the gate's.
    fn seen(ledger_has: (i64, i64), gate_has: (i64, i64)) -> (StockLevel, Option<GateLevel>) {
        let (version, free) = gate_has;
        (ledger(ledger_has.0, ledger_has.1), Some(GateLevel { free, version }))
    }

    /// Beats twice a second; what each found.
    async fn beats(beats: &[(StockLevel, Option<GateLevel>)]) -> Vec<GateBeat> {
        let mut watch = GateWatch::default();
        let mut told = Vec::new();
        for (level, found) in beats {
            tokio::time::advance(BEAT).await;
            told.push(watch.beat(&[*level], &[*found]));
        }
        told
    }

    /// What the last of these beats healed.
    async fn healed(of: &[(StockLevel, Option<GateLevel>)]) -> Option<GateDrift> {
        let last = beats(of).await.pop().unwrap();
        assert_eq!(last.within, BEAT);
        assert_eq!(last.standing, Standing::default());
        last.healed.first().map(|(_, drift)| *drift)
    }

    #[tokio::test(start_paused = true)]
    async fn a_gate_that_follows_the_ledger_does_not_drift() {
        let new = (ledger(1, 10), None);
        assert_eq!(healed(&[new]).await, None, "it is new");
        assert_eq!(healed(&[new, seen((1, 10), (1, 10))]).await, None);
        assert_eq!(healed(&[new, seen((3, 8), (1, 8))]).await, None, "not told yet");
        assert_eq!(healed(&[new, seen((3, 8), (2, 8))]).await, None, "not told all yet");
        assert_eq!(healed(&[new, seen((3, 8), (4, 7))]).await, None, "told since we looked");
        let claimed = seen((1, 10), (1, 7));
        assert_eq!(healed(&[new, claimed]).await, None, "claimed and not yet sold");
        assert_eq!(healed(&[new, claimed, seen((2, 7), (2, 7))]).await, None, "sold");
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_have_come_about_since_the_last_beat_is_drift() {
        let fine = seen((3, 8), (3, 8));
        assert_eq!(healed(&[fine, (ledger(3, 8), None)]).await, Some(GateDrift::Missing));
        assert_eq!(healed(&[fine, seen((4, 7), (2, 9))]).await, Some(GateDrift::Behind));
        assert_eq!(healed(&[fine, seen((3, 8), (3, 9))]).await, Some(GateDrift::Surplus));
        let short = seen((3, 8), (3, 2));
        assert_eq!(healed(&[fine, short, fine]).await, Some(GateDrift::Short));
        assert_eq!(healed(&[fine, short, fine, fine]).await, None, "once");
    }

    #[tokio::test(start_paused = true)]
    async fn a_gate_ahead_of_a_restored_ledger_is_told_and_not_healed() {
        let ahead = seen((3, 8), (9, 1));
        let told = beats(&[ahead; 4]).await;
        let products: Vec<_> = told.iter().map(|beat| beat.standing.products).collect();
        assert_eq!(products, [0, 0, 1, 1]);
        assert_eq!(told[3].standing.oldest, 3 * BEAT);
        assert!(told.iter().all(|beat| beat.healed.is_empty()));
    }
}
