//! Lives of a small shop. A breach prints the seed and the command that repeats it.
#![allow(clippy::print_stdout)] // What a run came to is of interest where it went well, too.

use trials::simulation::{Counts, live, live_all};

/// Lives that are lived with every run of the tests.
const LIVES: u64 = 2_000;

#[test]
fn a_seed_is_a_history_byte_for_byte() {
    for seed in 0..30 {
        let (once, again) = (live(seed), live(seed));
        assert!(once.trace.len() > 10_000, "nothing happened");
        assert!(once.trace == again.trace, "seed {seed} has two histories");
    }
}

#[test]
fn whatever_breaks_every_promise_is_kept() {
    let mut counts = Counts::default();
    let mut reports = String::new();
    live_all(0, LIVES, |life| {
        counts += life.counts;
        reports += &life.report();
    });
    println!("{LIVES} lives: {counts}");
    assert!(reports.is_empty(), "{reports}");
    // Faults that never come prove nothing.
    assert!(counts.faults > LIVES && counts.deaths > LIVES / 2 && counts.parked > 0, "{counts}");
}
