//! Settling a batch: one transaction around the pure decision, three round trips under the lock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::errors::Fault;
use super::pool::SessionPool;
use super::session::Session;
use super::suspects::Suspects;
use super::transaction::transaction;
use super::{view, write};
use crate::domain::{Decision, ProductId, Purchase, Settled, decide};
use crate::planted::planted;
use crate::ports::{Announcement, Answer, OrderChange, Recorded};

/// A batch with the gate's answers.
pub(super) struct Batch {
    pub(super) purchases: Vec<Purchase>,
    pub(super) answers: Vec<Answer>,
}

impl Batch {
    /// The products of the batch. Where the gate refused everything: the smallest quantity that it
    /// refused, for if the ledger has less than that too, there is nothing to lock for.
    fn products(&self) -> BTreeMap<ProductId, Option<i64>> {
        let mut products = BTreeMap::new();
        for (index, purchase) in self.purchases.iter().enumerate() {
            let terms = &purchase.terms;
            // An answer that is missing is one that we don't have.
            let answer = self.answers.get(index).copied().unwrap_or(Answer::Unknown);
            let refused = (answer == Answer::No).then_some(i64::from(terms.quantity.units()));
            products
                .entry(terms.product_id)
                .and_modify(|least: &mut Option<i64>| {
                    *least = least.zip(refused).map(|(a, b)| a.min(b));
                })
                .or_insert(refused);
        }
        products
    }
}

/// Settles `batch`.
pub(super) async fn record(
    pool: &SessionPool,
    batch: &Batch,
    suspects: &Suspects,
) -> Result<Recorded, Fault> {
    // Products to lock although the gate refused everything; grows when a round is done again.
    let mut insist = BTreeSet::new();
    transaction!(pool, |session| settle(session, batch, suspects, &mut insist))
        .inspect(|_| suspects.forget(batch.purchases.iter().map(|purchase| purchase.id)))
}

async fn settle(
    session: &Session,
    batch: &Batch,
    suspects: &Suspects,
    insist: &mut BTreeSet<ProductId>,
) -> Result<Recorded, Fault> {
    let products = batch.products();
    view::lock_replayed(session, &batch.purchases).await?;

    let refused = products.iter().filter(|(id, least)| least.is_some() && !insist.contains(id));
    let mut counts = view::look(session, refused.map(|(id, _)| id.0).collect()).await?;
    let worth_a_lock = |(id, least): (&ProductId, &Option<i64>)| match (least, counts.get(id)) {
        // Refused by the gate, and the ledger has too little as well (or no such product).
        (Some(least), Some(counts)) if counts.available() < *least => None,
        (Some(_), None) if !insist.contains(id) => None,
        (Some(_), _) if planted("trust-the-gate") => None,
        _ => Some(id.0),
    };
    let to_lock: Vec<i64> = products.iter().filter_map(worth_a_lock).collect();
    let early = if planted("read-before-the-lock") {
        let counts = view::look(session, products.keys().map(|id| id.0).collect()).await?;
        Some(view::read(session, &batch.purchases, &counts).await?)
    } else {
        None
    };
    let locked = view::lock(session, to_lock).await?;
    counts.extend(&locked);

    let view = match early {
        Some(early) => early,
        None => view::read(session, &batch.purchases, &counts).await?,
    };
    let decision = decide(view, &batch.purchases);

    // Units are taken only under the lock. It can come to this when the gate refused a purchase
    // and the counts rose between two looks.
    let taken = decision.changes.taken.keys();
    let unlocked: Vec<_> = taken.filter(|id| !locked.contains_key(id)).copied().collect();
    if !unlocked.is_empty() {
        insist.extend(unlocked);
        return Err(Fault::Again("units of a product that was not locked".into()));
    }

    let Decision { settled, inserts, replays, changes, notices } = decision;
    let collisions = batch.purchases.iter().zip(&settled);
    let collisions = collisions.filter(|(_, settled)| **settled == Settled::Collision);
    let collisions = collisions.map(|(purchase, _)| purchase).collect();
    if inserts.is_empty() && replays.is_empty() {
        write::collisions(session, collisions).await?;
        suspects.clear(session, &batch.purchases).await?;
        return Ok(Recorded { settled, announcement: None });
    }
    let orders = inserts.iter().chain(&replays).map(Arc::clone);
    let orders: Vec<_> = orders.map(OrderChange::settled).collect();
    let owed = write::Owed { orders: &orders, notices: &notices, ..Default::default() };
    let ((due, at), levels, (), ()) = futures::try_join!(
        write::orders(session, &inserts, &replays, &owed),
        write::stock(session, &changes),
        write::collisions(session, collisions),
        suspects.clear(session, &batch.purchases),
    )?;
    let dead_letters = Vec::new();
    let announcement = Announcement { due: Some(due), at, orders, notices, levels, dead_letters };
    Ok(Recorded { settled, announcement: Some(announcement) })
}
