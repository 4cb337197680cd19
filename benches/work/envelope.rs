//! A batch on its way through the broker.

use std::hint::black_box;

use shared::domain::Purchase;
use shared::domain::envelope;
use shared::domain::testing::{purchase, with_key};

use super::{BATCH, Call};

/// Purchases as the load generator makes them: a buyer and a key each.
pub(crate) fn batch() -> Vec<Purchase> {
    let one = |n: usize| {
        let user = format!("st-0a1b2c3d-{n}");
        with_key(purchase(n as u128, &user, 1), &user)
    };
    (0..BATCH).map(one).collect()
}

pub(crate) fn encode() -> Call {
    let purchases = batch();
    Box::new(move || drop(black_box(envelope::encode(black_box(&purchases)))))
}

pub(crate) fn decode() -> Call {
    let body = envelope::encode(&batch());
    Box::new(move || drop(black_box(envelope::decode(black_box(&body)))))
}
