//! A buyer's first request: to buy, or to hold.

use std::io::Write as _;
use std::time::Instant;

use tokio::sync::mpsc::UnboundedSender;

use crate::client::{Line, Request};
use crate::stampede::answer::{Fate, Outcome, Reply};
use crate::stampede::holds::errand::Errand;
use crate::stampede::holds::intent::Intent;
use crate::stampede::insist::{Insisted, Repeat, insist};
use crate::stampede::plan::Mode;
use crate::stampede::run::Run;
use crate::stampede::waiting::Pending;

const RESPOND_ASYNC: (&str, &str) = ("Prefer", "respond-async");

/// One buyer's request, in buffers that the next one uses again.
#[derive(Default)]
pub(crate) struct Visit {
    user_id: String,
    body: Vec<u8>,
}

impl Visit {
    /// Buyer `number` asks until there is an answer; gives what is left to do with a hold that was
    /// granted on the spot.
    pub(crate) async fn make(
        &mut self,
        run: &Run,
        line: &mut Line,
        follow: &UnboundedSender<Pending>,
        number: u64,
    ) -> Option<Errand> {
        self.become_number(number, run);
        let intent = run.intent(number);
        let sent = Instant::now();
        match self.ask(run, line, intent).await {
            Insisted::Got(reply) => {
                run.tally().answered(intent, sent);
                return conclude(run, follow, number, sent, reply);
            }
            Insisted::Unknown => run.tally().unknown += 1,
            Insisted::InVain(last_heard) => run.tally().failed(last_heard),
        }
        None
    }

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

    async fn ask(&self, run: &Run, line: &mut Line, intent: Intent) -> Insisted<Reply> {
        let (mode, keys) = (run.plan.mode, run.plan.keys);
        let headers = [("Idempotency-Key", self.user_id.as_str()), RESPOND_ASYNC];
        // Which of the two: the array is in the order that makes them one slice.
        let first = usize::from(!keys);
        let past = if intent.holds() && mode == Mode::Async { 2 } else { 1 };
        let request = Request {
            method: "POST",
            path: mode.path(intent),
            headers: headers.get(first..past).unwrap_or_default(),
            body: &self.body,
        };
        let repeat = if keys { Repeat::Safe } else { Repeat::Unsafe };
        insist(run, line, &request, repeat, |answer| Reply::read(answer, &self.user_id, intent))
            .await
    }
}

fn conclude(
    run: &Run,
    follow: &UnboundedSender<Pending>,
    buyer: u64,
    sent: Instant,
    reply: Reply,
) -> Option<Errand> {
    match reply {
        Reply::Accepted(id) => {
            run.tally().accepted(id);
            // The follower goes only when the run has failed as a whole.
            let _ = follow.send(Pending { id, buyer: buyer as u32, sent });
            None
        }
        Reply::Decided { fate, id, decided_at, somebody_elses } => {
            if matches!(fate, Fate::Confirmed | Fate::Held(_)) {
                run.tally().named(id);
            }
            run.tally().mixed_up += u64::from(somebody_elses);
            run.decided(Outcome { buyer, id, fate, sent, decided_at })
        }
        Reply::Wrong(code) => {
            run.tally().failed(code);
            None
        }
    }
}
