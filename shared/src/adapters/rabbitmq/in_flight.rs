//! Publishes waiting for their confirms, matched with what was returned.
//!
//! One task owns this and the channel, because confirms of a channel that several tasks publish on
//! can resolve the wrong publish. lapin attaches a returned message to whichever confirm resolves
//! next, so an ack alone says little:
//!
//! - an ack that carries a return, whosever it is, hides what became of its own message;
//! - an ack that carries none is sure once all confirms that resolved before it have been seen.
//!
//! Hence everything that has resolved is gathered before anything is answered.

use std::collections::HashSet;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use lapin::options::BasicPublishOptions;
use lapin::{Channel, Confirmation};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::failure::Failure;
use super::message::Message;

/// The answer to a publish.
pub(super) type Answer = Result<(), Failure>;

type Confirm = Pin<Box<dyn Future<Output = lapin::Result<Confirmation>> + Send>>;

#[derive(Default)]
pub(super) struct InFlight {
    /// In the order of publishing.
    entries: Vec<Entry>,
    /// IDs that came back on another's confirm, before their own resolved.
    returned: HashSet<String>,
}

struct Entry {
    ticket: Ticket,
    confirm: Confirm,
}

/// Who waits for a publish, since when.
struct Ticket {
    id: String,
    purchases: usize,
    since: Instant,
    waiter: oneshot::Sender<Answer>,
}

/// What happened to the channel while confirms came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Finding {
    /// A message came back: the topology is not what it should be.
    Unroutable,
    /// The channel is gone.
    Broken(String),
}

impl InFlight {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Since when the oldest has been waiting.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.entries.first().map(|entry| entry.ticket.since)
    }

    /// Publishes `message`. Its frames are queued when [`settled`](Self::settled) polls it first,
    /// in the order of launching.
    pub(super) fn launch(
        &mut self,
        channel: &Channel,
        message: Message,
        waiter: oneshot::Sender<Answer>,
    ) {
        let Message { exchange, routing_key, mandatory, id, properties, body, purchases } = message;
        let channel = channel.clone();
        let confirm = async move {
            let options = BasicPublishOptions { mandatory, immediate: false };
            let confirm = channel
                .basic_publish(exchange.into(), routing_key.into(), options, &body, properties)
                .await?;
            drop((body, channel)); // Written; waiting for the confirm needs neither.
            confirm.await
        };
        let ticket = Ticket { id, purchases, since: Instant::now(), waiter };
        self.entries.push(Entry { ticket, confirm: Box::pin(confirm) });
    }

    /// Waits until confirms have come in and answers them. Cancel-safe.
    pub(super) async fn settled(&mut self) -> Option<Finding> {
        poll_fn(|cx| self.poll_settled(cx)).await
    }

    fn poll_settled(&mut self, cx: &mut Context<'_>) -> Poll<Option<Finding>> {
        let mut resolved = Vec::new();
        loop {
            let before = resolved.len();
            let entries = std::mem::take(&mut self.entries);
            for mut entry in entries {
                match entry.confirm.as_mut().poll(cx) {
                    Poll::Ready(result) => resolved.push((entry.ticket, result)),
                    Poll::Pending => self.entries.push(entry),
                }
            }
            // Another pass sees what resolved before the last one found and after its own poll.
            if resolved.len() == before {
                break;
            }
        }
        if resolved.is_empty() { Poll::Pending } else { Poll::Ready(self.answer(resolved)) }
    }

    fn answer(&mut self, resolved: Vec<(Ticket, lapin::Result<Confirmation>)>) -> Option<Finding> {
        let mut finding = None;
        let mut judged = Vec::with_capacity(resolved.len());
        for (ticket, result) in resolved {
            let verdict = verdict(result);
            if let Verdict::Returned(id) = &verdict {
                self.returned.extend(id.clone());
            }
            judged.push((ticket, verdict));
        }
        for (ticket, verdict) in judged {
            let came_back = self.returned.remove(&ticket.id);
            let answer = match verdict {
                Verdict::Acked if !came_back => Ok(()),
                Verdict::Acked | Verdict::Returned(_) => {
                    finding.get_or_insert(Finding::Unroutable);
                    Err(Failure::Unroutable)
                }
                Verdict::Nacked => Err(Failure::Full),
                Verdict::Lost(why) => {
                    finding = Some(Finding::Broken(why.clone()));
                    Err(Failure::Away(why))
                }
            };
            ticket.answer(answer);
        }
        finding
    }

    /// Gives up on all that is still unanswered.
    pub(super) fn abandon(self, why: &str) {
        for entry in self.entries {
            entry.ticket.answer(Err(Failure::Away(why.to_owned())));
        }
    }
}

enum Verdict {
    Acked,
    Nacked,
    /// The confirm carried a message that came back, with its ID if it has one.
    Returned(Option<String>),
    Lost(String),
}

fn verdict(result: lapin::Result<Confirmation>) -> Verdict {
    match result {
        Ok(Confirmation::Ack(None)) => Verdict::Acked,
        Ok(Confirmation::Ack(Some(returned)) | Confirmation::Nack(Some(returned))) => {
            let id = returned.delivery.properties.message_id();
            Verdict::Returned(id.as_ref().map(|id| id.as_str().to_owned()))
        }
        Ok(Confirmation::Nack(None)) => Verdict::Nacked,
        Ok(Confirmation::NotRequested) => Verdict::Lost("the channel does not confirm".into()),
        Err(error) => Verdict::Lost(error.to_string()),
    }
}

impl Ticket {
    fn answer(self, answer: Answer) {
        if answer.is_ok() {
            metrics::histogram!("doorbuster_publish_confirm_seconds")
                .record(self.since.elapsed().as_secs_f64());
            metrics::counter!("doorbuster_published_messages_total").increment(1);
            metrics::counter!("doorbuster_published_purchases_total")
                .increment(self.purchases as u64);
        }
        // The caller may have stopped waiting.
        let _ = self.waiter.send(answer);
    }
}

#[cfg(test)]
mod tests;
