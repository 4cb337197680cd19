//! The documents say the same as each other, and what they say is right.

use std::collections::BTreeSet;

use serde_json::Value;
use shared::domain::{NoticeEvent, OrderEvent};

use crate::contract::{Contract, document};

/// The example below the heading of each type in `events.md`.
fn examples(text: &str) -> Vec<(String, Value)> {
    let sections = text.split("\n### `").skip(1);
    sections
        .map(|section| {
            let (name, rest) = section.split_once('`').unwrap();
            let (_, rest) = rest.split_once("```json\n").unwrap();
            let (example, _) = rest.split_once("\n```").unwrap();
            (name.to_owned(), serde_json::from_str(example).unwrap())
        })
        .collect()
}

#[test]
fn every_example_keeps_to_its_schema() {
    let contract = Contract::read();
    for name in contract.types() {
        let example = contract.example(&name);
        assert_eq!(example["type"], *name);
        contract.check(example);
    }
}

#[test]
fn every_example_of_the_socket_keeps_to_its_schema_and_is_in_the_guide() {
    let (contract, guide) = (Contract::read(), document("events.md"));
    for name in contract.of_socket() {
        let example = contract.example(name);
        contract.check_as(name, example);
        let event = example["event"].as_str().unwrap();
        assert!(guide.contains(&format!("`{event}`")), "{event}");
    }
}

#[test]
fn the_guide_shows_every_type_with_the_same_example() {
    let contract = Contract::read();
    let examples = examples(&document("events.md"));
    let shown: BTreeSet<_> = examples.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(shown, contract.types());
    for (name, data) in &examples {
        assert_eq!(*data, contract.example(name)["data"], "{name}");
    }
}

#[test]
#[should_panic(expected = "shippingAddress")]
fn a_field_that_nobody_promised_is_noticed() {
    let contract = Contract::read();
    let mut event = contract.example("order.confirmed").clone();
    event["data"]["orders"][0]["shippingAddress"] = Value::from("Bern");
    contract.check(&event);
}

#[test]
fn every_event_of_the_program_is_in_the_document() {
    let orders = OrderEvent::all().map(OrderEvent::as_str);
    let notices = NoticeEvent::ALL.iter().map(|event| event.as_str());
    let program: BTreeSet<_> =
        orders.chain(notices).chain(["stock.changed"]).map(str::to_owned).collect();
    assert_eq!(program, Contract::read().types());
}
