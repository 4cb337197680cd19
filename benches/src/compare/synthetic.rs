//! A comparison that nobody measured, for tests of what is drawn from one: two queues, simulated.

use std::collections::BTreeMap;

use super::comparison::{Capacity, Comparison, Event, LoadPoint, Way, WayRun};
use super::machine::Machine;
use crate::measure::{Arrivals, Measurement, Percentiles, ProcessUse, Tick};

const SYNC_PER_S: f64 = 12_345.0;
const ASYNC_PER_S: f64 = 20_750.0;
/// Requests that a synchronous shop lets wait before it refuses.
const LINE: f64 = 10_000.0;

pub(crate) fn comparison() -> Comparison {
    let loads = [
        ("25 % of the smaller capacity", 0.25 * SYNC_PER_S),
        ("50 % of the smaller capacity", 0.5 * SYNC_PER_S),
        ("75 % of the smaller capacity", 0.75 * SYNC_PER_S),
        ("90 % of the smaller capacity", 0.9 * SYNC_PER_S),
        ("the smaller capacity", SYNC_PER_S),
        ("the larger capacity", ASYNC_PER_S),
        ("130 % of the larger capacity", 1.3 * ASYNC_PER_S),
    ];
    let loads = loads.map(|(name, offered_per_s)| LoadPoint {
        name: name.into(),
        offered_per_s,
        runs: runs(|_| offered_per_s, 10.0, |_| false),
    });
    let (base, stalled) = (0.2 * SYNC_PER_S, 0.5 * SYNC_PER_S);
    let (peak, is_peak) = (10.0 * base, |at_s: f64| at_s > 5.0 && at_s <= 6.5);
    Comparison {
        date: "2030-11-29T09:00:00Z".into(),
        command: "doorbuster load compare --url http://127.0.0.1:8080 --out <page>.html".into(),
        machine: Machine {
            cores: 2,
            processor: Some("Example & Sons Processor".into()),
            memory_bytes: Some(24 << 30),
            kernel: Some("6.1.0".into()),
            software: BTreeMap::from([("PostgreSQL".into(), "15.10".into())]),
        },
        seconds: 10.0,
        capacities: vec![
            Capacity { way: Way::Sync, per_s: SYNC_PER_S, given: false },
            Capacity { way: Way::Async, per_s: ASYNC_PER_S, given: true },
        ],
        loads: loads.into(),
        burst: Some(Event {
            base_per_s: base,
            peak_per_s: peak,
            from_s: 5.0,
            to_s: 6.5,
            runs: runs(|at_s| if is_peak(at_s) { peak } else { base }, 14.5, |_| false),
        }),
        stall: Some(Event {
            base_per_s: stalled,
            peak_per_s: stalled,
            from_s: 4.0,
            to_s: 6.0,
            runs: runs(|_| stalled, 12.0, |at_s| at_s > 4.0 && at_s <= 6.0),
        }),
        notes: vec!["Nobody measured this.".into()],
    }
}

fn runs(rate: impl Fn(f64) -> f64, wall_s: f64, is_stalled: impl Fn(f64) -> bool) -> Vec<WayRun> {
    let run = |way| WayRun { way, measurement: run(way, &rate, wall_s, &is_stalled) };
    Way::BOTH.map(run).into()
}

fn run(
    way: Way,
    rate: impl Fn(f64) -> f64,
    wall_s: f64,
    is_stalled: impl Fn(f64) -> bool,
) -> Measurement {
    let is_sync = way == Way::Sync;
    let mut ticks = Vec::new();
    let (mut line, mut queue, mut refused_in_all) = (0.0_f64, 0.0_f64, 0.0);
    for number in 1..=(wall_s * 10.0).round() as u32 {
        let at_s = f64::from(number) / 10.0;
        let due = rate(at_s) / 10.0;
        let settles = if is_stalled(at_s) { 0.0 } else { capacity(way) / 10.0 };
        line += due;
        let answered = line.min(if is_sync { settles } else { 1.6 * ASYNC_PER_S / 10.0 });
        let refused = (line - answered - LINE).max(0.0);
        line -= answered + refused;
        queue += answered;
        let settled = queue.min(settles);
        queue -= settled;
        refused_in_all += refused;
        ticks.push(Tick {
            at_s,
            due: due as u64,
            answered: answered as u64,
            refused: refused as u64,
            settled: Some(settled as u64),
            waiting: (!is_sync).then_some(queue as u64),
            acknowledged_p99_ms: Some(if is_sync { 9.0 } else { 4.0 } + line / 10.0),
        });
    }
    let sum = |of: fn(&Tick) -> u64| ticks.iter().map(of).sum::<u64>();
    let (due, answered) = (sum(|tick| tick.due), sum(|tick| tick.answered));
    let settled = sum(|tick| tick.settled.unwrap_or(0));
    let base_ms = if is_sync { 4.0 } else { 1.5 };
    let load = (due as f64 / wall_s / capacity(way)).min(0.98);
    let acknowledged = percentiles(answered, base_ms / (1.0 - load) + line / 12.0);
    let outcome = percentiles(settled / 64, 12.0 / (1.0 - load) + (line + queue) / 15.0);
    Measurement {
        scenario: way.word().into(),
        arrivals: Arrivals::Open { rates: vec![(0.0, due as f64 / wall_s)], connections: 256 },
        wall_s,
        due,
        dropped: 0,
        answered,
        answered_per_s: answered as f64 / wall_s,
        refused: BTreeMap::from([("OVERLOADED".into(), refused_in_all as u64)]),
        failed: BTreeMap::new(),
        settled_per_s: Some(settled as f64 / wall_s),
        lost: Some(0),
        ended: BTreeMap::new(),
        drained_s: Some(0.0),
        acknowledged: Some(acknowledged),
        turned_away: (refused_in_all > 0.0).then(|| percentiles(refused_in_all as u64, 1.0)),
        outcome: (!is_sync).then_some(outcome),
        ticks,
        processes: ["api", "worker", "load"]
            .map(|name| ProcessUse {
                name: name.into(),
                cpu_s: settled as f64 * if is_sync { 4e-5 } else { 5e-5 },
                rss_bytes_max: 100 << 20,
                rss_bytes_begin: 90 << 20,
                rss_bytes_end: 95 << 20,
            })
            .into(),
        wal: None,
        problems: Vec::new(),
    }
}

fn capacity(way: Way) -> f64 {
    if way == Way::Sync { SYNC_PER_S } else { ASYNC_PER_S }
}

fn percentiles(count: u64, p50: f64) -> Percentiles {
    let mean = p50 * 1.1;
    Percentiles {
        count,
        mean,
        p50,
        p90: p50 * 1.8,
        p99: p50 * 3.1,
        p999: p50 * 4.0,
        max: p50 * 6.0,
    }
}
