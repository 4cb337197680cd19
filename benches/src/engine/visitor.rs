//! One connection: takes arrivals, asks, and notes what it hears.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;
use uuid::Uuid;

use crate::client::Line;
use crate::engine::follow::Followed;
use crate::engine::heard::Heard;
use crate::engine::load::{Follow, Load};
use crate::engine::recorder::Recorder;
use crate::engine::request::Buffers;
use crate::engine::stage::Stage;
use crate::engine::turnstile::{Arrival, Turnstile};
use crate::shop::purchases::Purchase;

/// How often a naive client asks what became of its purchase.
const POLL_EVERY: Duration = Duration::from_millis(50);

/// What all connections share.
pub(crate) struct Hall {
    pub(crate) stage: Arc<Stage>,
    pub(crate) turnstile: Turnstile,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) follow: Follow,
    /// A buyer who polls gives up after this time; the purchase is looked up later all the same.
    pub(crate) patience: Duration,
}

impl Hall {
    /// Opens at `began`; what is measured begins after the warm-up.
    pub(crate) fn open(load: &Load, stage: Arc<Stage>, began: Instant) -> Arc<Self> {
        Arc::new(Self {
            stage,
            turnstile: Turnstile::new(load, began),
            recorder: Arc::new(Recorder::new(began + load.warm_up, load.duration)),
            follow: load.follow,
            patience: load.patience,
        })
    }

    /// Serves arrivals over one connection, until the last; the followed ones go to `followed`.
    pub(crate) async fn visit(
        self: Arc<Self>,
        first_url: usize,
        followed: UnboundedSender<Followed>,
    ) {
        let scenario = self.stage.scenario;
        let wants_id = scenario.is_followed();
        let mut line = Line::new(self.stage.targets.clone(), first_url);
        let mut buffers = Buffers::default();
        while let Some(arrival) = self.turnstile.next(&self.recorder).await {
            let ask = scenario.ask(arrival.number);
            let expected = scenario.expected(ask);
            let sent = Instant::now();
            let answer = buffers.ask(&mut line, &self.stage, ask, arrival.number).await;
            let heard = match &answer {
                Ok(answer) => Heard::read(answer, expected, wants_id),
                Err(broken) => Heard::nothing(broken),
            };
            self.recorder.record().heard(arrival, sent, expected, &heard);
            if let Heard::Answered(Some(id)) = heard {
                match self.follow {
                    Follow::Poll => self.poll(&mut line, &mut buffers, arrival, id).await,
                    Follow::Sample { every } if arrival.number.is_multiple_of(every.into()) => {
                        // The follower goes only when the run has failed as a whole.
                        let _ = followed.send(Followed { id, due: arrival.due });
                    }
                    Follow::Sample { .. } => {}
                }
            } else if answer.is_err() {
                line.back_off().await;
            }
        }
    }

    /// Asks until the purchase is decided, as often as a naive client would.
    async fn poll(&self, line: &mut Line, buffers: &mut Buffers, arrival: Arrival, id: Uuid) {
        let give_up = Instant::now() + self.patience;
        while Instant::now() < give_up {
            let is_decided = match buffers.look_up(line, id).await {
                Ok(answer) if answer.status == 200 => {
                    serde_json::from_slice::<Purchase<'_>>(answer.body)
                        .is_ok_and(|purchase| purchase.is_decided())
                }
                Ok(_) => false,
                Err(_) => {
                    line.back_off().await;
                    false
                }
            };
            if is_decided {
                return self.recorder.record().outcome(arrival.due);
            }
            tokio::time::sleep(POLL_EVERY).await;
        }
    }
}
