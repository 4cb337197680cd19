//! What became of the holds, as their holders saw it.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use crate::figures::{Counts, count, sum};
use crate::latency::Latency;
use crate::stampede::holds::errand::{Act, Ending, Errand};
use crate::stampede::holds::promises::Promises;
use crate::stampede::holds::reservation::Term;
use crate::stampede::tally::Tally;

/// Clocks of the shop's machines may differ by this much before a hold counts as cut short.
const CLOCKS_DIFFER: Duration = Duration::from_millis(250);

/// A hold that a buyer was granted.
pub(crate) struct Granted {
    pub(crate) buyer: u64,
    pub(crate) sent: Instant,
    pub(crate) term: Term,
    pub(crate) is_abandoned: bool,
}

/// The counts of holds. It grows by 16 bytes per cancelled hold.
#[derive(Debug)]
pub(crate) struct HoldCounts {
    pub(crate) granted: u64,
    pub(crate) confirmed: u64,
    pub(crate) pending: u64,
    pub(crate) declined: u64,
    pub(crate) abandoned: u64,
    /// When each cancellation was answered.
    pub(crate) cancelled_at: Vec<Instant>,
    /// Holds that were not there any more at checkout or cancellation, and why.
    pub(crate) gone: Counts,
    /// Of these, the ones that could not be over yet, or that the shop denies.
    pub(crate) gone_early: u64,
    /// Granted holds whose checkout or cancellation got no definite answer.
    pub(crate) in_doubt: u64,
    pub(crate) promises: Promises,
    /// By then all holds must be over, by the buyers' clock.
    pub(crate) all_over: Option<Instant>,
    /// The latest `expiresAt` of an abandoned hold.
    pub(crate) last_expires_at: Option<DateTime<Utc>>,
    pub(crate) checkout: Latency,
    pub(crate) cancel: Latency,
    pub(crate) last_checkout: Duration,
    pub(crate) last_cancel: Duration,
}

impl HoldCounts {
    pub(crate) fn new() -> Self {
        Self {
            granted: 0,
            confirmed: 0,
            pending: 0,
            declined: 0,
            abandoned: 0,
            cancelled_at: Vec::new(),
            gone: Counts::new(),
            gone_early: 0,
            in_doubt: 0,
            promises: Promises::default(),
            all_over: None,
            last_expires_at: None,
            checkout: Latency::new(),
            cancel: Latency::new(),
            last_checkout: Duration::ZERO,
            last_cancel: Duration::ZERO,
        }
    }

    pub(crate) fn cancelled(&self) -> u64 {
        self.cancelled_at.len() as u64
    }

    /// Holders whose story has ended otherwise than by a confirmed checkout.
    pub(crate) fn ended(&self) -> u64 {
        self.pending + self.declined + self.abandoned + self.cancelled() + sum(&self.gone)
    }

    /// Granted holds that nobody paid or cancelled for sure: they run out.
    pub(crate) fn left(&self) -> u64 {
        self.granted - self.confirmed - self.pending - self.cancelled()
    }

    /// Counts a hold; gives the moment before which it cannot be over.
    pub(crate) fn granted(&mut self, granted: &Granted) -> Instant {
        let now = Instant::now();
        let safe_until = granted.sent + granted.term.lasts.saturating_sub(CLOCKS_DIFFER);
        self.granted += 1;
        self.promises.held(granted.buyer, safe_until, now);
        self.all_over = self.all_over.max(Some(now + granted.term.lasts));
        if granted.is_abandoned {
            self.abandoned += 1;
            self.last_expires_at = self.last_expires_at.max(Some(granted.term.expires_at));
        }
        safe_until
    }
}

impl Tally {
    /// The holder is on the way: whatever comes of it, the hold may be gone from now on.
    pub(crate) fn sets_out(&mut self, errand: &Errand) {
        self.holds.promises.let_go(errand.buyer, errand.safe_until);
    }

    /// The holder's request, first sent at `sent`, was answered.
    pub(crate) fn errand_ended(&mut self, errand: &Errand, sent: Instant, ending: Ending) {
        let (now, since_began) = (Instant::now(), self.began.elapsed());
        let (latency, last) = match errand.act {
            Act::CheckOut => (&mut self.holds.checkout, &mut self.holds.last_checkout),
            Act::Cancel => (&mut self.holds.cancel, &mut self.holds.last_cancel),
        };
        latency.record(now - sent);
        *last = since_began;
        match ending {
            Ending::Confirmed => {
                self.holds.confirmed += 1;
                self.sold(now);
            }
            Ending::Pending => self.holds.pending += 1,
            Ending::Declined => self.holds.declined += 1,
            Ending::Cancelled => self.holds.cancelled_at.push(now),
            Ending::Gone(why) => {
                self.holds.gone_early += u64::from(now < errand.safe_until);
                count(&mut self.holds.gone, why);
            }
            Ending::Denied(why) => {
                self.holds.gone_early += 1;
                count(&mut self.holds.gone, why);
            }
            Ending::Wrong(code) => self.errand_in_vain(errand, &code),
        }
    }

    /// The holder never learned what became of it.
    pub(crate) fn errand_in_vain(&mut self, errand: &Errand, last_heard: &str) {
        let at = if errand.act == Act::CheckOut { "CHECKOUT" } else { "CANCEL" };
        self.holds.in_doubt += 1;
        self.failed(format!("{at}_{last_heard}"));
    }
}
