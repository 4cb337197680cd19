//! The purchases that have a 202 and no outcome yet.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::mpsc::error::TryRecvError;
use uuid::Uuid;

/// A purchase that was still queued is asked for again after this time.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// A 202 that was given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pending {
    pub(crate) id: Uuid,
    pub(crate) buyer: u32,
    /// When the purchase was first sent.
    pub(crate) sent: Instant,
}

/// What has been accepted and is not known to be decided.
pub(crate) struct Waiting {
    inbox: UnboundedReceiver<Pending>,
    closed: bool,
    /// Asked for in vain; due at that time, in that order.
    again: VecDeque<(Instant, Pending)>,
}

impl Waiting {
    pub(crate) fn new(inbox: UnboundedReceiver<Pending>) -> Self {
        Self { inbox, closed: false, again: VecDeque::new() }
    }

    /// Up to `most`, half of them from those asked before, so that stuck ones hide nobody.
    pub(crate) fn take(&mut self, most: usize) -> Vec<Pending> {
        let mut batch = Vec::with_capacity(most);
        self.take_due(&mut batch, most / 2);
        while batch.len() < most && !self.closed {
            match self.inbox.try_recv() {
                Ok(pending) => batch.push(pending),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => self.closed = true,
            }
        }
        self.take_due(&mut batch, most);
        batch
    }

    fn take_due(&mut self, batch: &mut Vec<Pending>, most: usize) {
        let now = Instant::now();
        while batch.len() < most
            && let Some((due, pending)) = self.again.front()
            && *due <= now
        {
            batch.push(*pending);
            self.again.pop_front();
        }
    }

    pub(crate) fn put_back(&mut self, left: Vec<Pending>) {
        let due = Instant::now() + ASK_AGAIN;
        self.again.extend(left.into_iter().map(|pending| (due, pending)));
    }

    pub(crate) fn is_over(&self) -> bool {
        self.closed && self.again.is_empty()
    }

    /// Waits until there is something to ask for, at most `longest`.
    pub(crate) async fn wait(&mut self, longest: Duration) {
        let now = Instant::now();
        let next_due = self.again.front().map_or(longest, |(due, _)| *due - now);
        tokio::select! {
            arrived = self.inbox.recv(), if !self.closed => match arrived {
                Some(pending) => self.again.push_front((now, pending)),
                None => self.closed = true,
            },
            () = tokio::time::sleep(next_due.min(longest)) => {}
        }
    }

    /// Empties everything and says how many there were.
    pub(crate) fn drain(&mut self) -> u64 {
        let mut count = self.again.drain(..).count() as u64;
        while self.inbox.try_recv().is_ok() {
            count += 1;
        }
        count
    }
}
