//! The hot functions, each with its input: what every purchase or every batch runs through.
//!
//! Shared by the wall-clock benchmarks (`benches/hot.rs`) and by the counting of instructions
//! (`examples/hot.rs`). IDs, moments and keys are fixed, so that two runs do the same.

mod boards;
mod decide;
mod envelope;
mod tracking;

/// Runs a hot function once.
pub(crate) type Call = Box<dyn FnMut()>;

/// A hot function.
pub(crate) struct Work {
    /// Its name in benchmarks and in the baseline.
    pub(crate) name: &'static str,
    /// How often it is run to count its instructions: some millions of them altogether.
    pub(crate) times: u32,
    /// Makes its input.
    pub(crate) make: fn() -> Call,
}

/// Purchases in a batch: `admit.batch_max`.
const BATCH: usize = 512;

/// All of them.
pub(crate) const ALL: &[Work] = &[
    Work { name: "envelope-encode-512", times: 20, make: envelope::encode },
    Work { name: "envelope-decode-512", times: 10, make: envelope::decode },
    Work { name: "decide-selling-512", times: 10, make: decide::selling },
    Work { name: "decide-sold-out-512", times: 10, make: decide::sold_out },
    Work { name: "decide-limits-512", times: 10, make: decide::limits },
    Work { name: "tracking-mint", times: 10_000, make: tracking::mint },
    Work { name: "tracking-verify", times: 10_000, make: tracking::verify },
    Work { name: "tracking-parse", times: 10_000, make: tracking::parse },
    Work { name: "stock-board-apply", times: 10_000, make: boards::stock_apply },
    Work { name: "stock-board-is-short", times: 10_000, make: boards::stock_is_short },
    Work { name: "outcome-board-apply-512", times: 32, make: boards::outcomes_apply },
];
