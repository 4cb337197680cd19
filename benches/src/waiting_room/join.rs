//! Tickets for everybody.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use serde::Deserialize;
use serde_json::json;

use crate::client::{Line, Request, Target};
use crate::latency::Latency;
use crate::shop::ShopError;
use crate::shop::error::refused;
use crate::waiting_room::WaitingRoomPlan;

/// Joins under way at once.
const AT_ONCE: usize = 64;
const PATIENCE: Duration = Duration::from_secs(30);

/// Everybody's tickets.
pub(crate) struct Joined {
    /// In no order.
    pub(crate) tickets: Vec<Ticket>,
    pub(crate) took: Duration,
    pub(crate) latency: Latency,
}

/// Somebody's place.
#[derive(Debug, Clone)]
pub(crate) struct Ticket {
    pub(crate) user: Arc<str>,
    pub(crate) text: Arc<str>,
}

#[derive(Deserialize)]
struct Answer {
    ticket: String,
}

/// Everybody joins the line of a sale.
pub(crate) async fn everybody(
    targets: &Arc<[Target]>,
    plan: &WaitingRoomPlan,
    sale: i64,
    id: &str,
) -> Result<Joined, ShopError> {
    let (next, began) = (AtomicUsize::new(0), Instant::now());
    let lines = (0..AT_ONCE).map(|first| {
        let (next, targets) = (&next, Arc::clone(targets));
        async move {
            let mut line = Line::new(targets, first);
            let (mut tickets, mut times) = (Vec::new(), Vec::new());
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= plan.clients {
                    return Ok::<_, ShopError>((tickets, times));
                }
                let user = format!("{id}-{n}");
                let body = json!({ "flashSaleId": sale, "userId": user }).to_string();
                let asked = Instant::now();
                let text = ask(&mut line, &body).await?;
                times.push(asked.elapsed());
                tickets.push(Ticket { user: user.into(), text: text.into() });
            }
        }
    });
    let joined = try_join_all(lines).await?;
    let (mut tickets, mut latency) = (Vec::with_capacity(plan.clients), Latency::new());
    for (some, times) in joined {
        tickets.extend(some);
        times.into_iter().for_each(|time| latency.record(time));
    }
    Ok(Joined { tickets, took: began.elapsed(), latency })
}

async fn ask(line: &mut Line, body: &str) -> Result<String, ShopError> {
    let what = "joining the line (POST /api/v1/queue/join)";
    let path = "/api/v1/queue/join";
    let request = Request { method: "POST", path, headers: &[], body: body.as_bytes() };
    let give_up = Instant::now() + PATIENCE;
    loop {
        let answer = line.call(&request, PATIENCE).await?;
        match answer.status {
            200 => {
                let answer: Answer = serde_json::from_slice(answer.body)
                    .map_err(|source| ShopError::Answer { what: what.to_owned(), source })?;
                return Ok(answer.ticket);
            }
            429 | 503 if Instant::now() < give_up => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            status => return Err(refused(what, status, answer.body)),
        }
    }
}
