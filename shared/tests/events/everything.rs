//! Everything that can happen, happens, and is told as promised.

use std::collections::BTreeSet;

use serde_json::json;
use shared::domain::testing::{fresh_id, tester, with_key};
use shared::domain::{Act, Late, Purchase, Timestamp};
use shared::ports::{DeadLetter, NewSale, ProductChange, SaleChange};

use crate::contract::Contract;
use crate::support::{Heard, Shop, buy, by_id, checkout, declined, hold, paid};

#[tokio::test]
async fn every_type_of_event_is_told_as_the_document_says() {
    let (shop, contract) = (Shop::open().await, Contract::read());
    let listener = shop.listen("all", json!({})).await;
    stock_comes_and_goes(&shop).await;
    purchases_are_settled(&shop).await;
    holds_end_in_every_way(&shop).await;
    sales_come_and_go(&shop).await;
    assert_eq!(shop.dues().await, 0, "everything is paid");

    let heard = listener.heard().await;
    for message in &heard {
        contract.check(&message.event);
        assert_eq!(message.routing_key, message.event["type"]);
        let properties = &message.properties;
        assert_eq!(properties["content_type"], "application/cloudevents+json; charset=utf-8");
        assert_eq!(properties["message_id"], message.event["id"]);
        assert_eq!(properties["type"], message.event["type"]);
        assert_eq!(properties["delivery_mode"], 2);
        assert!(!message.event.to_string().contains("secret"), "{}", message.event);
    }
    let ids: BTreeSet<_> = heard.iter().map(Heard::id).collect();
    assert_eq!(ids.len(), heard.len(), "an ID is given once");
    let types: BTreeSet<_> = heard.iter().map(|message| message.routing_key.clone()).collect();
    assert_eq!(types, contract.types());
}

async fn stock_comes_and_goes(shop: &Shop) {
    let tv = shop.product("TV", 15).await;
    shop.tell(shop.ledger.restock(&by_id(tv), 5, &tester()).await.unwrap()).await;
    let change = ProductChange { price_minor: Some(1), ..ProductChange::default() };
    shop.tell(shop.ledger.change_product(&by_id(tv), &change, &tester()).await.unwrap().1).await;
    let most = buy(tv, "ann", 19);
    shop.settle(std::slice::from_ref(&most)).await; // low
    shop.settle(&[buy(tv, "bob", 1), buy(tv, "cat", 1)]).await; // sold out
    shop.act(most.id, Act::Cancel).await; // replenished
}

async fn purchases_are_settled(shop: &Shop) {
    let tv = shop.product("PC", 1_000).await;
    let sold = buy(tv, "ann", 2);
    let keyed = with_key(buy(tv, "bob", 1), "k-1");
    let again = Purchase { id: fresh_id(), ..keyed.clone() };
    shop.settle(&[sold.clone(), buy(tv, "ann", 5_000), keyed, again]).await;
    shop.act(sold.id, paid("t-1", Late::Refund)).await;
    shop.act(sold.id, paid("t-2", Late::Refund)).await; // once too often
    shop.act(sold.id, Act::Fulfil).await;
    let regretted = buy(tv, "cat", 1);
    shop.settle(std::slice::from_ref(&regretted)).await;
    shop.act(regretted.id, paid("t-3", Late::Refund)).await;
    shop.act(regretted.id, Act::Cancel).await;
    let body = b"no purchase".to_vec();
    let letter = DeadLetter { order_id: Some(fresh_id()), body, error: "bad".into() };
    shop.tell(shop.ledger.park(&letter).await.unwrap().unwrap()).await;
}

async fn holds_end_in_every_way(shop: &Shop) {
    let tv = shop.product("VR", 1_000).await;
    let [sold, given_back, failed, expired] =
        [("ann", 600), ("bob", 600), ("cat", 600), ("dan", 0)].map(|(u, s)| hold(tv, u, s));
    shop.settle(&[sold.clone(), given_back.clone(), failed.clone(), expired.clone()]).await;
    shop.act(sold.id, checkout("t-1")).await;
    shop.act(sold.id, declined("t-1", true)).await;
    shop.act(sold.id, checkout("t-2")).await;
    shop.act(sold.id, paid("t-2", Late::Refund)).await;
    shop.act(given_back.id, Act::Release).await;
    shop.act(failed.id, checkout("t-3")).await;
    shop.act(failed.id, declined("t-3", false)).await;
    shop.act(failed.id, paid("t-3", Late::Refund)).await;
    shop.tell(shop.ledger.expire(10).await.unwrap().announcement.unwrap()).await;
    shop.act(expired.id, paid("t-4", Late::Reclaim(fresh_id()))).await;
}

async fn sales_come_and_go(shop: &Shop) {
    let tv = shop.product("AR", 1_000).await;
    let now = shop.ledger.pulse().await.unwrap().now;
    let hours = |hours: i64| now.plus_millis(hours * 3_600_000);
    let planned = |starts_at: Timestamp, ends_at| NewSale {
        product: by_id(tv),
        price_minor: 49_999,
        starts_at,
        ends_at,
        per_user_limit: None,
        hold_seconds: None,
        waiting_room: None,
        quantity: Some(10),
    };
    let (called_off, told) =
        shop.ledger.create_sale(&planned(hours(1), hours(2)), &tester()).await.unwrap();
    shop.tell(told).await;
    shop.tell(shop.ledger.cancel_sale(called_off.id, &tester()).await.unwrap().1.unwrap()).await;

    let (live, told) =
        shop.ledger.create_sale(&planned(hours(-1), hours(1)), &tester()).await.unwrap();
    shop.tell(told).await;
    shop.tell(shop.ledger.note_phases().await.unwrap().unwrap()).await;
    let mut bought = buy(tv, "ann", 1);
    bought.terms.sale_id = Some(live.id);
    bought.accepted_at = now;
    shop.settle(&[bought]).await;
    let over = SaleChange { ends_at: Some(now), ..SaleChange::default() };
    shop.tell(shop.ledger.change_sale(live.id, &over, &tester()).await.unwrap().1).await;
    shop.tell(shop.ledger.note_phases().await.unwrap().unwrap()).await;
}
