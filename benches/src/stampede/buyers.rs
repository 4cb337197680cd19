//! The crowd: a closed loop per connection. Every buyer comes once; holders come a second time, to
//! check out or to cancel.

use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::task::{JoinError, JoinSet};

use crate::client::Line;
use crate::stampede::holds::counter::Counter;
use crate::stampede::holds::errand::{Desk, Errand};
use crate::stampede::run::Run;
use crate::stampede::visit::Visit;
use crate::stampede::waiting::Pending;

/// Sends all buyers over the plan's connections; those with a 202 go on to `follow`, and come back
/// by `errands` if a hold was granted to them.
///
/// Both are unbounded, but never hold more than one entry per buyer (32 and 64 bytes); bounded ones
/// would let a slow outcome slow the crowd down.
pub(crate) async fn send_all(
    run: Arc<Run>,
    follow: UnboundedSender<Pending>,
    errands: UnboundedReceiver<Errand>,
) -> Result<(), JoinError> {
    let counter = Arc::new(Counter::new(errands));
    let mut connections = JoinSet::new();
    for first_url in 0..run.plan.connections.min(run.plan.buyers as usize) {
        connections.spawn(send_some(run.clone(), follow.clone(), counter.clone(), first_url));
    }
    // The follower ends when nobody is left who could send it something.
    drop(follow);
    while let Some(done) = connections.join_next().await {
        done?;
    }
    for _ in 0..run.never_came() {
        run.tally().failed("NEVER_SENT".to_owned());
    }
    Ok(())
}

/// One connection: holders who are waiting go before new buyers.
async fn send_some(
    run: Arc<Run>,
    follow: UnboundedSender<Pending>,
    counter: Arc<Counter>,
    first_url: usize,
) {
    let mut line = Line::new(run.targets.clone(), first_url);
    let (mut visit, mut desk) = (Visit::default(), Desk::default());
    loop {
        while let Some(errand) = counter.waiting() {
            desk.serve(&run, &mut line, errand).await;
        }
        let Some(number) = run.next_buyer() else { break };
        if let Some(errand) = visit.make(&run, &mut line, &follow, number).await {
            desk.serve(&run, &mut line, errand).await;
        }
    }
    drop(follow);
    while let Some(errand) = counter.next().await {
        desk.serve(&run, &mut line, errand).await;
    }
}
