//! Those who were let in buy, now and then.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::client::{Line, Request, Target};
use crate::waiting_room::WaitingRoomPlan;
use crate::waiting_room::tally::Tally;

const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sold {
    remaining_stock: Option<i64>,
}

/// Buys with one pass after the other, as often as the plan says. What is refused is left alone: the line is
/// what is measured here.
pub(crate) async fn buy(
    targets: Arc<[Target]>,
    plan: WaitingRoomPlan,
    product: i64,
    mut passes: mpsc::Receiver<(Arc<str>, String)>,
    tally: Arc<Tally>,
    over: CancellationToken,
) {
    if plan.purchases_per_second == 0 {
        return;
    }
    let mut line = Line::new(targets, 0);
    let mut pace = interval(Duration::from_secs(1) / plan.purchases_per_second);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while let Some(Some((user, pass))) = over.run_until_cancelled(passes.recv()).await {
        pace.tick().await;
        let body = json!({ "productId": product, "quantity": 1, "userId": &*user }).to_string();
        let request = Request {
            method: "POST",
            path: "/api/v1/sync/purchase",
            headers: &[("X-Queue-Pass", &pass)],
            body: body.as_bytes(),
        };
        let Ok(answer) = line.call(&request, PATIENCE).await else { continue };
        let sold = serde_json::from_slice::<Sold>(answer.body);
        if let (200, Ok(Sold { remaining_stock: Some(left) })) = (answer.status, sold) {
            tally.sold(left);
        }
    }
}
