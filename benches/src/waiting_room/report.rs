//! The findings.

use std::fmt;
use std::time::Duration;

use indicatif::HumanBytes;
use serde::Serialize;

use crate::figures::rounded;
use crate::latency::Latency;
use crate::measure::ProcessUse;
use crate::table::{count_row, row};
use crate::waiting_room::WaitingRoomPlan;
use crate::waiting_room::tally::{Behind, Delays, PERCENTILES, Tally};

/// News of one kind: how much of it, and how late it came.
#[derive(Debug, Serialize)]
pub struct News {
    /// Frames that were read, after the first of each client.
    pub frames: u64,
    /// Delays in milliseconds at 50, 90, 99 and 100 %.
    pub delay_ms: Delays,
    /// Clients who had not heard the last of it ten seconds after the end.
    pub behind: usize,
}

/// What was found.
#[derive(Debug, Serialize)]
pub struct WaitingRoomReport {
    /// Clients connected at the same time.
    pub clients: usize,
    /// Of them by WebSocket.
    pub websockets: usize,
    /// Seconds until all had a ticket.
    pub joined_s: f64,
    /// Joining, in milliseconds at 50, 90, 99 and 100 %.
    pub join_ms: Delays,
    /// Seconds until all were connected and told where they stand.
    pub connected_s: f64,
    /// Seconds until all knew that the sale was over.
    pub ended_s: f64,
    /// Seconds that were measured.
    pub duration_s: f64,
    /// Purchases meanwhile.
    pub purchases: u64,
    /// Places in line: from the moment when the line was so.
    pub places: News,
    /// Stock: from the moment when the buyer had the answer.
    pub stocks: News,
    /// Memory and time of the processes.
    pub processes: Vec<ProcessUse>,
    /// Everybody heard everything.
    pub ok: bool,
}

impl WaitingRoomReport {
    pub(crate) fn new(
        plan: &WaitingRoomPlan,
        (joined, connected, ended): (Duration, Duration, Duration),
        join: &Latency,
        behind: Behind,
        tally: &Tally,
        processes: Vec<ProcessUse>,
    ) -> Self {
        let websockets =
            (0..plan.clients).filter(|n| plan.way(*n) == super::plan::Way::Socket).count();
        let (frames, delay_ms) = tally.places();
        let places = News { frames, delay_ms, behind: behind.places };
        let (frames, delay_ms) = tally.stocks();
        let stocks = News { frames, delay_ms, behind: behind.stocks };
        Self {
            clients: plan.clients,
            websockets,
            joined_s: rounded(joined.as_secs_f64()),
            join_ms: join.at(PERCENTILES),
            connected_s: rounded(connected.as_secs_f64()),
            ended_s: rounded(ended.as_secs_f64()),
            duration_s: plan.duration.as_secs_f64(),
            purchases: tally.purchases(),
            ok: behind == Behind::default() && places.frames > 0,
            places,
            stocks,
            processes,
        }
    }
}

impl fmt::Display for WaitingRoomReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sockets = format!("{} by WebSocket, the others by SSE", self.websockets);
        count_row(f, "clients", self.clients as u64, &sockets)?;
        row(f, "all had a ticket after", &format!("{:.1} s", self.joined_s))?;
        row(f, "all connected after", &format!("{:.1} s", self.connected_s))?;
        row(f, "all knew the end after", &format!("{:.1} s", self.ended_s))?;
        count_row(f, "purchases", self.purchases, "")?;
        for (name, news) in [("places in line", &self.places), ("stock", &self.stocks)] {
            let delays = news.delay_ms.map_or("no news".to_owned(), |[p50, p90, p99, max]| {
                format!("p50 {p50:.0} ms  p90 {p90:.0} ms  p99 {p99:.0} ms  max {max:.0} ms")
            });
            count_row(f, &format!("{name}: frames"), news.frames, &delays)?;
            count_row(f, "  did not hear the last", news.behind as u64, "")?;
        }
        for used in &self.processes {
            let note = format!("at most {}", HumanBytes(used.rss_bytes_max));
            row(f, &used.name, &format!("{:.1} s CPU, {note}", used.cpu_s))?;
        }
        write!(f, "{}", if self.ok { "OK" } else { "NOT OK" })
    }
}
