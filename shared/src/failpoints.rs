//! Named moments at which a program can be made to crash or to stand still, for testing what then
//! becomes of the purchases in hand.
//!
//! Without the feature `failpoints`, which no released program is built with, reaching one does
//! nothing. With it `DOORBUSTER_FAILPOINTS` says what happens where, such as
//! `relay.show=hang;worker.acked=crash` or, the third time, `settle.claimed=crash@3`.

/// The moments, in the order in which a purchase comes by.
pub const FAILPOINTS: &[(&str, &str)] = &[
    ("admit.stamped", "an API has a purchase that is not published yet"),
    ("admit.confirmed", "the broker has confirmed, the client has no 202 yet"),
    ("settle.begun", "a batch is in hand, nothing is claimed"),
    ("settle.claimed", "units are claimed at the gate, nothing is recorded"),
    ("settle.recorded", "outcomes are committed, nobody knows"),
    ("worker.acked", "messages are acknowledged"),
    ("relay.show", "an announcement is about to be made"),
    ("relay.shown", "gate and boards are told, other systems are not"),
    ("relay.told", "everybody is told, the outbox row is still there"),
    ("park.recorded", "a purchase is parked, its copy is owed to the dead-letter queue"),
    ("replay.noted", "a replay is noted, the purchase is not published"),
    ("pay.begun", "a checkout is recorded, the provider has not been asked"),
    ("pay.collected", "the provider has the money, the ledger does not know"),
    ("expire.recorded", "holds have ended, nobody knows"),
];

/// Does here what the environment says: mostly nothing.
#[cfg(feature = "failpoints")]
pub async fn reach(name: &str) {
    match armed::what_at(name) {
        None => {}
        Some(armed::Fault::Crash) => {
            tracing::error!(name, "crashing at a failpoint");
            std::process::abort();
        }
        Some(armed::Fault::Hang) => {
            tracing::error!(name, "hanging at a failpoint");
            std::future::pending::<()>().await;
        }
    }
}

/// Nothing happens.
#[cfg(not(feature = "failpoints"))]
#[allow(clippy::unused_async)] // The same signature as with the feature.
pub async fn reach(_: &str) {}

#[cfg(feature = "failpoints")]
mod armed {
    use std::collections::HashMap;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::FAILPOINTS;

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(super) enum Fault {
        Crash,
        Hang,
    }

    struct Armed {
        fault: Fault,
        /// Passes until it happens; it happens at every one from then on.
        left: AtomicU32,
    }

    static ARMED: LazyLock<HashMap<String, Armed>> = LazyLock::new(|| {
        let text = std::env::var("DOORBUSTER_FAILPOINTS").unwrap_or_default();
        let armed = text.split(';').filter(|text| !text.is_empty()).map(|text| match parse(text) {
            Some(armed) => armed,
            // A trial that does not break what it means to break proves nothing.
            None => panic!("DOORBUSTER_FAILPOINTS: {text} is no failpoint"),
        });
        armed.collect()
    });

    pub(super) fn what_at(name: &str) -> Option<Fault> {
        debug_assert!(FAILPOINTS.iter().any(|(known, _)| *known == name), "{name} is not listed");
        let armed = ARMED.get(name)?;
        let count = |left: u32| left.checked_sub(1);
        let before = armed.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count);
        (before.unwrap_or(1) == 1).then_some(armed.fault)
    }

    fn parse(text: &str) -> Option<(String, Armed)> {
        let (name, fault) = text.split_once('=')?;
        let (fault, time) = fault.split_once('@').unwrap_or((fault, "1"));
        FAILPOINTS.iter().find(|(known, _)| *known == name)?;
        let fault = match fault {
            "crash" => Fault::Crash,
            "hang" => Fault::Hang,
            _ => return None,
        };
        let left = time.parse().ok().filter(|time| *time > 0)?;
        Some((name.to_owned(), Armed { fault, left: AtomicU32::new(left) }))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_fault_has_a_place_and_a_time() {
            let (name, armed) = parse("settle.claimed=crash@3").unwrap();
            assert_eq!((name.as_str(), armed.fault), ("settle.claimed", Fault::Crash));
            assert_eq!(armed.left.load(Ordering::Relaxed), 3);
            assert_eq!(parse("relay.show=hang").unwrap().1.fault, Fault::Hang);
            for wrong in ["", "relay.show", "nowhere=crash", "relay.show=burn", "relay.show=hang@0"]
            {
                assert!(parse(wrong).is_none(), "{wrong}");
            }
        }
    }
}
