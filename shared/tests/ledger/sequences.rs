//! Random lives: sequences of purchases, holds and commands of every kind, in batches of every size,
//! against a model that knows nothing but the table of transitions, and against both ledgers, which
//! must agree with each other to the letter.

use std::collections::HashMap;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use shared::domain::testing::{sale, tester};
use shared::domain::transition::{TRANSITIONS, reachable};
use shared::domain::{
    Act, Command, Kind, Late, Order, Payment, PaymentRef, ProductId, ProductRef, Purchase, Refusal,
    Sale, SaleId, Status, Timestamp, TrackingId,
};

use shared::ports::{ProductChange, SaleChange};

use crate::support::{OPENS, World, buy};

/// Sequences tried on both ledgers.
const CASES: u32 = 128;
/// Orders that a sequence is about.
const ORDERS: usize = 6;

/// A step of a sequence, about orders by their place.
#[derive(Debug, Clone)]
enum Move {
    /// Settle the purchase of this place, as a hold or not.
    Settle(usize, bool),
    /// Commands of one transaction.
    Carry(Vec<(usize, Wish)>),
    /// The time of every hold and payment runs out.
    TimePasses,
    /// Sweep.
    Expire,
    /// An operator at work.
    Operate(Operation),
}

/// What operators do to a product and its sale in the middle of it all.
#[derive(Debug, Clone, Copy)]
enum Operation {
    Restock(i64),
    Activate(bool),
    Limit(Option<u32>),
    Quantity(Option<i64>),
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        prop_oneof![-2..=-1_i64, 1..=2_i64].prop_map(Operation::Restock),
        any::<bool>().prop_map(Operation::Activate),
        proptest::option::of(1..=3_u32).prop_map(Operation::Limit),
        proptest::option::of(1..=5_i64).prop_map(Operation::Quantity),
    ]
}

/// An act without the values that only a ledger's test can make.
#[derive(Debug, Clone, Copy)]
enum Wish {
    Checkout(u8),
    Paid(u8, bool),
    Declined(u8, bool),
    Release,
    Cancel,
    Fulfil,
}

fn wish() -> impl Strategy<Value = Wish> {
    prop_oneof![
        3 => (0..2_u8).prop_map(Wish::Checkout),
        3 => (0..2_u8, any::<bool>()).prop_map(|(with, refund)| Wish::Paid(with, refund)),
        2 => (0..2_u8, any::<bool>()).prop_map(|(with, keep)| Wish::Declined(with, keep)),
        1 => Just(Wish::Release),
        1 => Just(Wish::Cancel),
        1 => Just(Wish::Fulfil),
    ]
}

fn step() -> impl Strategy<Value = Move> {
    prop_oneof![
        4 => (0..ORDERS, proptest::bool::weighted(0.8)).prop_map(|(at, hold)| Move::Settle(at, hold)),
        8 => proptest::collection::vec((0..ORDERS, wish()), 1..4).prop_map(Move::Carry),
        1 => Just(Move::TimePasses),
        2 => Just(Move::Expire),
        2 => operation().prop_map(Move::Operate),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Move>> {
    proptest::collection::vec(step(), 1..24)
}

/// One ledger that a sequence is played on.
struct Stage<'a> {
    world: &'a World,
    product: ProductId,
    /// The sale that it all takes place in, if it does.
    sale: Option<SaleId>,
    /// Each place's purchase: two units of three users, so that limit and stock both bite.
    purchases: Vec<Purchase>,
    /// IDs for reclaims, by (place, command): the same on both stages, in order.
    reclaims: Vec<TrackingId>,
}

/// What can be compared between two ledgers whose IDs and clocks differ.
type Seen = Vec<(Status, i64, bool, bool, usize)>;

impl<'a> Stage<'a> {
    async fn new(world: &'a World, sku: &str) -> Self {
        let product = world.product(sku, 5, Some(2)).await;
        // Every other sequence takes place inside a sale with a quantity and a limit.
        let number: i64 = sku.trim_start_matches("P-").parse().unwrap();
        let open = (number % 2 == 0).then(|| Sale {
            quantity: Some(4),
            per_user_limit: Some(2),
            ..sale(number, product.0, OPENS, OPENS + 100 * 365 * 86_400_000)
        });
        if let Some(open) = &open {
            world.sale(open.clone()).await;
        }
        let purchase = |at: usize| {
            let user = ["ann", "bob", "cat"][at % 3];
            let mut purchase = buy(product, user, 1 + (at as u32 % 2));
            purchase.terms.sale_id = open.as_ref().map(|open| open.id);
            purchase.accepted_at = Timestamp::from_millis(OPENS);
            purchase
        };
        let purchases = (0..ORDERS).map(purchase).collect();
        let sale = open.as_ref().map(|open| open.id);
        Self { world, product, sale, purchases, reclaims: vec![] }
    }

    /// Plays one step; answers what each command came to.
    async fn play(&mut self, step: &Move) -> Vec<String> {
        match step {
            Move::Settle(at, hold) => {
                let kind = if *hold { Kind::Hold { seconds: 600 } } else { Kind::Buy };
                let purchase = Purchase { kind, ..self.purchases[*at].clone() };
                vec![format!("{:?}", self.world.outcomes(&[purchase]).await)]
            }
            Move::Carry(wishes) => {
                let commands: Vec<_> =
                    wishes.iter().map(|(at, wish)| self.command(*at, *wish)).collect();
                let results = self.world.carry(&commands).await.results;
                for (command, result) in commands.iter().zip(&results) {
                    check(command, result);
                }
                let shown = |result: &Result<shared::domain::Advanced, Refusal>| match result {
                    Ok(advanced) => {
                        let reclaim = advanced.reclaim.as_ref().map(|reclaim| reclaim.status);
                        format!("{:?} {reclaim:?}", seen(&advanced.order))
                    }
                    Err(refusal) => format!("{refusal:?}"),
                };
                results.iter().map(shown).collect()
            }
            Move::TimePasses => {
                for purchase in &self.purchases {
                    self.world.let_time_run_out(purchase.id).await;
                }
                vec![]
            }
            Move::Expire => {
                // How many there were says nothing: one clock moves for all sequences at once.
                self.world.expire().await;
                vec![]
            }
            Move::Operate(operation) => vec![self.operate(*operation).await],
        }
    }

    async fn operate(&self, operation: Operation) -> String {
        let (ledger, product) = (&self.world.ledger, ProductRef::Id(self.product));
        let change = |change: ProductChange| async move {
            ledger.change_product(&ProductRef::Id(self.product), &change, &tester()).await.map(drop)
        };
        let done = match (operation, self.sale) {
            (Operation::Restock(delta), _) => {
                ledger.restock(&product, delta, &tester()).await.map(drop)
            }
            (Operation::Activate(active), _) => {
                change(ProductChange { active: Some(active), ..ProductChange::default() }).await
            }
            (Operation::Limit(limit), None) => {
                let per_user_limit = Some(limit);
                change(ProductChange { per_user_limit, ..ProductChange::default() }).await
            }
            (Operation::Quantity(_), None) => Ok(()),
            (Operation::Limit(limit), Some(sale)) => {
                let change = SaleChange { per_user_limit: Some(limit), ..SaleChange::default() };
                ledger.change_sale(sale, &change, &tester()).await.map(drop)
            }
            (Operation::Quantity(quantity), Some(sale)) => {
                let change = SaleChange { quantity: Some(quantity), ..SaleChange::default() };
                ledger.change_sale(sale, &change, &tester()).await.map(drop)
            }
        };
        format!("{done:?}")
    }

    fn command(&mut self, at: usize, wish: Wish) -> Command {
        let reference = |with: u8| PaymentRef::parse(format!("t-{with}")).unwrap();
        let act = match wish {
            Wish::Checkout(with) => {
                Act::Checkout { payment: Payment::of(reference(with)), within_ms: 600_000 }
            }
            Wish::Paid(with, refund) => {
                let id = shared::domain::testing::fresh_id();
                self.reclaims.push(id);
                let late = if refund { Late::Refund } else { Late::Reclaim(id) };
                Act::Paid { reference: reference(with), late }
            }
            Wish::Declined(with, keep_hold) => {
                Act::Declined { reference: reference(with), keep_hold }
            }
            Wish::Release => Act::Release,
            Wish::Cancel => Act::Cancel,
            Wish::Fulfil => Act::Fulfil,
        };
        Command { id: self.purchases[at].id, user: None, act, by: None }
    }

    async fn orders(&self) -> HashMap<TrackingId, Order> {
        let ids: Vec<_> =
            self.purchases.iter().map(|p| p.id).chain(self.reclaims.iter().copied()).collect();
        let orders = self.world.ledger.orders(&ids).await.unwrap();
        orders.into_iter().map(|order| (order.id, order)).collect()
    }
}

/// A refusal names a transition that the table has no row for.
fn check(command: &Command, result: &Result<shared::domain::Advanced, Refusal>) {
    if let Err(Refusal::Invalid { from, to }) = result {
        let repeated_checkout = *from == Status::Pending && *to == Status::Pending;
        let sold = *command == Command { act: Act::Release, ..command.clone() };
        let in_table = reachable(*from).contains(to);
        assert!(!in_table || repeated_checkout || sold, "{command:?}: {result:?}");
    }
}

fn seen(order: &Order) -> (Status, i64, bool, bool, usize) {
    let refunds = order.refund.as_ref().map_or(0, |refund| refund.references.len());
    (order.status, order.version, order.payment.is_some(), order.pay_by.is_some(), refunds)
}

/// Between two looks every order went along rows of the table only, and none left a terminal state.
fn follows_the_table(before: &HashMap<TrackingId, Order>, after: &HashMap<TrackingId, Order>) {
    for (id, old) in before {
        let new = &after[id];
        assert!(new.version >= old.version, "{old:?} → {new:?}");
        if old.status == new.status {
            continue;
        }
        assert!(!old.status.is_terminal(), "{old:?} → {new:?}");
        // Several commands of one batch may have moved it: there must be a way.
        let mut reached = vec![old.status];
        let mut at = 0;
        while at < reached.len() {
            let next = TRANSITIONS.iter().filter(|row| row.from == reached[at]).map(|row| row.to);
            let new: Vec<_> = next.filter(|status| !reached.contains(status)).collect();
            reached.extend(new);
            at += 1;
        }
        assert!(reached.contains(&new.status), "{old:?} → {new:?}");
    }
}

/// Units by the orders alone: what the inventory must say.
fn units(orders: &HashMap<TrackingId, Order>) -> (i64, i64) {
    let (mut reserved, mut sold) = (0, 0);
    for order in orders.values() {
        let units = order.terms.as_ref().map_or(0, |terms| i64::from(terms.quantity.units()));
        match order.status {
            Status::Reserved | Status::Pending => reserved += units,
            Status::Confirmed | Status::Fulfilled => sold += units,
            _ => {}
        }
    }
    (reserved, sold)
}

fn limits_hold(orders: &HashMap<TrackingId, Order>) -> bool {
    let mut bought: HashMap<&str, u32> = HashMap::new();
    for order in orders.values().filter(|order| order.status.takes_units()) {
        let terms = order.terms.as_ref().unwrap();
        *bought.entry(terms.user_id.as_str()).or_default() += terms.quantity.units();
    }
    bought.values().all(|units| *units <= 2)
}

async fn play(embedded: &World, postgres: &World, sku: &str, steps: &[Move]) {
    let mut stages = [Stage::new(embedded, sku).await, Stage::new(postgres, sku).await];
    let mut before = [HashMap::new(), HashMap::new()];
    let mut limited = true;
    for step in steps {
        // A limit that was changed says nothing of what was bought before.
        limited &= !matches!(step, Move::Operate(Operation::Limit(_)));
        let mut answers = Vec::new();
        for (stage, before) in stages.iter_mut().zip(&mut before) {
            let answer = stage.play(step).await;
            let after = stage.orders().await;
            follows_the_table(before, &after);
            assert!(!limited || limits_hold(&after), "{step:?}");
            let (total, reserved, sold, version) = stage.world.stock(stage.product).await;
            assert_eq!((reserved, sold), units(&after), "{step:?}");
            let sale = stage.world.level(stage.product).await.sale.map(|sale| sale.sale_left);
            *before = after;
            let orders: Seen =
                stage.purchases.iter().filter_map(|p| before.get(&p.id)).map(seen).collect();
            answers.push((answer, orders, total, version, sale));
        }
        assert_eq!(answers[0], answers[1], "{step:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_ledgers_live_through_anything_alike() {
    let (embedded, postgres) = (World::embedded(), World::postgres().await);
    let config = ProptestConfig {
        cases: CASES,
        max_shrink_iters: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner = TestRunner::new(config);
    let case = std::cell::Cell::new(0);
    let runtime = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| {
        let outcome = runner.run(&steps(), |steps| {
            case.set(case.get() + 1);
            let sku = format!("P-{}", case.get());
            runtime.block_on(play(&embedded, &postgres, &sku, &steps));
            Ok(())
        });
        if let Err(failure) = outcome {
            panic!("{failure}");
        }
    });
    embedded.assert_history_adds_up().await;
    postgres.assert_history_adds_up().await;
}
