//! Offers the loads to both ways, one after the other.

use super::comparison::{Capacity, Comparison, LoadPoint, Way, WayRun};
use super::machine::Machine;
use super::plan::{self, Offer};
use crate::measure::Measurement;

/// What offers loads: the engine, or a test's fake.
pub(crate) trait Bench {
    type Error;

    /// Requests per second that a way keeps up with.
    async fn capacity(&mut self, way: Way) -> Result<f64, Self::Error>;

    /// One run, with its database standing still where the offer says so.
    async fn offer(&mut self, offer: &Offer) -> Result<Measurement, Self::Error>;

    /// Why the database cannot be made to stand still, if it cannot.
    fn cannot_stall(&self) -> Option<String>;
}

/// What is known beforehand.
pub(crate) struct Given {
    pub(crate) date: String,
    pub(crate) command: String,
    pub(crate) machine: Machine,
    pub(crate) seconds: f64,
    /// What each way can take, where it need not be found.
    pub(crate) sync_per_s: Option<f64>,
    pub(crate) async_per_s: Option<f64>,
}

/// Everything, in the order of the page. The ways take turns at each load, so that whatever drifts
/// on the machine meets both.
pub(crate) async fn conduct<B: Bench>(bench: &mut B, given: Given) -> Result<Comparison, B::Error> {
    let mut capacities = Vec::new();
    for (way, known) in Way::BOTH.into_iter().zip([given.sync_per_s, given.async_per_s]) {
        let per_s = match known {
            Some(per_s) => per_s,
            None => bench.capacity(way).await?,
        };
        capacities.push(Capacity { way, per_s, given: known.is_some() });
    }
    let [sync_per_s, async_per_s] = [capacities[0].per_s, capacities[1].per_s];
    let smaller_per_s = sync_per_s.min(async_per_s);

    let mut loads = Vec::new();
    for (name, offered_per_s) in plan::loads(sync_per_s, async_per_s) {
        let offer = |way| Offer::steady(way, offered_per_s, given.seconds);
        let runs = both(bench, offer).await?;
        loads.push(LoadPoint { name, offered_per_s, runs });
    }
    let mut burst = plan::burst(smaller_per_s);
    burst.runs = both(bench, |way| Offer::burst(way, &burst)).await?;

    let mut notes = Vec::new();
    let stall = if let Some(reason) = bench.cannot_stall() {
        notes.push(format!("The database was not made to stand still: {reason}."));
        None
    } else {
        let mut stall = plan::stall(smaller_per_s);
        stall.runs = both(bench, |way| Offer::stall(way, &stall)).await?;
        Some(stall)
    };
    let Given { date, command, machine, seconds, .. } = given;
    let burst = Some(burst);
    Ok(Comparison { date, command, machine, seconds, capacities, loads, burst, stall, notes })
}

async fn both<B: Bench>(
    bench: &mut B,
    offer: impl Fn(Way) -> Offer,
) -> Result<Vec<WayRun>, B::Error> {
    let mut runs = Vec::new();
    for way in Way::BOTH {
        runs.push(WayRun { way, measurement: bench.offer(&offer(way)).await? });
    }
    Ok(runs)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::super::synthetic;
    use super::*;

    #[derive(Default)]
    struct Fake {
        sought: Vec<Way>,
        offers: Vec<Offer>,
        broken: Option<String>,
    }

    impl Bench for Fake {
        type Error = Infallible;

        async fn capacity(&mut self, way: Way) -> Result<f64, Infallible> {
            self.sought.push(way);
            Ok(10_000.0)
        }

        async fn offer(&mut self, offer: &Offer) -> Result<Measurement, Infallible> {
            self.offers.push(offer.clone());
            Ok(synthetic::comparison().loads[0].runs[0].measurement.clone())
        }

        fn cannot_stall(&self) -> Option<String> {
            self.broken.clone()
        }
    }

    fn given(sync_per_s: Option<f64>) -> Given {
        let Comparison { date, command, machine, seconds, .. } = synthetic::comparison();
        Given { date, command, machine, seconds, sync_per_s, async_per_s: None }
    }

    #[tokio::test]
    async fn both_ways_are_offered_the_same() {
        let mut fake = Fake::default();

        let found = conduct(&mut fake, given(Some(5_000.0))).await.unwrap();

        assert_eq!(fake.sought, [Way::Async]);
        assert_eq!((found.capacities[0].given, found.capacities[1].given), (true, false));
        assert_eq!(fake.offers.len(), 2 * (7 + 1 + 1));
        for pair in fake.offers.chunks(2) {
            assert_eq!((pair[0].way, pair[1].way), (Way::Sync, Way::Async));
            assert_eq!((&pair[0].rates, pair[0].stall), (&pair[1].rates, pair[1].stall));
        }
        assert!(found.notes.is_empty());
        assert_eq!(found.stall.unwrap().runs.len(), 2);
    }

    #[tokio::test]
    async fn a_database_that_cannot_be_stopped_is_said() {
        let mut fake = Fake { broken: Some("no --postgres was given".into()), ..Fake::default() };

        let found = conduct(&mut fake, given(None)).await.unwrap();

        assert_eq!(found.stall, None);
        assert!(found.notes[0].contains("no --postgres was given"));
        assert!(fake.offers.iter().all(|offer| offer.stall.is_none()));
    }
}
