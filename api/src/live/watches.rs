//! What one connection watches, each with the messages that come of it.

use std::future::poll_fn;
use std::task::{Context, Poll};

use axum::extract::ws::Utf8Bytes;
use futures::stream::{BoxStream, Stream, StreamExt};
use shared::domain::{ProductId, SaleId, TrackingId};

/// Something that can be watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic {
    Inventory(ProductId),
    Purchase(TrackingId),
    Queue(SaleId),
}

/// A handful of topics. Of each the next message is made when there is room for it, not before.
#[derive(Default)]
pub(super) struct Watches {
    all: Vec<(Topic, BoxStream<'static, Utf8Bytes>)>,
    /// Whose turn it is: a busy topic does not keep the others waiting.
    turn: usize,
}

impl Watches {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether this one is among them.
    pub(super) fn has(&self, topic: Topic) -> bool {
        self.all.iter().any(|(known, _)| *known == topic)
    }

    /// Watches one more, or one anew.
    pub(super) fn add(
        &mut self,
        topic: Topic,
        messages: impl Stream<Item = Utf8Bytes> + Send + 'static,
    ) {
        self.remove(topic);
        self.all.push((topic, messages.boxed()));
    }

    /// Watches it no more.
    pub(super) fn remove(&mut self, topic: Topic) {
        self.all.retain(|(known, _)| *known != topic);
    }

    /// The next message of any of them.
    pub(super) async fn next(&mut self) -> Utf8Bytes {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Utf8Bytes> {
        let mut polled = 0;
        while polled < self.all.len() {
            self.turn = if self.turn < self.all.len() { self.turn } else { 0 };
            match self.all[self.turn].1.poll_next_unpin(cx) {
                Poll::Ready(Some(message)) => {
                    self.turn += 1;
                    return Poll::Ready(message);
                }
                // Nothing more will come of it.
                Poll::Ready(None) => drop(self.all.remove(self.turn)),
                Poll::Pending => {
                    self.turn += 1;
                    polled += 1;
                }
            }
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, stream};

    use super::*;

    fn topic(number: i64) -> Topic {
        Topic::Inventory(ProductId(number))
    }

    fn words(words: &[&'static str]) -> impl Stream<Item = Utf8Bytes> + Send + 'static {
        stream::iter(words.iter().map(|word| Utf8Bytes::from_static(word)).collect::<Vec<_>>())
    }

    #[test]
    fn topics_take_turns_and_leave_when_they_end() {
        let mut watches = Watches::default();
        watches.add(topic(1), words(&["a", "b"]));
        watches.add(topic(2), words(&["c", "d"]));
        watches.add(topic(3), stream::pending());
        let mut told = vec![];
        while let Some(message) = watches.next().now_or_never() {
            told.push(message.as_str().to_owned());
        }
        assert_eq!(told, ["a", "c", "b", "d"]);
        assert_eq!(watches.len(), 1);
        assert!(watches.has(topic(3)) && !watches.has(topic(1)));
    }

    #[test]
    fn what_is_watched_anew_begins_anew() {
        let mut watches = Watches::default();
        watches.add(topic(1), words(&["a"]));
        watches.add(topic(1), words(&["b"]));
        assert_eq!(watches.len(), 1);
        assert_eq!(watches.next().now_or_never().unwrap().as_str(), "b");
        watches.remove(topic(1));
        assert!(watches.next().now_or_never().is_none());
    }
}
