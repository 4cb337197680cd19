//! Every order of events in a small world.
#![allow(clippy::print_stdout)] // What a run came to is of interest where it went well, too.

use trials::explore::explore;

/// In one life.
const FAULTS_MAX: usize = 2;

#[test]
fn no_order_of_events_breaks_a_promise() {
    let explored = explore(FAULTS_MAX);
    println!("{} states, {} ends, {} lives", explored.states, explored.ends, explored.lives);
    assert!(explored.breaches.is_empty(), "{:#?}", explored.breaches);
    assert!(explored.states > 50_000 && explored.ends > 5_000);
}
