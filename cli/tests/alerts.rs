//! The alerts (docs/alerts.yml): each asks for metrics that the programs have, and leads to a runbook.
#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use support::{Client, Stack, eventually, free_port};

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(DOCS).join(name)).unwrap()
}

/// The alerts, each as its lines of the file.
fn alerts() -> Vec<String> {
    let text = read("alerts.yml");
    text.split("      - alert: ").skip(1).map(str::to_owned).collect()
}

/// The value of `key:` in an alert.
fn value<'a>(alert: &'a str, key: &str) -> &'a str {
    let found = alert.lines().find_map(|line| line.trim_start().strip_prefix(key));
    found.unwrap_or_else(|| panic!("{key} is missing: {alert}")).trim()
}

/// Our metrics that `text` speaks of.
fn metrics(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("doorbuster_")).collect()
}

#[test]
fn every_alert_leads_to_a_runbook_and_is_listed_there() {
    let index = read("runbooks/README.md");
    let alerts = alerts();
    assert!(alerts.len() > 20);
    for alert in &alerts {
        let name = alert.lines().next().unwrap();
        let runbook = value(alert, "runbook: docs/runbooks/");
        assert!(read(&format!("runbooks/{runbook}")).contains(name), "{runbook} knows {name}");
        assert!(index.contains(&format!("`{name}`")), "the index lists {name}");
        assert!(["{ severity: page }", "{ severity: ticket }"].contains(&value(alert, "labels:")));
        assert!(value(alert, "summary:").starts_with('"'), "{alert}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_of_an_alert_is_one_that_the_programs_have() {
    let mut stack = Stack::new().await;
    let (_api, client) = stack.api().await;
    let addr = format!("127.0.0.1:{}", free_port());
    stack.set("DOORBUSTER__METRICS__ADDR", &addr);
    let _worker = stack.worker();
    let product = client.add_product("ALERTS", 1).await;
    let accepted = client.buy("async", product, "u-1").await;
    assert_eq!(client.outcome(&accepted.text("trackingId")).await["status"], "CONFIRMED");
    let worker = Client::new(format!("http://{addr}"));
    let file = read("alerts.yml");
    for wanted in metrics(&file) {
        eventually(&format!("a program shows {wanted}"), async || {
            let mut shown = String::new();
            for program in [&client, &worker] {
                let answer = program.try_send("GET", "/metrics", &[], None).await?;
                shown.push_str(answer.body.as_str()?);
            }
            metrics(&shown).contains(wanted).then_some(())
        })
        .await;
    }
}
