//! The callers' end of the task that owns the publishing channel.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::broker::Broker;
use super::failure::Failure;
use super::in_flight::Answer;
use super::message::Message;
use super::supervisor::{Request, State, Supervisor};

/// Messages waiting to be written; who finds the line full waits, within the time-out.
const LINE_MAX: usize = 64;

/// Publishes with confirms on a connection of its own. Dropping it publishes what is in line,
/// waits for the confirms and closes the connection, in the background.
pub(super) struct Publisher {
    broker: Broker,
    requests: mpsc::Sender<Request>,
    state: watch::Receiver<State>,
    stop: CancellationToken,
    task: TaskTracker,
}

impl Publisher {
    /// Starts connecting. Must be called within a tokio runtime.
    pub(super) fn start(broker: Broker, purpose: &'static str) -> Self {
        Failure::begin();
        let (requests, line) = mpsc::channel(LINE_MAX);
        let (state, watched) = watch::channel(State::Down(Arc::from("not connected yet")));
        let stop = CancellationToken::new();
        let task = TaskTracker::new();
        let supervisor = Supervisor {
            broker: broker.clone(),
            purpose,
            requests: line,
            state,
            stop: stop.clone(),
        };
        task.spawn(supervisor.run());
        task.close();
        Self { broker, requests, state: watched, stop, task }
    }

    /// Publishes one message; `Ok` means confirmed and not returned.
    pub(super) async fn publish(&self, message: Message) -> Result<(), Failure> {
        self.publish_all([message]).await
    }

    /// Publishes messages in this order; `Ok` means all are confirmed and none was returned. Never
    /// takes longer than the confirm time-out.
    pub(super) async fn publish_all(
        &self,
        messages: impl IntoIterator<Item = Message>,
    ) -> Result<(), Failure> {
        let all = async {
            self.writable()?;
            let mut answers = Vec::new();
            for message in messages {
                answers.push(self.enqueue(message).await?);
            }
            for answer in answers {
                answer.await.map_err(|_| shut_down())??;
            }
            Ok(())
        };
        let limit = self.broker.settings().confirm_timeout;
        let result = timeout(limit, all).await.unwrap_or(Err(Failure::Timeout(limit)));
        result.inspect_err(Failure::count)
    }

    async fn enqueue(&self, message: Message) -> Result<oneshot::Receiver<Answer>, Failure> {
        let (waiter, answer) = oneshot::channel();
        let request = Request { message, waiter };
        self.requests.send(request).await.map_err(|_| shut_down())?;
        Ok(answer)
    }

    /// `Err` while a publish would be refused at once.
    pub(super) fn writable(&self) -> Result<(), Failure> {
        self.state.borrow().writable()
    }

    /// Waits until there is a connection.
    pub(super) async fn connected(&self) {
        let mut state = self.state.clone();
        // An error says that the task is gone; then waiting longer is of no use either.
        let _ = state.wait_for(|state| matches!(state, State::Up(..))).await;
    }

    /// Publishes what is in line, waits for the confirms and closes the connection.
    pub(super) async fn close(&self) {
        self.stop.cancel();
        self.task.wait().await;
    }
}

fn shut_down() -> Failure {
    Failure::Away("shut down".into())
}
