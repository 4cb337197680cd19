//! The crowd: every buyer sends one purchase and insists until there is an answer.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc::UnboundedSender;
use tokio::task::{JoinError, JoinSet};

use crate::answer::{Fate, Reply};
use crate::http::{Line, Request};
use crate::insist::{Insisted, Repeat, insist};
use crate::run::Run;
use crate::waiting::Pending;

/// Sends all buyers over the plan's connections; those with a 202 go on to `follow`.
///
/// `follow` is unbounded, but never holds more than one entry of 32 bytes per buyer; a bounded one
/// would let a slow outcome slow the crowd down.
pub(crate) async fn send_all(
    run: Arc<Run>,
    follow: UnboundedSender<Pending>,
) -> Result<(), JoinError> {
    let mut connections = JoinSet::new();
    for first_url in 0..run.plan.connections.min(run.plan.buyers as usize) {
        connections.spawn(send_some(run.clone(), follow.clone(), first_url));
    }
    while let Some(done) = connections.join_next().await {
        done?;
    }
    for _ in 0..run.never_came() {
        run.tally().failed("NEVER_SENT".to_owned());
    }
    Ok(())
}

/// One connection: a closed loop of one buyer after the other.
async fn send_some(run: Arc<Run>, follow: UnboundedSender<Pending>, first_url: usize) {
    let mut line = Line::new(run.targets.clone(), first_url);
    let mut buyer = Buyer::default();
    while let Some(number) = run.next_buyer() {
        buyer.become_number(number, &run);
        let sent = Instant::now();
        match ask(&run, &mut line, &buyer).await {
            Insisted::Got(reply) => conclude(&run, &follow, number, sent, reply),
            Insisted::Unknown => run.tally().unknown += 1,
            Insisted::InVain(last_heard) => run.tally().failed(last_heard),
        }
    }
}

/// One buyer's request, in buffers that the next one uses again.
#[derive(Default)]
struct Buyer {
    user_id: String,
    body: Vec<u8>,
}

impl Buyer {
    fn become_number(&mut self, number: u64, run: &Run) {
        use std::fmt::Write as _;
        self.user_id.clear();
        self.body.clear();
        // Writing to memory cannot fail.
        let _ = write!(self.user_id, "st-{}-{number}", run.id);
        let _ = write!(
            self.body,
            r#"{{"productId":{},"quantity":{},"userId":"{}"}}"#,
            run.product, run.plan.quantity, self.user_id
        );
    }
}

/// Asks to buy until there is an answer.
async fn ask(run: &Run, line: &mut Line, buyer: &Buyer) -> Insisted<Reply> {
    let key = run.plan.keys.then_some(("Idempotency-Key", buyer.user_id.as_str()));
    let request = Request {
        method: "POST",
        path: run.plan.mode.path(),
        headers: key.as_slice(),
        body: &buyer.body,
    };
    let repeat = if run.plan.keys { Repeat::Safe } else { Repeat::Unsafe };
    insist(run, line, &request, repeat, |answer| Reply::read(answer, &buyer.user_id)).await
}

fn conclude(run: &Run, follow: &UnboundedSender<Pending>, buyer: u64, sent: Instant, reply: Reply) {
    run.tally().answered(sent);
    match reply {
        Reply::Accepted(id) => {
            run.tally().accepted(id);
            // The follower goes only when the run has failed as a whole.
            let _ = follow.send(Pending { id, buyer: buyer as u32, sent });
        }
        Reply::Decided { fate, tracking_id, decided_at, somebody_elses } => {
            if let (Fate::Confirmed, Some(id)) = (&fate, tracking_id) {
                run.tally().named(id);
            }
            run.tally().mixed_up += u64::from(somebody_elses);
            run.decided(fate, sent, decided_at);
        }
        Reply::Wrong(code) => run.tally().failed(code),
    }
}
