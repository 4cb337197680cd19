//! Connect → topology → publish; on an error drop everything in hand, pause, start over.
//!
//! Callers get an answer at every moment of this: while there is no connection or the broker
//! blocks it, requests are refused as they come.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use lapin::options::ConfirmSelectOptions;
use lapin::{Channel, ChannelStatus, ConnectionStatus, Event};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::backoff::Backoff;
use super::broker::Broker;
use super::connection::{Link, LinkError};
use super::failure::Failure;
use super::in_flight::{Answer, Finding, InFlight};
use super::message::Message;

/// Messages written and not yet confirmed. At 75 kB a message this keeps the broker busy.
const IN_FLIGHT_MAX: usize = 64;
/// A connection on which nothing was confirmed for this many confirm time-outs is given up.
const STALLED_TIMEOUTS: u32 = 10;

/// A message and who waits for its confirm.
pub(super) struct Request {
    pub(super) message: Message,
    pub(super) waiter: oneshot::Sender<Answer>,
}

/// Whether publishing has a chance.
#[derive(Clone)]
pub(super) enum State {
    Down(Arc<str>),
    Up(ConnectionStatus, ChannelStatus),
}

impl State {
    pub(super) fn writable(&self) -> Result<(), Failure> {
        match self {
            Self::Down(why) => Err(Failure::Away(why.to_string())),
            Self::Up(connection, channel) if !(connection.connected() && channel.connected()) => {
                Err(Failure::Away("connection lost".into()))
            }
            Self::Up(connection, _) if connection.blocked() => Err(Failure::Blocked),
            Self::Up(..) => Ok(()),
        }
    }
}

/// The task behind a publisher.
pub(super) struct Supervisor {
    pub(super) broker: Broker,
    /// What the connection is for: its name, and the label of its metrics.
    pub(super) purpose: &'static str,
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) state: watch::Sender<State>,
    pub(super) stop: CancellationToken,
}

enum End {
    Stopped,
    Lost(String),
}

impl Supervisor {
    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::new(self.broker.settings().reconnect_max);
        let mut told = false;
        while let Some(opened) = self.refusing(open(self.broker.clone(), self.purpose)).await {
            let why = match opened {
                Ok((link, channel)) => {
                    told = false;
                    let since = Instant::now();
                    match self.serve(link, channel).await {
                        End::Stopped => break,
                        End::Lost(why) => {
                            // A connection that does not last must not be retried in a tight loop.
                            if since.elapsed() > self.broker.settings().reconnect_max {
                                backoff.reset();
                            }
                            why
                        }
                    }
                }
                Err(error) => error.to_string(),
            };
            if !std::mem::replace(&mut told, true) {
                tracing::warn!(connection = self.purpose, why, "broker connection down");
            }
            self.down(&why);
            metrics::counter!("doorbuster_broker_reconnects_total", "connection" => self.purpose)
                .increment(1);
            if self.refusing(sleep(backoff.pause())).await.is_none() {
                break;
            }
        }
        self.down("shut down");
    }

    fn down(&self, why: &str) {
        self.up_gauge().set(0);
        self.state.send_replace(State::Down(why.into()));
    }

    fn up_gauge(&self) -> metrics::Gauge {
        metrics::gauge!("doorbuster_broker_up", "connection" => self.purpose)
    }

    fn blocked_gauge(&self) -> metrics::Gauge {
        metrics::gauge!("doorbuster_broker_blocked", "connection" => self.purpose)
    }

    /// Does `work`, refusing requests meanwhile. `None`: it is time to stop.
    async fn refusing<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Some(done),
                request = self.requests.recv() => {
                    let refusal = self.state.borrow().writable().err();
                    let away = || Failure::Away("not connected".into());
                    let _ = request?.waiter.send(Err(refusal.unwrap_or_else(away)));
                }
                () = self.stop.cancelled() => return None,
            }
        }
    }

    /// Publishes until the connection is lost or it is time to stop. Every request that was taken
    /// is answered when this returns.
    async fn serve(&mut self, link: Link, channel: Channel) -> End {
        tracing::info!(connection = self.purpose, "broker connection up");
        self.up_gauge().set(1);
        // A block ends with its connection, without a word.
        self.blocked_gauge().set(0);
        let status = link.status();
        self.state.send_replace(State::Up(status.clone(), channel.status().clone()));
        let mut flight = InFlight::default();
        let end = self.publish(&link, &channel, &mut flight).await;
        match &end {
            End::Stopped => {
                let flush =
                    async { while !flight.is_empty() && flight.settled().await.is_none() {} };
                let _ = timeout(self.broker.settings().confirm_timeout, flush).await;
                flight.abandon("shut down");
                link.close().await;
            }
            End::Lost(why) => {
                self.down(why);
                flight.abandon(why);
            }
        }
        end
    }

    async fn publish(&mut self, link: &Link, channel: &Channel, flight: &mut InFlight) -> End {
        let status = link.status();
        let mut events = pin!(link.events());
        let mut check = interval(Duration::from_secs(1));
        let stop = self.stop.clone();
        loop {
            tokio::select! {
                finding = flight.settled() => match finding {
                    None => {}
                    Some(Finding::Broken(why)) => return End::Lost(why),
                    // Starting over declares the topology again.
                    Some(Finding::Unroutable) => return End::Lost("message unroutable".into()),
                },
                request = self.requests.recv(), if flight.len() < IN_FLIGHT_MAX => match request {
                    None => return End::Stopped,
                    Some(Request { waiter, .. }) if waiter.is_closed() => {}
                    Some(Request { waiter, .. }) if status.blocked() => {
                        let _ = waiter.send(Err(Failure::Blocked));
                    }
                    Some(Request { message, waiter }) => flight.launch(channel, message, waiter),
                },
                event = events.next() => if let Some(end) = self.heed(event) { return end },
                _ = check.tick() => if let Some(end) = self.inspect(&status, channel, flight) {
                    return end;
                },
                // What is already in line is still published; then `recv` gives `None`.
                () = stop.cancelled(), if !self.requests.is_closed() => self.requests.close(),
            }
        }
    }

    fn heed(&self, event: Option<Event>) -> Option<End> {
        let blocked = self.blocked_gauge();
        match event {
            Some(Event::ConnectionBlocked(reason)) => {
                blocked.set(1);
                tracing::warn!(connection = self.purpose, reason, "broker blocks publishers");
            }
            Some(Event::ConnectionUnblocked) => {
                blocked.set(0);
                tracing::info!(connection = self.purpose, "broker lets publishers on again");
            }
            Some(Event::Error(error)) => return Some(End::Lost(error.to_string())),
            Some(_) => {}
            None => return Some(End::Lost("connection lost".into())),
        }
        None
    }

    /// What no event tells.
    fn inspect(
        &self,
        status: &ConnectionStatus,
        channel: &Channel,
        flight: &InFlight,
    ) -> Option<End> {
        if !status.connected() || !channel.status().connected() {
            return Some(End::Lost("connection lost".into()));
        }
        let patience = self.broker.settings().confirm_timeout * STALLED_TIMEOUTS;
        let stalled = flight.oldest().is_some_and(|since| since.elapsed() > patience);
        // A blocked broker confirms nothing, and a new connection would be blocked as well.
        (stalled && !status.blocked()).then(|| End::Lost("confirms stopped coming".into()))
    }
}

async fn open(broker: Broker, purpose: &'static str) -> Result<(Link, Channel), LinkError> {
    let (link, channel) = Link::open(&broker, purpose).await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok((link, channel))
}
