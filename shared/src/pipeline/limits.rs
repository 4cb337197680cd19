//! Limits: how often may this be done? Each instance counts for itself first, which costs next to nothing
//! and holds while the others cannot be asked; what it lets through is counted for all instances together,
//! in batches.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;
use tracing::debug;

use super::group_commit::{Bounds, GroupCommit};
use crate::domain::{RateTable, Rated};
use crate::ports::{RateAsk, RateLimits, RatesError};

/// Parts of the table, each behind a lock of its own.
const SHARDS: usize = 64;
/// Keys remembered in each: 131,072 in all, some 5 MB.
const KEYS_MAX: usize = 2_048;
/// Asks in line, and in one call.
const LINE: Bounds = Bounds::patient(20_000, 1_024, 2);
/// A line as long as this is left to those who wait for their answer.
const TOLD_MAX: usize = 2_048;

type Answer = Result<Rated, RatesError>;

/// Counts for this instance, and for all of them.
#[derive(Clone)]
pub struct Limiter {
    here: Arc<Here>,
    everywhere: GroupCommit<RateAsk, Answer>,
    rates: Arc<dyn RateLimits>,
}

struct Here {
    /// By a hash with a secret seed: nobody can choose a name that shares another's limit.
    shards: Vec<Mutex<RateTable>>,
    seed: RandomState,
    began: Instant,
}

impl Limiter {
    /// A limiter that has counted nothing yet. Must be called within a runtime.
    pub fn start(rates: Arc<dyn RateLimits>) -> Self {
        let shared = Arc::clone(&rates);
        let shards = (0..SHARDS).map(|_| Mutex::new(RateTable::new(KEYS_MAX))).collect();
        let here = Here { shards, seed: RandomState::new(), began: Instant::now() };
        Self {
            here: Arc::new(here),
            everywhere: GroupCommit::start(LINE, move |asks| take(Arc::clone(&shared), asks)),
            rates,
        }
    }

    /// Takes one, as far as this instance knows.
    pub fn take_here(&self, ask: &RateAsk) -> Rated {
        let now_us = self.here.now_us();
        self.here.on(ask, |table, key| table.take(key, ask.policy, now_us))
    }

    /// Takes one here, and if there is one, tells the others of it: nobody waits for them, and what all took
    /// together counts here from when they have answered. Must be called within a runtime.
    pub fn take_and_tell(&self, ask: RateAsk) -> Rated {
        let here = self.take_here(&ask);
        if here.allowed {
            tokio::spawn(self.clone().tell(ask));
        }
        here
    }

    async fn tell(self, ask: RateAsk) {
        if self.everywhere.waiting() >= TOLD_MAX {
            return;
        }
        let asked_us = self.here.now_us();
        match self.everywhere.submit(ask.clone()).await {
            Ok(Ok(rated)) => {
                // As of when it was asked: sooner rather than later than what was taken is earned.
                let earned_us = asked_us.saturating_add(rated.ahead_us);
                self.here.on(&ask, |table, key| table.raise(key, earned_us));
            }
            Ok(Err(error)) => debug!(%error, "this instance counts alone"),
            Err(_) => {}
        }
    }

    /// Takes one for each of what all instances have together, for those who ask in batches of their own; `here`
    /// is what this one said of each, and counts where the others cannot be asked.
    pub async fn take_everywhere(&self, asks: &[RateAsk], here: Vec<Rated>) -> Vec<Rated> {
        self.rates.take(asks).await.unwrap_or_else(|error| {
            debug!(%error, "this instance counts alone");
            here
        })
    }

    /// Takes one here, and if there is one, everywhere.
    pub async fn take(&self, ask: RateAsk) -> Rated {
        let here = self.take_here(&ask);
        if !here.allowed {
            return here;
        }
        match self.everywhere.submit(ask).await {
            Ok(Ok(rated)) => rated,
            Ok(Err(error)) => {
                debug!(%error, "this instance counts alone");
                here
            }
            // Too many are in line: it is not for this limit to refuse them.
            Err(_) => here,
        }
    }

    /// Gives one back, here and everywhere, as far as anybody can be asked.
    pub async fn give_back(&self, ask: RateAsk) {
        self.here.on(&ask, |table, key| table.give_back(key, ask.policy));
        if let Err(error) = self.rates.give_back(&[ask]).await {
            debug!(%error, "nothing is given back elsewhere");
        }
    }
}

impl Here {
    fn now_us(&self) -> u64 {
        self.began.elapsed().as_micros() as u64
    }

    fn on<T>(&self, ask: &RateAsk, then: impl FnOnce(&mut RateTable, u64) -> T) -> T {
        let key = self.seed.hash_one(&ask.key);
        // By bits that the table itself does not go by: it takes the lowest and the highest.
        let shard = &self.shards[(key >> 32) as usize % SHARDS];
        then(&mut shard.lock().unwrap_or_else(PoisonError::into_inner), key)
    }
}

async fn take(rates: Arc<dyn RateLimits>, asks: Vec<RateAsk>) -> Vec<Answer> {
    match rates.take(&asks).await {
        Ok(rated) => rated.into_iter().map(Ok).collect(),
        Err(error) => asks.iter().map(|_| Err(error.clone())).collect(),
    }
}
