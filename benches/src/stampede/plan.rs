//! What a run is to do.

use std::time::Duration;

use serde::Serialize;

use crate::stampede::holds::intent::{Holds, Intent};

/// More connections than this would run out of file descriptors or local ports.
const CONNECTIONS_MAX: usize = 20_000;
/// Buyers are numbered in 32 bits.
const BUYERS_MAX: u64 = u32::MAX as u64;

/// Which way the buyers take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// 202 with a tracking ID that is followed to its end.
    Async,
    /// The outcome is in the response.
    Sync,
}

impl Mode {
    /// Where such a buyer goes first. Whether a hold is asynchronous is said by its `Prefer`.
    pub(crate) fn path(self, intent: Intent) -> &'static str {
        match self {
            _ if intent.holds() => "/api/v1/reservations",
            Self::Async => "/api/v1/async/purchase",
            Self::Sync => "/api/v1/sync/purchase",
        }
    }
}

/// The options of a stampede.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The instances of the API; connections are spread over them.
    pub urls: Vec<String>,
    /// Which way the buyers take.
    pub mode: Mode,
    /// How many buyers press *buy*, once each.
    pub buyers: u64,
    /// Units on sale; `None` only together with `product`: what it has left.
    pub stock: Option<i64>,
    /// Units each buyer wants.
    pub quantity: i64,
    /// Which buyers hold instead, and what becomes of their holds.
    pub holds: Holds,
    /// Keep-alive connections, each with one request under way at a time.
    pub connections: usize,
    /// The operators' API key, for creating the product and for the audit.
    pub api_key: Option<String>,
    /// Whether each purchase has an `Idempotency-Key`, which makes retries safe.
    pub keys: bool,
    /// A product to sell instead of creating one; nobody else may be buying it.
    pub product: Option<i64>,
    /// Every buyer must have a definite answer within this time.
    pub timeout: Duration,
    /// A shell command run once, when half of the stock has been sold or is held.
    pub at_half: Option<String>,
    /// Whether to draw a progress bar (on stderr, and only on a terminal).
    pub progress: bool,
}

impl Plan {
    /// A plan with the usual options: one unit each, keys, 256 connections, two minutes.
    pub fn new(urls: Vec<String>, mode: Mode, buyers: u64, stock: i64) -> Self {
        Self {
            urls,
            mode,
            buyers,
            stock: Some(stock),
            quantity: 1,
            holds: Holds::default(),
            connections: 256,
            api_key: None,
            keys: true,
            product: None,
            timeout: Duration::from_secs(120),
            at_half: None,
            progress: false,
        }
    }

    /// The units that so many purchases make.
    pub(crate) fn units(&self, purchases: u64) -> i64 {
        i64::try_from(purchases).unwrap_or(i64::MAX).saturating_mul(self.quantity)
    }

    /// Says what is wrong with the options, if anything is.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        let rules = [
            (self.urls.is_empty(), "give at least one --url"),
            (self.buyers == 0 || self.buyers > BUYERS_MAX, "--buyers must be 1 to 4294967295"),
            (self.quantity < 1, "--quantity must be at least 1"),
            (self.stock.is_some_and(|stock| stock < 1), "--stock must be at least 1"),
            (self.stock.is_none() && self.product.is_none(), "give --stock or --product"),
            (
                self.stock.is_some() && self.product.is_some(),
                "--product has its own stock: leave --stock out",
            ),
            (
                !(1..=CONNECTIONS_MAX).contains(&self.connections),
                "--connections must be 1 to 20000",
            ),
            (self.timeout.is_zero(), "--timeout-s must be at least 1"),
        ];
        rules.into_iter().find_map(|(broken, rule)| broken.then_some(rule)).or(self.holds.fault())
    }
}
