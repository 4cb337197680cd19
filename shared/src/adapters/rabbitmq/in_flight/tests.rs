use std::sync::{Arc, Mutex};

use lapin::BasicProperties;
use lapin::message::{BasicReturnMessage, Delivery};

use super::*;

/// A confirm that resolves when the test says so.
#[derive(Clone, Default)]
struct Slot(Arc<Mutex<Option<lapin::Result<Confirmation>>>>);

impl Slot {
    fn set(&self, result: lapin::Result<Confirmation>) {
        *self.0.lock().unwrap() = Some(result);
    }

    fn confirm(&self) -> Confirm {
        let slot = self.0.clone();
        Box::pin(poll_fn(move |_| match slot.lock().unwrap().take() {
            Some(result) => Poll::Ready(result),
            None => Poll::Pending,
        }))
    }
}

fn launched(ids: &[&str]) -> (InFlight, Vec<Slot>, Vec<oneshot::Receiver<Answer>>) {
    let mut flight = InFlight::default();
    let (mut slots, mut waiters) = (Vec::new(), Vec::new());
    for &id in ids {
        let (waiter, answer) = oneshot::channel();
        let slot = Slot::default();
        let ticket = Ticket { id: id.into(), purchases: 1, since: Instant::now(), waiter };
        flight.entries.push(Entry { ticket, confirm: slot.confirm() });
        slots.push(slot);
        waiters.push(answer);
    }
    (flight, slots, waiters)
}

fn poll(flight: &mut InFlight) -> Poll<Option<Finding>> {
    flight.poll_settled(&mut Context::from_waker(std::task::Waker::noop()))
}

fn returned(id: &str) -> BasicReturnMessage {
    let mut delivery = Delivery::mock(0, "".into(), "".into(), false, vec![]);
    delivery.properties = BasicProperties::default().with_message_id(id.into());
    BasicReturnMessage { delivery, reply_code: 312, reply_text: "NO_ROUTE".into() }
}

#[test]
fn an_ack_is_ok_and_a_nack_means_full() {
    let (mut flight, slots, mut answers) = launched(&["a", "b"]);
    assert!(poll(&mut flight).is_pending());
    slots[0].set(Ok(Confirmation::Ack(None)));
    slots[1].set(Ok(Confirmation::Nack(None)));
    assert_eq!(poll(&mut flight), Poll::Ready(None));
    assert!(answers[0].try_recv().unwrap().is_ok());
    assert!(matches!(answers[1].try_recv().unwrap(), Err(Failure::Full)));
}

#[test]
fn a_return_on_a_neighbours_confirm_is_laid_at_the_right_door() {
    let (mut flight, slots, mut answers) = launched(&["a", "b"]);
    slots[0].set(Ok(Confirmation::Ack(None)));
    slots[1].set(Ok(Confirmation::Ack(Some(returned("a")))));
    assert_eq!(poll(&mut flight), Poll::Ready(Some(Finding::Unroutable)));
    assert!(matches!(answers[0].try_recv().unwrap(), Err(Failure::Unroutable)));
    // What became of b is hidden behind a's return: better refused than a false promise.
    assert!(matches!(answers[1].try_recv().unwrap(), Err(Failure::Unroutable)));
}

#[test]
fn a_return_is_remembered_until_its_own_confirm_comes() {
    let (mut flight, slots, mut answers) = launched(&["a", "b", "c"]);
    slots[0].set(Ok(Confirmation::Ack(Some(returned("b")))));
    assert!(poll(&mut flight).is_ready());
    slots[1].set(Ok(Confirmation::Ack(None)));
    slots[2].set(Ok(Confirmation::Ack(None)));
    assert!(poll(&mut flight).is_ready());
    assert!(matches!(answers[1].try_recv().unwrap(), Err(Failure::Unroutable)));
    assert!(answers[2].try_recv().unwrap().is_ok());
    assert!(flight.returned.is_empty());
}

#[test]
fn a_confirm_that_resolves_between_two_polls_of_one_pass_is_still_seen_first() {
    // b is polled, pending, before a and b resolve; then c is polled and found acked. The return
    // of c sits on b.
    let (mut flight, slots, mut answers) = launched(&["b", "trigger", "c"]);
    let (b, c) = (slots[0].clone(), slots[2].clone());
    flight.entries[1].confirm = Box::pin(poll_fn(move |_| {
        b.set(Ok(Confirmation::Ack(Some(returned("c")))));
        c.set(Ok(Confirmation::Ack(None)));
        Poll::Ready(Ok(Confirmation::Ack(None)))
    }));
    assert!(poll(&mut flight).is_ready());
    assert!(matches!(answers[2].try_recv().unwrap(), Err(Failure::Unroutable)));
    assert!(answers[1].try_recv().unwrap().is_ok());
}

#[test]
fn when_the_channel_breaks_everybody_is_answered() {
    let (mut flight, slots, mut answers) = launched(&["a", "b"]);
    slots[0].set(Err(lapin::ErrorKind::MissingHeartbeatError.into()));
    assert!(matches!(poll(&mut flight), Poll::Ready(Some(Finding::Broken(_)))));
    flight.abandon("gone");
    for answer in &mut answers {
        assert!(matches!(answer.try_recv().unwrap(), Err(Failure::Away(_))));
    }
}
