//! The real programs over real servers of their own, with everything that can break breaking.
#![allow(clippy::print_stderr)] // How far it is, and what it came to.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::Mutex;
use trials::chaos::{Setup, Trial, at_every_moment, run};

/// One trial at a time: each wants the machine.
static TURN: Mutex<()> = Mutex::const_new(());

/// Where the programs lie that were built with these tests.
fn binaries() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_doorbuster-trials")).with_file_name("")
}

/// A folder of its own. It stays where a trial failed.
fn folder(name: &str) -> PathBuf {
    let name = format!("doorbuster-{name}-{}", std::process::id());
    std::env::temp_dir().join(name)
}

fn setup(name: &str) -> Setup {
    Setup { binaries: binaries(), folder: folder(name), replicated: false, apis: 2, workers: 2 }
}

fn tell(what: &str) {
    eprintln!("chaos: {what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_moment_breaks_no_promise() {
    let _turn = TURN.lock().await;
    let setup = setup("moments");
    let breaches = at_every_moment(&setup, &tell).await;
    let breaches = breaches.unwrap_or_else(|error| panic!("{error:#}; {}", setup.folder.display()));
    assert!(breaches.is_empty(), "{breaches:#?}; {}", setup.folder.display());
    std::fs::remove_dir_all(setup.folder).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_minutes_of_random_faults_break_no_promise() {
    let _turn = TURN.lock().await;
    let (seed, time) = (1, Duration::from_secs(120));
    let trial = Trial { setup: setup("chaos"), seed, time, buyers_per_s: 40 };
    let folder = trial.setup.folder.clone();
    let report = run(&trial, &tell).await;
    let report = report.unwrap_or_else(|error| panic!("{error:#}; {}", folder.display()));
    eprint!("{}", report.text());
    assert!(report.kept(), "{}", folder.display());
    // Faults that never come prove nothing.
    assert!(report.faults.values().sum::<usize>() > 20 && report.attempts > 1_000);
    std::fs::remove_dir_all(folder).unwrap();
}
