//! Every order of events in a small world: two workers and a synchronous settler sell two units to
//! three buyers, with a few faults at any place.
//!
//! The programs are the real ones. Each of their calls to a server waits until the explorer lets it
//! go on, and every call that waits is a branch; so is every fault that it may meet. A branch is
//! followed by living the world anew with the choices that lead there. Where the world is as it was
//! before on another way, with the programs in the same places, there is nothing new to be found.

mod scene;
mod stage;

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use self::scene::{Lived, Scene};
use crate::checker::Breach;

/// What was explored.
#[derive(Debug, Clone, Default)]
pub struct Explored {
    /// States of the world that differ.
    pub states: usize,
    /// Ways to the end.
    pub ends: usize,
    /// Lives lived.
    pub lives: usize,
    /// What must not be, with the choices that led to it.
    pub breaches: Vec<(Vec<usize>, Breach)>,
}

/// Breaches after which the rest is not looked at.
const BREACHES_MAX: usize = 10;

/// What is known, shared by those who explore.
struct Map {
    known: Mutex<Known>,
    /// Somebody has found branches, or has finished.
    changed: Condvar,
}

struct Known {
    seen: HashSet<u64>,
    /// Choices that lead to branches not taken yet.
    branches: Vec<Vec<usize>>,
    /// Explorers under way.
    away: usize,
    explored: Explored,
}

/// Explores everything that can happen with up to `faults_max` faults, on every processor.
pub fn explore(faults_max: usize) -> Explored {
    let known = Known {
        seen: HashSet::new(),
        branches: vec![vec![]],
        away: 0,
        explored: Explored::default(),
    };
    let map = Map { known: Mutex::new(known), changed: Condvar::new() };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(choices) = map.next() {
                    let lived = Scene::live(faults_max, &choices, |state| map.is_new(state));
                    map.note(choices.len(), lived);
                }
            });
        }
    });
    let known = map.known.into_inner().unwrap_or_else(PoisonError::into_inner);
    Explored { states: known.seen.len(), ..known.explored }
}

impl Map {
    /// A branch to follow; none when all are followed.
    fn next(&self) -> Option<Vec<usize>> {
        let mut known = self.known();
        loop {
            if known.explored.breaches.len() >= BREACHES_MAX {
                return None;
            }
            if let Some(branch) = known.branches.pop() {
                known.away += 1;
                return Some(branch);
            }
            if known.away == 0 {
                return None;
            }
            known = self.changed.wait(known).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn is_new(&self, state: u64) -> bool {
        self.known().seen.insert(state)
    }

    /// Notes what was found beyond the first `given` choices.
    fn note(&self, given: usize, lived: Lived) {
        let mut known = self.known();
        known.away -= 1;
        known.explored.lives += 1;
        for (at, &options) in lived.options.iter().enumerate().skip(given) {
            let branch = |option| [&lived.choices[..at], &[option]].concat();
            known.branches.extend((1..options).map(branch));
        }
        if let Some(breaches) = lived.end {
            known.explored.ends += 1;
            let found = breaches.into_iter().map(|breach| (lived.choices.clone(), breach));
            known.explored.breaches.extend(found);
        }
        drop(known);
        self.changed.notify_all();
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What happened on one way, call by call.
pub fn tell(faults_max: usize, choices: &[usize]) -> String {
    Scene::live(faults_max, choices, |_| true).trace
}
