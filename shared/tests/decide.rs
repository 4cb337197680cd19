//! Properties of the decision, over many small worlds, through the embedded ledger.
//!
//! Worlds are small on purpose: two products with a handful of units, three users, two keys and
//! few IDs, so that everything that can get in each other's way does.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

use std::collections::HashMap;
use std::sync::Arc;

use futures::executor::block_on;
use proptest::prelude::*;
use shared::adapters::embedded::EmbeddedLedger;
use shared::domain::testing::{id, purchase_of, tester, with_key};
use shared::domain::{
    Currency, Kind, Money, Order, ProductId, Purchase, Reason, Settled, Sku, Status, Timestamp,
    TrackingId,
};
use shared::ports::{Answer, Clock, Ledger, NewProduct};

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000)
    }
}

/// Stock and limit of product 1 and 2.
type Shelf = [(i64, Option<u32>); 2];

fn ledger(shelf: &Shelf) -> EmbeddedLedger {
    let ledger = EmbeddedLedger::new(Arc::new(Noon));
    for (index, &(total, per_user_limit)) in shelf.iter().enumerate() {
        let new = NewProduct {
            sku: Sku::parse(format!("P-{index}")).unwrap(),
            name: String::new(),
            description: String::new(),
            category: String::new(),
            image_url: None,
            price: Money { minor: 1, currency: Currency::USD },
            per_user_limit,
            total,
        };
        block_on(ledger.create_product(&new, &tester())).unwrap();
    }
    ledger
}

fn settle(ledger: &EmbeddedLedger, batch: &[Purchase]) -> Vec<Settled> {
    // The gate's answers are drawn from the batch itself; they must not matter.
    let answers: Vec<_> =
        batch.iter().map(|p| if p.id < id(5) { Answer::Yes } else { Answer::No }).collect();
    block_on(ledger.record(batch, &answers)).unwrap().settled
}

fn shelf() -> impl Strategy<Value = Shelf> {
    let product = || (0..6_i64, proptest::option::of(1..3_u32));
    [product(), product()]
}

/// A purchase; product 3 does not exist. IDs are few, so some repeat: mostly the same purchase
/// again, as a redelivery would be, now and then somebody else's.
fn purchase() -> impl Strategy<Value = Purchase> {
    let rare = |likely: u32| prop_oneof![likely => Just(false), 1 => Just(true)];
    (0..24_u128, 1..=2_u32, proptest::option::of(0..2), rare(3), rare(20), rare(12)).prop_map(
        |(n, units, key, hold, foreign, unknown)| {
            let user = if foreign { "eve" } else { ["ann", "bob", "cat"][(n % 3) as usize] };
            let product = if unknown { 3 } else { 1 + i64::from(n % 5 < 2) };
            let mut purchase = purchase_of(id(n), product, user, units);
            if hold {
                purchase.kind = Kind::Hold { seconds: 60 };
            }
            match key {
                Some(key) => with_key(purchase, &format!("key-{key}")),
                None => purchase,
            }
        },
    )
}

fn purchases() -> impl Strategy<Value = Vec<Purchase>> {
    proptest::collection::vec(purchase(), 1..24)
}

fn orders(ledger: &EmbeddedLedger, purchases: &[Purchase]) -> HashMap<TrackingId, Order> {
    let ids: Vec<_> = purchases.iter().map(|purchase| purchase.id).collect();
    block_on(ledger.orders(&ids)).unwrap().into_iter().map(|order| (order.id, order)).collect()
}

fn units(order: &Order) -> i64 {
    order.terms.as_ref().map_or(0, |terms| i64::from(terms.quantity.units()))
}

fn counts(ledger: &EmbeddedLedger) -> Vec<shared::domain::Counts> {
    let levels = block_on(ledger.stock(&[ProductId(1), ProductId(2)])).unwrap();
    levels.into_iter().map(|level| level.counts).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn units_are_conserved_and_history_adds_up(shelf in shelf(), purchases in purchases()) {
        let ledger = ledger(&shelf);
        settle(&ledger, &purchases);
        for product in block_on(ledger.audit()).unwrap().products {
            prop_assert!(product.level.counts.is_conserved());
            prop_assert_eq!(product.recomputed, product.level.counts);
        }
    }

    /// What was refused for want of stock would not fit in what is left either (nothing comes
    /// back in these worlds), so nobody behind was served first and no unit was left over.
    #[test]
    fn stock_goes_out_in_order_of_arrival(shelf in shelf(), purchases in purchases()) {
        let ledger = ledger(&shelf);
        let settled = settle(&ledger, &purchases);
        let left = counts(&ledger);
        let refused = settled.iter().filter_map(|settled| match settled {
            Settled::Order(order) if order.reason == Some(Reason::OutOfStock) => Some(order),
            _ => None,
        });
        for order in refused {
            let product = order.terms.as_ref().unwrap().product_id;
            let left = left[product.0 as usize - 1].available();
            prop_assert!(units(order) > left, "{} units left, refused {:?}", left, order);
        }
    }

    #[test]
    fn a_purchase_that_fits_is_never_refused_for_stock(
        shelf in shelf(), purchases in purchases(),
    ) {
        let ledger = ledger(&shelf);
        for purchase in &purchases {
            let before = counts(&ledger);
            let known = orders(&ledger, std::slice::from_ref(purchase));
            let settled = settle(&ledger, std::slice::from_ref(purchase));
            let Settled::Order(order) = &settled[0] else { continue };
            let product = purchase.terms.product_id.0 as usize;
            if known.is_empty() && product <= 2 {
                let fits = before[product - 1].available() >= units(order);
                prop_assert!(!fits || order.reason != Some(Reason::OutOfStock));
                prop_assert!(fits || !order.status.takes_units());
            }
        }
    }

    #[test]
    fn repeating_any_prefix_changes_nothing(
        shelf in shelf(),
        purchases in purchases(),
        cuts in proptest::collection::vec((0..24_usize, 0..24_usize), 0..4),
    ) {
        let (once, again) = (ledger(&shelf), ledger(&shelf));
        let expected = settle(&once, &purchases);
        // Every cut delivers the batch up to some point, from some earlier point on.
        let mut delivered = 0;
        for (from, more) in cuts {
            let to = (delivered + more).min(purchases.len());
            settle(&again, &purchases[from.min(delivered)..to]);
            delivered = to;
        }
        prop_assert_eq!(settle(&again, &purchases), expected);
        prop_assert_eq!(counts(&again), counts(&once));
        prop_assert_eq!(orders(&again, &purchases), orders(&once, &purchases));
    }

    #[test]
    fn limits_are_never_exceeded(shelf in shelf(), purchases in purchases()) {
        let ledger = ledger(&shelf);
        settle(&ledger, &purchases);
        let mut taken: HashMap<(usize, String), i64> = HashMap::new();
        for order in orders(&ledger, &purchases).values().filter(|o| o.status.takes_units()) {
            let terms = order.terms.as_ref().unwrap();
            let buyer = (terms.product_id.0 as usize, terms.user_id.to_string());
            *taken.entry(buyer).or_default() += units(order);
        }
        for ((product, user), units) in taken {
            if let Some(limit) = shelf[product - 1].1 {
                prop_assert!(units <= i64::from(limit), "{user} has {units} of {limit}");
            }
        }
    }

    #[test]
    fn a_key_has_one_owner_and_its_replays_name_it(shelf in shelf(), purchases in purchases()) {
        let ledger = ledger(&shelf);
        settle(&ledger, &purchases);
        let orders = orders(&ledger, &purchases);
        let mut owners = HashMap::new();
        for order in orders.values() {
            if let (Some(terms), Some(keyed)) = (&order.terms, &order.keyed) {
                let key = (terms.user_id.clone(), keyed.key.clone());
                prop_assert!(owners.insert(key, order.id).is_none(), "two owners: {:?}", order);
            }
        }
        for order in orders.values().filter(|order| order.reason == Some(Reason::Replay)) {
            let original = &orders[&order.replay_of.unwrap()];
            let (original, order) = (original.terms.as_ref().unwrap(), order.terms.as_ref().unwrap());
            prop_assert!(original.same_request(order));
        }
    }

    #[test]
    fn everything_has_exactly_one_outcome(shelf in shelf(), purchases in purchases()) {
        let ledger = ledger(&shelf);
        let settled = settle(&ledger, &purchases);
        prop_assert_eq!(settled.len(), purchases.len());
        let orders = orders(&ledger, &purchases);
        for (purchase, settled) in purchases.iter().zip(&settled) {
            let stored = &orders[&purchase.id];
            match settled {
                Settled::Order(order) => prop_assert_eq!(&**order, stored),
                Settled::Collision => {
                    let terms = stored.terms.as_ref().unwrap();
                    prop_assert!(!terms.same_request(&purchase.terms));
                }
            }
            prop_assert!(stored.status.is_decided() && stored.version == 1);
            prop_assert_eq!(stored.status == Status::Rejected, stored.reason.is_some());
        }
    }
}
