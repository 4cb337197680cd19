//! The gate decides whether a lock is worth taking, never an outcome: a settler whose gate lies at
//! random ends exactly as one without a gate.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng};
use shared::adapters::family;
use shared::domain::testing::{fresh_id, purchase_of, tester, with_key};
use shared::domain::{
    Currency, Money, Order, Purchase, Reason, Sku, Status, StockLevel, TrackingId,
};
use shared::pipeline::relay::{Payer, Relay};
use shared::pipeline::settle::{Settler, order_of};
use shared::ports::{
    Answer, GateError, GateLevel, NewProduct, Ports, ProductClaim, StockGate, SyncMode,
};

/// Answers at random, or not at all.
struct LyingGate(Mutex<TestRng>);

impl LyingGate {
    fn new(seed: [u8; 32]) -> Self {
        Self(Mutex::new(TestRng::from_seed(RngAlgorithm::ChaCha, &seed)))
    }
}

#[async_trait]
impl StockGate for LyingGate {
    async fn claim(&self, claims: &[ProductClaim]) -> Result<Vec<Vec<Answer>>, GateError> {
        let mut rng = self.0.lock().unwrap();
        if rng.random_ratio(1, 8) {
            return Err(GateError("lost".into()));
        }
        let mut lie = || match rng.random_range(0..3) {
            0 => Answer::Yes,
            1 => Answer::No,
            _ => Answer::Unknown,
        };
        // Whole products refused at once are the dangerous case: they are read without a lock.
        let answers = claims.iter().map(|claim| {
            let all = lie();
            let each = claim.quantities.iter();
            if all == Answer::No {
                each.map(|_| all).collect()
            } else {
                each.map(|_| lie()).collect()
            }
        });
        Ok(answers.collect())
    }

    async fn sync(
        &self,
        levels: &[StockLevel],
        _: SyncMode,
    ) -> Result<Vec<Option<GateLevel>>, GateError> {
        Ok(vec![None; levels.len()])
    }

    async fn levels(
        &self,
        products: &[shared::domain::ProductId],
    ) -> Result<Vec<Option<GateLevel>>, GateError> {
        Ok(vec![None; products.len()])
    }
}

/// A gate that is away.
struct NoGate;

#[async_trait]
impl StockGate for NoGate {
    async fn claim(&self, _: &[ProductClaim]) -> Result<Vec<Vec<Answer>>, GateError> {
        Err(GateError("away".into()))
    }
    async fn sync(
        &self,
        _: &[StockLevel],
        _: SyncMode,
    ) -> Result<Vec<Option<GateLevel>>, GateError> {
        Err(GateError("away".into()))
    }
    async fn levels(
        &self,
        _: &[shared::domain::ProductId],
    ) -> Result<Vec<Option<GateLevel>>, GateError> {
        Err(GateError("away".into()))
    }
}

/// Two products; the second allows two units per user.
async fn settler(gate: Arc<dyn StockGate>) -> (Settler, Ports) {
    let ports = Ports { gate, ..family::embedded() };
    for (sku, per_user_limit) in [("A", None), ("B", Some(2))] {
        let product = NewProduct {
            sku: Sku::parse(sku).unwrap(),
            name: sku.into(),
            description: String::new(),
            category: String::new(),
            image_url: None,
            price: Money { minor: 100, currency: Currency::USD },
            per_user_limit,
            total: 12,
        };
        ports.ledger.create_product(&product, &tester()).await.unwrap();
    }
    let payer = Payer {
        gate: Arc::clone(&ports.gate),
        bus: Arc::clone(&ports.bus),
        queue: Arc::clone(&ports.queue),
        ledger: Arc::clone(&ports.ledger),
        events: None,
    };
    let (relay, _) = Relay::start(payer);
    let settler = Settler::new(Arc::clone(&ports.gate), Arc::clone(&ports.ledger), relay);
    (settler, ports)
}

type Outcome = Option<(TrackingId, Status, Option<Reason>, Option<TrackingId>)>;

fn outcome(order: Option<&Order>) -> Outcome {
    order.map(|order| (order.id, order.status, order.reason, order.replay_of))
}

/// Product, user, quantity, and whether it carries a key (one of two).
type Wish = (i64, u8, u32, Option<bool>);

fn wishes() -> impl Strategy<Value = Vec<Vec<Wish>>> {
    vec(vec((1..=3_i64, 0..4_u8, 1..=4_u32, any::<Option<bool>>()), 1..12), 1..6)
}

proptest! {
    #![proptest_config(Config { cases: 200, ..Config::default() })]

    #[test]
    fn a_gate_that_lies_changes_nothing(wishes in wishes(), seed: [u8; 32]) {
        let batches: Vec<Vec<Purchase>> = wishes
            .iter()
            .map(|batch| batch.iter().map(|&(product, user, units, key)| {
                let purchase = purchase_of(fresh_id(), product, &format!("u-{user}"), units);
                match key {
                    Some(key) => with_key(purchase, if key { "k-1" } else { "k-2" }),
                    None => purchase,
                }
            }).collect())
            .collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let ends = runtime.block_on(async {
            let mut ends = vec![];
            for gate in [Arc::new(LyingGate::new(seed)) as Arc<dyn StockGate>, Arc::new(NoGate)] {
                let (settler, ports) = settler(gate).await;
                let mut outcomes: Vec<Outcome> = vec![];
                for batch in &batches {
                    let recorded = settler.settle(batch).await.unwrap();
                    outcomes.extend(recorded.settled.iter().map(|s| outcome(order_of(s))));
                }
                let counts: Vec<_> = ports.ledger.audit().await.unwrap().products
                    .iter().map(|product| (product.level.counts, product.recomputed)).collect();
                ends.push((outcomes, counts));
            }
            ends
        });
        prop_assert_eq!(&ends[0], &ends[1]);
        for (counts, recomputed) in &ends[0].1 {
            prop_assert!(counts.is_conserved());
            prop_assert_eq!(counts, recomputed);
        }
    }
}
