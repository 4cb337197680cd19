//! `sale:status-change`.

use serde_json::{Value, json};

use crate::sales::{cancel, change, in_hours, plan, planned};
use crate::support::{Socket, TestApp, buy_body};

async fn watching(app: &TestApp) -> Socket {
    let mut socket = app.socket(&[]).await;
    socket.ask("inventory:watch", json!({"productId": 1}), "a").await;
    socket
}

async fn status(socket: &mut Socket) -> Value {
    let told = socket.hear_of("sale:status-change").await["data"].clone();
    assert_eq!((&told["productId"], &told["skuId"]), (&1.into(), &"SKU-1".into()));
    json!([told["saleId"], told["status"]])
}

#[tokio::test]
async fn a_sale_is_told_when_it_opens_when_it_is_sold_out_and_when_it_ends() {
    let app = TestApp::start(5).await;
    let in_ms = |ms| app.ports.clock.now().plus_millis(ms).to_string();
    let sale = json!({
        "productId": 1, "flashPrice": "499.99", "quantity": 1,
        "startsAt": in_ms(1_500), "endsAt": in_ms(4_000),
    });
    plan(&app, &sale).await.ok(201);
    let mut socket = watching(&app).await;
    assert_eq!(status(&mut socket).await, json!([1, "upcoming"]));
    assert_eq!(status(&mut socket).await, json!([1, "live"]));
    app.post("/api/v1/sync/purchase", &buy_body("u-1", 1)).await.ok(200);
    assert_eq!(status(&mut socket).await, json!([1, "sold_out"]));
    assert_eq!(status(&mut socket).await, json!([1, "ended"]));
    // Whoever comes now is told how it ended.
    assert_eq!(status(&mut watching(&app).await).await, json!([1, "ended"]));
}

#[tokio::test]
async fn planning_moving_and_calling_off_are_told() {
    let app = TestApp::start(5).await;
    let mut socket = watching(&app).await;
    assert_eq!(socket.hear().await["event"], "inventory:update");
    planned(&app, 2, 3).await;
    assert_eq!(status(&mut socket).await, json!([1, "upcoming"]));
    let later = in_hours(&app, 4).to_string();
    change(&app, 1, json!({"endsAt": later})).await.ok(200);
    let moved = socket.hear_of("sale:status-change").await;
    assert_eq!(
        (&moved["data"]["status"], &moved["data"]["endsAt"]),
        (&"upcoming".into(), &later.into())
    );
    cancel(&app, 1).await.ok(200);
    assert_eq!(status(&mut socket).await, json!([1, "cancelled"]));
}

#[tokio::test]
async fn of_several_sales_the_one_that_is_on_is_told_first() {
    let app = TestApp::start(5).await;
    planned(&app, 2, 3).await;
    planned(&app, -1, 1).await;
    assert_eq!(status(&mut watching(&app).await).await, json!([2, "live"]));
    cancel(&app, 2).await.ok(200);
    assert_eq!(status(&mut watching(&app).await).await, json!([1, "upcoming"]));
}
