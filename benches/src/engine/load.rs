//! What a run is to do.

use std::time::Duration;

use crate::engine::scenario::Scenario;
use crate::measure::Arrivals;

/// More connections than this would run out of file descriptors or local ports.
const CONNECTIONS_MAX: usize = 20_000;
/// Each is looked at ten times a second.
const PRODUCTS_MAX: u32 = 1_000;
/// More than one core can send, so that a slip of the finger is noticed.
const RATE_MAX: f64 = 1_000_000.0;
/// A week; longer is a slip of the finger too.
const DURATION_MAX: Duration = Duration::from_secs(604_800);

/// The options of a run.
#[derive(Debug, Clone)]
pub struct Load {
    /// The instances of the API; connections are spread over them.
    pub urls: Vec<String>,
    /// What is asked.
    pub scenario: Scenario,
    /// How requests arrive. The moments of an open loop's rates count from the measured time's
    /// beginning; the warm-up has the first of them.
    pub arrivals: Arrivals,
    /// The measured time.
    pub duration: Duration,
    /// Load before the measured time, which counts only for the books.
    pub warm_up: Duration,
    /// How many products are made for this run; arrivals are for each in turn.
    pub products: u32,
    /// Units of each of them.
    pub stock: i64,
    /// The operators' API key, for creating the product.
    pub api_key: Option<String>,
    /// Who buys, in turn; without any each buyer is new.
    pub buyers: Vec<Buyer>,
    /// Whether each purchase has an `Idempotency-Key`.
    pub keys: bool,
    /// Whose processor time is counted.
    pub processes: Vec<Watched>,
    /// URL of the ledger's server, to count what it writes.
    pub postgres: Option<String>,
    /// How outcomes are learned while the load is on.
    pub follow: Follow,
    /// An arrival of an open loop that no connection took for this long is dropped: the buyer has
    /// gone.
    pub late_max: Duration,
    /// Accepted purchases of which none is decided for this long are lost.
    pub patience: Duration,
    /// Whether to draw progress bars (on stderr, and only on a terminal).
    pub progress: bool,
}

/// A buyer who comes again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buyer {
    /// Who.
    pub user_id: String,
    /// `Bearer` and a token that names them, where the shop asks for one.
    pub authorization: Option<String>,
}

/// How buyers learn the outcome of a 202.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    /// One purchase of every so many is followed, hundreds per request, so that watching costs the
    /// shop next to nothing.
    Sample {
        /// One in this many.
        every: u32,
    },
    /// Every buyer asks for the own purchase again and again, as a naive client does.
    Poll,
}

/// A process, or several that count as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// Its name in the report; the same name is added up.
    pub name: String,
    /// Its process ID. Its descendants are counted with it.
    pub pid: u32,
}

impl Load {
    /// A run with the usual options: keys, one in 64 purchases followed, one product of ten million units.
    pub fn new(urls: Vec<String>, scenario: Scenario, arrivals: Arrivals) -> Self {
        Self {
            urls,
            scenario,
            arrivals,
            duration: Duration::from_secs(20),
            warm_up: Duration::from_secs(3),
            products: 1,
            stock: 10_000_000,
            api_key: None,
            buyers: Vec::new(),
            keys: true,
            processes: Vec::new(),
            postgres: None,
            follow: Follow::Sample { every: 64 },
            late_max: Duration::from_secs(5),
            patience: Duration::from_secs(30),
            progress: false,
        }
    }

    pub(crate) fn connections(&self) -> usize {
        match &self.arrivals {
            Arrivals::Closed { connections } | Arrivals::Open { connections, .. } => *connections,
        }
    }

    /// The name in the report.
    pub(crate) fn name(&self) -> String {
        let polling = self.follow == Follow::Poll && self.scenario.is_followed();
        format!("{}{}", self.scenario, if polling { "-polling" } else { "" })
    }

    /// Says what is wrong with the options, if anything is.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        let rules = [
            (self.urls.is_empty(), "give at least one --url"),
            (self.duration.is_zero(), "--duration-s must be more than 0"),
            (
                self.duration > DURATION_MAX || self.warm_up > DURATION_MAX,
                "--duration-s and --warm-up-s must be a week at most",
            ),
            (!(1..=PRODUCTS_MAX).contains(&self.products), "--products must be 1 to 1000"),
            (self.stock < 1, "--stock must be at least 1"),
            (
                !(1..=CONNECTIONS_MAX).contains(&self.connections()),
                "--connections must be 1 to 20000",
            ),
            (self.late_max.is_zero(), "--late-max-s must be more than 0"),
            (self.patience.is_zero(), "--patience-s must be more than 0"),
            (
                self.follow == Follow::Sample { every: 0 },
                "--follow-every must be at least 1 (1 follows every purchase)",
            ),
            (
                self.processes.iter().any(|process| process.name.is_empty()),
                "--process must look like NAME=PID",
            ),
        ];
        let of_rates = || match &self.arrivals {
            Arrivals::Open { rates, .. } => fault_of_rates(rates),
            Arrivals::Closed { .. } => None,
        };
        rules
            .into_iter()
            .find_map(|(broken, rule)| broken.then_some(rule))
            .or_else(of_rates)
            .or(self.scenario.fault())
    }
}

fn fault_of_rates(rates: &[(f64, f64)]) -> Option<&'static str> {
    let is_rate = |rate: f64| (0.0..=RATE_MAX).contains(&rate);
    let rules = [
        (rates.first().is_none_or(|(from_s, _)| *from_s != 0.0), "--rates must begin at second 0"),
        (!rates.iter().all(|(_, rate)| is_rate(*rate)), "a rate must be 0 to 1000000 per second"),
        (rates.iter().all(|(_, rate)| *rate == 0.0), "a rate of 0 alone asks nothing"),
        (!rates.is_sorted_by(|(one, _), (next, _)| one < next), "the moments of --rates must rise"),
    ];
    rules.into_iter().find_map(|(broken, rule)| broken.then_some(rule))
}
