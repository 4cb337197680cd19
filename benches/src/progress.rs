//! The progress bar: how many buyers have a definite answer.

use std::sync::Arc;
use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use tokio_util::sync::CancellationToken;

use crate::run::Run;

const EVERY: Duration = Duration::from_millis(100);
const TEMPLATE: &str = "{bar:32} {human_pos}/{human_len} buyers answered, {msg}";

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
