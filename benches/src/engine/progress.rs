//! The progress bars; on stderr, and nothing where that is no terminal.

use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use tokio_util::sync::CancellationToken;

use crate::engine::recorder::Recorder;

const EVERY: Duration = Duration::from_millis(200);
const RUNNING: &str = "{prefix}  {bar:32} {msg}";
const LOOKING_UP: &str = "{prefix}  {bar:32} {human_pos}/{human_len} purchases looked up, {eta}";

/// How far the load is, until `over`.
pub(crate) async fn show(
    name: String,
    recorder: Arc<Recorder>,
    (began, lasts): (Instant, Duration),
    over: CancellationToken,
) {
    let bar = styled(ProgressBar::new(lasts.as_millis() as u64), RUNNING, name);
    while over.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
        let time = began.elapsed();
        bar.set_position(time.min(lasts).as_millis() as u64);
        bar.set_message(if time < lasts { so_far(&recorder) } else { waiting(&recorder) });
    }
    bar.finish_and_clear();
}

fn so_far(recorder: &Recorder) -> String {
    let record = recorder.record();
    let recent: u64 = record.ticks.iter().rev().take(10).map(|tick| tick.answered).sum();
    format!("{} answered, {}/s", HumanCount(record.answered), HumanCount(recent))
}

fn waiting(recorder: &Recorder) -> String {
    let waiting = recorder.record().ticks.last().and_then(|tick| tick.waiting);
    format!("{} wait for their outcome", HumanCount(waiting.unwrap_or_default()))
}

/// A bar for so many purchases that are looked up; hidden if unwanted.
pub(crate) fn looking_up(name: String, purchases: usize, is_wanted: bool) -> ProgressBar {
    if is_wanted {
        styled(ProgressBar::new(purchases as u64), LOOKING_UP, name)
    } else {
        ProgressBar::hidden()
    }
}

fn styled(bar: ProgressBar, template: &str, name: String) -> ProgressBar {
    let bar = bar.with_prefix(name);
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
