//! Tracking IDs: one is made for each purchase, and read and verified for each question about one.

use std::hint::black_box;

use shared::domain::testing::tracking_key;
use shared::domain::{Minter, Timestamp, TrackingId};

use super::Call;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn minter() -> Minter {
    Minter::new(tracking_key(), 7)
}

pub(crate) fn mint() -> Call {
    let minter = minter();
    Box::new(move || {
        black_box(minter.mint(black_box(NOW)));
    })
}

pub(crate) fn verify() -> Call {
    let minter = minter();
    let id = minter.mint(NOW);
    Box::new(move || {
        black_box(minter.key().verify(black_box(id)));
    })
}

pub(crate) fn parse() -> Call {
    let text = minter().mint(NOW).to_string();
    Box::new(move || {
        let _ = black_box(black_box(text.as_str()).parse::<TrackingId>());
    })
}
