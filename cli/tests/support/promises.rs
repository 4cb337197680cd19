//! What was promised to buyers, and whether it is kept.

use std::collections::BTreeMap;

use super::{Client, Stack, eventually};

/// Accepts purchases of a new product one after the other; what was promised.
pub async fn accept(client: &Client, sku: &str, count: usize) -> (i64, Vec<String>) {
    let product = client.add_product(sku, 1_000).await;
    let mut promised = vec![];
    for n in 0..count {
        let answer = client.buy("async", product, &format!("u-{n}")).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        promised.push(answer.text("trackingId"));
    }
    (product, promised)
}

/// Every promise is kept, once each, and the books agree.
pub async fn kept(stack: &Stack, client: &Client, product: i64, promised: &[String]) {
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    for id in promised {
        let outcome = client.outcome(id).await;
        *outcomes.entry(outcome["status"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    assert_eq!(outcomes, BTreeMap::from([("CONFIRMED".to_owned(), promised.len())]));
    stack.healthy().await;
    // The boards hear of the last one a moment after its buyer.
    eventually("every promise counts as sold", async || {
        let stock = client.get(&format!("/api/v1/products/{product}/availability")).await;
        (stock.body["soldCount"] == promised.len()).then_some(())
    })
    .await;
}

/// Waits until the API is as ready as that.
pub async fn readiness(client: &Client, status: u16, text: &str) {
    eventually(&format!("readyz says {text}"), async || {
        let ready = client.get("/readyz").await;
        (ready.status == status && ready.body["status"] == text).then_some(())
    })
    .await;
}
