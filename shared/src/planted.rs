//! Planted bugs, for testing the tests: each must make some test fail (`scripts/mutants`).
//!
//! Without the feature `mutants`, which no program is built with, there are none. With it the
//! environment names the one that is planted.

/// The bugs, and the rule that each breaks.
pub const BUGS: &[(&str, &str)] = &[
    ("ack-before-commit", "a message is acknowledged when COMMIT is known"),
    ("accept-without-confirm", "202 means the broker has it"),
    ("not-mandatory", "a purchase that no queue takes is not accepted"),
    ("trust-the-gate", "the gate's no is a reason to look, not to refuse"),
    ("gate-not-beaten", "whatever drifted at the gate is right again within a second"),
    ("no-lock", "units are taken under the lock of their row"),
    ("read-before-the-lock", "what is decided upon is read after the lock"),
    ("no-unique-key", "a key owns one order, whatever else fails"),
    ("keys-not-kept", "a retried key is never a second purchase"),
    ("settle-twice", "an order that is there keeps its outcome"),
    ("limits-not-counted", "limits hold per user and sale"),
    ("sales-not-counted", "a sale sells no more than its quantity"),
    ("units-kept", "what a hold took goes back when it ends"),
    ("sweep-too-early", "a hold lasts until its deadline"),
    ("sweep-without-lock", "the sweep ends only what is still a hold"),
    ("boards-go-back", "only a higher version replaces"),
    ("boards-do-not-learn", "whoever was shown an order is not shown an older version"),
    ("edge-never-doubts", "a board that is not fresh refuses nobody"),
    ("unknown-until-settled", "an ID that was given out is never unknown"),
    ("forget-the-outbox", "what a crash left unannounced is announced"),
    ("drift-not-seen", "what a heartbeat puts right at the gate is reported"),
    ("park-without-row", "a dead letter is a parked order"),
    ("outage-is-poison", "an outage is nobody's fault"),
    ("refusals-leave-no-row", "every 202 ends in a row"),
];

/// True if this bug is planted.
#[cfg(feature = "mutants")]
pub fn planted(bug: &str) -> bool {
    use std::sync::LazyLock;
    static PLANTED: LazyLock<Option<String>> =
        LazyLock::new(|| std::env::var("DOORBUSTER_MUTANT").ok());
    debug_assert!(BUGS.iter().any(|(name, _)| *name == bug), "{bug} is not in the list");
    PLANTED.as_deref() == Some(bug)
}

/// There are none.
#[cfg(not(feature = "mutants"))]
pub const fn planted(_: &str) -> bool {
    false
}
