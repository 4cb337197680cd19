//! The decision over a batch of one product. The view is used up by it, so a copy of the view is
//! counted too.

use std::collections::HashMap;
use std::hint::black_box;

use shared::domain::decide::ProductState;
use shared::domain::{Counts, ProductId, Timestamp, View, decide};

use super::Call;
use super::envelope::batch;

/// Product 1 as the ledger has it.
fn view(total: i64, per_user_limit: Option<u32>) -> View {
    let counts = Counts { total, ..Counts::default() };
    let state = ProductState { counts, active: true, per_user_limit };
    View {
        now: Timestamp::from_millis(1_700_000_000_100),
        products: HashMap::from([(ProductId(1), state)]),
        ..View::default()
    }
}

fn deciding(view: View) -> Call {
    let batch = batch();
    Box::new(move || drop(black_box(decide(black_box(view.clone()), black_box(&batch)))))
}

/// Everybody gets one.
pub(crate) fn selling() -> Call {
    deciding(view(1_000_000, None))
}

/// Nobody gets one.
pub(crate) fn sold_out() -> Call {
    deciding(view(0, None))
}

/// One each, and every fourth buyer has one.
pub(crate) fn limits() -> Call {
    let mut view = view(1_000_000, Some(1));
    for purchase in batch().iter().step_by(4) {
        view.bought.insert((ProductId(1), None, purchase.terms.user_id.clone()), 1);
    }
    deciding(view)
}
