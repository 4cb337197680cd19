use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::domain::testing::{id, purchase_of};
use crate::domain::{
    Counts, NoticeEvent, Order, PaymentRef, Reason, Refund, Status, Terms, Timestamp,
};
use crate::ports::DueId;

const AT: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn events_of(announcement: &Announcement) -> Vec<Event> {
    Events { source: "/test".into() }.of(announcement)
}

fn bodies(announcement: &Announcement) -> Vec<Value> {
    let read = |event: Event| serde_json::from_slice(&event.body).unwrap();
    events_of(announcement).into_iter().map(read).collect()
}

fn announcement(orders: Vec<OrderChange>) -> Announcement {
    Announcement { due: Some(DueId(7)), at: AT, orders, ..Announcement::default() }
}

fn terms(product: i64) -> Terms {
    purchase_of(id(1), product, "ann", 2).terms
}

/// Something that happened to order `n` of `product`.
fn change(n: u128, product: i64, event: OrderEvent, version: i64) -> OrderChange {
    let order = Order { terms: Some(terms(product)), version: 9, ..Order::queued(id(n)) };
    OrderChange { event, version, order: Arc::new(order) }
}

fn level(product: i64, version: i64) -> StockLevel {
    let counts = Counts { total: 10, reserved: 1, sold: 2 };
    StockLevel { product_id: ProductId(product), counts, version, sale: None }
}

#[test]
fn there_is_one_event_per_type_and_product() {
    let orders = vec![
        change(1, 1, OrderEvent::Confirmed, 1),
        change(2, 2, OrderEvent::Confirmed, 1),
        change(3, 1, OrderEvent::Rejected, 1),
        change(4, 1, OrderEvent::Confirmed, 1),
    ];
    let levels = vec![level(1, 4), level(2, 2)];
    let notices = vec![
        Notice::of_product(ProductId(1), NoticeEvent::StockLow),
        Notice {
            sale_id: Some(SaleId(5)),
            ..Notice::of_product(ProductId(1), NoticeEvent::SaleStarted)
        },
    ];
    let announcement = Announcement { notices, levels, ..announcement(orders) };
    let ids: Vec<_> = events_of(&announcement).into_iter().map(|event| event.id).collect();
    let expected = [
        "1700000000000/7/order.rejected/1",
        "1700000000000/7/order.confirmed/1",
        "1700000000000/7/order.confirmed/2",
        "1700000000000/7/stock.changed/1",
        "1700000000000/7/stock.changed/2",
        "1700000000000/7/stock.low/1",
        "1700000000000/7/sale.started/1/5",
    ];
    assert_eq!(ids, expected);
    let confirmed = &bodies(&announcement)[1];
    assert_eq!(confirmed["data"]["orders"][0]["orderId"], id(1).to_string());
    assert_eq!(confirmed["data"]["orders"][1]["orderId"], id(4).to_string());
}

#[test]
fn an_event_is_a_cloud_event() {
    let body = &bodies(&announcement(vec![change(1, 3, OrderEvent::Confirmed, 2)]))[0];
    let expected = json!({
        "specversion": "1.0",
        "id": "1700000000000/7/order.confirmed/3",
        "source": "/test",
        "type": "order.confirmed",
        "time": "2023-11-14T22:13:20.000Z",
        "subject": "products/3",
        "datacontenttype": "application/json",
        "partitionkey": "3",
        "data": { "productId": 3, "orders": [{
            "orderId": id(1),
            "version": 2,
            "acceptedAt": id(1).issued_at().to_string(),
            "userId": "ann",
            "quantity": 2,
            "unitPrice": "999.99",
            "currency": "USD",
        }] },
    });
    assert_eq!(*body, expected);
}

#[test]
fn an_order_that_went_on_makes_the_same_event() {
    let told = change(1, 1, OrderEvent::Reserved, 1);
    let later = Order {
        status: Status::Failed,
        pay_by: Some(AT),
        refund: Some(Box::new(Refund { due_at: AT, references: Vec::new() })),
        version: 8,
        ..(*told.order).clone()
    };
    let swept = OrderChange { order: Arc::new(later), ..told.clone() };
    assert_eq!(events_of(&announcement(vec![told])), events_of(&announcement(vec![swept])));
}

#[test]
fn a_parked_order_that_was_replayed_makes_the_same_event() {
    let parked = OrderChange::settled(Order::parked(id(1)));
    let replayed = Order {
        terms: Some(terms(1)),
        status: Status::Rejected,
        reason: Some(Reason::OutOfStock),
        accepted_at: AT,
        decided_at: Some(AT),
        version: 2,
        ..Order::queued(id(1))
    };
    let swept = OrderChange { order: Arc::new(replayed), ..parked.clone() };
    let announced = announcement(vec![parked]);
    assert_eq!(events_of(&announced), events_of(&announcement(vec![swept])));
    let body = &bodies(&announced)[0];
    assert_eq!((body.get("subject"), body.get("partitionkey")), (None, None));
    assert_eq!(body["id"], "1700000000000/7/order.parked");
}

#[test]
fn only_a_refund_names_payments() {
    let reference = PaymentRef::parse("t-1").unwrap();
    let refund = Refund { due_at: AT, references: vec![reference] };
    let order =
        Order { terms: Some(terms(1)), refund: Some(Box::new(refund)), ..Order::queued(id(1)) };
    let order = Arc::new(order);
    let orders = [OrderEvent::Cancelled, OrderEvent::RefundDue].map(|event| OrderChange {
        event,
        version: 3,
        order: Arc::clone(&order),
    });
    let bodies = bodies(&announcement(orders.to_vec()));
    let named = |body: &Value| body["data"]["orders"][0].get("paymentReferences").cloned();
    assert_eq!(named(&bodies[0]), None);
    assert_eq!(named(&bodies[1]), Some(json!(["t-1"])));
}

#[test]
fn many_orders_are_told_in_parts() {
    let orders = (0..2_001).map(|n| change(n, 1, OrderEvent::Confirmed, 1)).collect();
    let announcement = announcement(orders);
    let lengths: Vec<_> = bodies(&announcement)
        .iter()
        .map(|body| body["data"]["orders"].as_array().unwrap().len())
        .collect();
    assert_eq!(lengths, [1_000, 1_000, 1]);
    let ids: Vec<_> = events_of(&announcement).into_iter().map(|event| event.id).collect();
    let parts = ["", "/2", "/3"].map(|part| format!("1700000000000/7/order.confirmed/1{part}"));
    assert_eq!(ids, parts);
}

#[test]
fn what_is_told_of_stock_comes_with_the_counts() {
    let notices = vec![Notice::of_product(ProductId(1), NoticeEvent::StockMoved)];
    let announcement =
        Announcement { levels: vec![level(1, 4)], notices, ..announcement(Vec::new()) };
    let counts = json!({ "productId": 1, "available": 7, "reserved": 1, "sold": 2, "total": 10,
        "version": 4 });
    for body in bodies(&announcement) {
        assert_eq!(body["data"], counts, "{}", body["type"]);
    }
}

#[test]
fn events_can_be_turned_off() {
    let config = |enabled| config::Events { enabled, source: "/a".to_owned().try_into().unwrap() };
    assert!(Events::from_config(&config(false)).is_none());
    assert!(Events::from_config(&config(true)).is_some());
}
