//! The progress bars: how many buyers have a definite answer, and how many holds are back.

use std::sync::Arc;
use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use tokio_util::sync::CancellationToken;

use crate::stampede::plan::Plan;
use crate::stampede::run::Run;

const EVERY: Duration = Duration::from_millis(100);
const TEMPLATE: &str = "{bar:32} {human_pos}/{human_len} buyers answered, {msg}";
const TEMPLATE_HOLDS: &str = "{bar:32} {human_pos}/{human_len} holds back, {elapsed}";

/// Draws until `over`; on stderr, and nothing where that is no terminal.
pub(crate) async fn show(run: Arc<Run>, over: CancellationToken) {
    let bar = ProgressBar::new(run.plan.buyers);
    if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
        bar.set_style(style);
    }
    while over.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
        let (ended, confirmed) = {
            let tally = run.tally();
            (tally.ended(), tally.confirmed)
        };
        bar.set_position(ended);
        bar.set_message(format!("{} confirmed", HumanCount(confirmed)));
    }
    bar.finish_and_clear();
}

/// A bar for `left` holds that run out; hidden where the plan wants none.
pub(crate) fn holds(plan: &Plan, left: u64) -> ProgressBar {
    if !plan.progress {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(left);
    match ProgressStyle::with_template(TEMPLATE_HOLDS) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
