//! What is to be done.

use std::time::Duration;

use serde::Serialize;

use crate::waiting_room::Processes;

/// A crowd in a waiting room.
#[derive(Debug, Clone)]
pub struct WaitingRoomPlan {
    /// Instances of the API.
    pub urls: Vec<String>,
    /// Who wait, each on a connection of their own.
    pub clients: usize,
    /// Share of them, 0 to 1, who are connected by WebSocket; the others by SSE.
    pub websockets: f64,
    /// Clients who connect per second.
    pub connects_per_second: u32,
    /// Units on sale.
    pub stock: i64,
    /// Shoppers let in per second.
    pub admit_per_second: u32,
    /// Purchases per second, by those who were let in.
    pub purchases_per_second: u32,
    /// How long they wait.
    pub duration: Duration,
    /// All must be connected within this time.
    pub patience: Duration,
    /// The operators' API key.
    pub api_key: Option<String>,
    /// Processes whose memory and time are looked at.
    pub processes: Processes,
    /// Say on stderr how it goes.
    pub progress: bool,
}

/// How a client is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Server-sent events of the place in line.
    Place,
    /// Server-sent events of the stock.
    Stock,
    /// A WebSocket with both.
    Socket,
}

/// The rules of the sale's waiting room.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rules {
    admit_per_second: u32,
    max_inside: u32,
    pass_seconds: u32,
    patience_seconds: u32,
}

impl WaitingRoomPlan {
    /// What cannot be, if anything.
    pub(crate) fn fault(&self) -> Option<String> {
        if self.urls.is_empty() {
            Some("--url is missing".into())
        } else if self.clients == 0 {
            Some("--clients must be at least 1".into())
        } else if !(0.0..=1.0).contains(&self.websockets) {
            Some("--websockets must be from 0 to 1".into())
        } else if self.stock < 1 || self.admit_per_second == 0 || self.connects_per_second == 0 {
            Some("--stock, --admit-per-second and --connects-per-second must be at least 1".into())
        } else {
            None
        }
    }

    /// Everybody stays for the whole time.
    pub(crate) fn rules(&self) -> Rules {
        Rules {
            admit_per_second: self.admit_per_second,
            max_inside: 1_000_000,
            pass_seconds: 3_600,
            patience_seconds: 600,
        }
    }

    pub(crate) fn connects_per_10ms(&self) -> usize {
        (self.connects_per_second as usize / 100).max(1)
    }

    /// Ways are spread evenly; of the streams every other one is of stock.
    pub(crate) fn way(&self, n: usize) -> Way {
        let sockets = |n: usize| (n as f64 * self.websockets) as usize;
        if sockets(n + 1) > sockets(n) {
            Way::Socket
        } else if (n - sockets(n)).is_multiple_of(2) {
            Way::Place
        } else {
            Way::Stock
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(websockets: f64) -> WaitingRoomPlan {
        WaitingRoomPlan {
            urls: vec!["http://127.0.0.1:1".into()],
            clients: 100,
            websockets,
            connects_per_second: 1_000,
            stock: 1,
            admit_per_second: 1,
            purchases_per_second: 1,
            duration: Duration::ZERO,
            patience: Duration::ZERO,
            api_key: None,
            processes: vec![],
            progress: false,
        }
    }

    #[test]
    fn ways_are_spread() {
        let count = |websockets, way| (0..100).filter(|n| plan(websockets).way(*n) == way).count();
        for (websockets, expected) in [(0.0, [0, 50, 50]), (0.5, [50, 25, 25]), (1.0, [100, 0, 0])]
        {
            let found = [Way::Socket, Way::Place, Way::Stock].map(|way| count(websockets, way));
            assert_eq!(found, expected, "{websockets}");
        }
    }

    #[test]
    fn what_cannot_be_is_said() {
        assert_eq!(plan(0.5).fault(), None);
        assert!(plan(1.5).fault().unwrap().contains("--websockets"));
        assert!(WaitingRoomPlan { urls: vec![], ..plan(0.0) }.fault().unwrap().contains("--url"));
    }
}
