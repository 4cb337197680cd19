//! A shop in memory that speaks the HTTP contract, and can be dishonest in one way at a time.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]
#![allow(clippy::result_large_err, reason = "an early answer is a whole response")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use bytes::Bytes;
use serde_json::{Value, json};
use uuid::Uuid;

mod holds;

pub(crate) use holds::Payments;

pub(crate) const API_KEY: &str = "operators-only";
pub(crate) const PRODUCT: i64 = 7;
pub(crate) const STALL: Duration = Duration::from_millis(300);
pub(crate) const SERVICE: Duration = Duration::from_millis(5);
const THIRD: Uuid = Uuid::from_u128(3);

/// What is wrong with the seller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seller {
    Honest,
    /// Sells five units that there are not.
    Oversells,
    /// Never decides its third 202.
    Forgets,
    /// Denies its third 202.
    Denies,
    /// Confirms units that the ledger does not have as sold.
    Invents,
    /// Refuses with units left.
    Undersells,
    /// Gives its first tracking ID to its second buyer too.
    Repeats,
    /// Grants its third hold without writing it down.
    LosesAHold,
    /// Takes its third hold for expired at once, puts the unit back on sale, and lets the holder pay
    /// for it all the same.
    SellsExpired,
    /// Tells the holder of its third hold that it has expired.
    CutsShort,
    /// Never takes an expired hold back.
    KeepsExpired,
}

/// How the front treats the purchases that come to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Front {
    Steady,
    /// Takes the purchase, then breaks the connection in the middle of the answer, for every one.
    Breaks,
    /// Answers each key's first request 503 with `Retry-After: 1`.
    BusyAtFirst,
    /// Refuses at once what is sold out, asynchronous purchases too.
    RefusesAtTheEdge,
    /// Lets nobody through for [`STALL`] once, from its hundredth purchase on.
    StallsOnce,
    /// Lets one purchase through at a time, and takes [`SERVICE`] at least for each.
    Narrow,
}

#[derive(Debug, Clone)]
struct Order {
    id: Uuid,
    user_id: String,
    status: &'static str,
    asked: u32,
    /// Of a hold.
    term: Option<holds::Term>,
}

#[derive(Debug, Default)]
pub(crate) struct Books {
    pub(crate) stock: i64,
    pub(crate) sold: i64,
    pub(crate) reserved: i64,
    /// What the payment provider says to every checkout.
    pub(crate) payments: Payments,
    /// How long a hold lasts.
    pub(crate) hold_time: Duration,
    /// Payment transactions that were taken, and for which order.
    transactions: HashMap<String, Uuid>,
    pub(crate) errands_seen: Vec<(&'static str, String)>,
    by_key: HashMap<String, Uuid>,
    orders: HashMap<Uuid, Order>,
    pub(crate) purchases_seen: Vec<(&'static str, Option<String>)>,
}

#[derive(Clone)]
pub(crate) struct Shop {
    seller: Seller,
    books: Arc<Mutex<Books>>,
}

#[derive(Clone)]
struct Entrance {
    shop: Shop,
    front: Front,
    name: &'static str,
    /// How many have come through a door that one can go through at a time.
    door: Arc<tokio::sync::Mutex<u64>>,
}

impl Entrance {
    /// Waits for as long as the front lets nobody through.
    async fn pass(&self) {
        let mut passed = self.door.lock().await;
        *passed += 1;
        match self.front {
            Front::StallsOnce if *passed == 100 => tokio::time::sleep(STALL).await,
            Front::Narrow => tokio::time::sleep(SERVICE).await,
            _ => {}
        }
    }
}

impl Shop {
    pub(crate) fn new(seller: Seller) -> Self {
        let books = Books { hold_time: Duration::from_secs(60), ..Books::default() };
        Self { seller, books: Arc::new(Mutex::new(books)) }
    }

    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap()
    }

    /// Opens a front on a free port and gives its URL.
    pub(crate) async fn open(&self, name: &'static str, front: Front) -> String {
        let router = axum::Router::new()
            .route("/api/v1/products", post(create))
            .route("/api/v1/products/{id}/availability", get(availability))
            .route("/api/v1/admin/audit", get(audit))
            .route("/api/v1/async/purchase", post(buy_async))
            .route("/api/v1/sync/purchase", post(buy_sync))
            .route("/api/v1/purchases/query", post(query))
            .route("/api/v1/purchases/{id}", get(look_up))
            .route("/api/v1/reservations", post(holds::hold))
            .route("/api/v1/reservations/{id}", delete(holds::cancel))
            .route("/api/v1/orders/checkout", post(holds::check_out))
            .with_state(Entrance { shop: self.clone(), front, name, door: Arc::default() });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, router).await });
        url
    }
}

impl Books {
    /// Decides one purchase or hold; the same key is the same purchase.
    fn buy(&mut self, seller: Seller, key: Option<&str>, user_id: &str, is_hold: bool) -> Order {
        self.expire(seller);
        if let Some(id) = key.and_then(|key| self.by_key.get(key)) {
            return self.orders[id].clone();
        }
        let stock = match seller {
            Seller::Oversells => self.stock + 5,
            Seller::Undersells => self.stock - 5,
            Seller::SellsExpired => self.stock + i64::from(self.orders.contains_key(&THIRD)),
            _ => self.stock,
        };
        let id = Uuid::from_u128(self.orders.len() as u128 + 1);
        let is_third = id == THIRD;
        let status = match (self.sold + self.reserved < stock, is_hold) {
            (false, _) => "REJECTED",
            (true, false) => {
                self.sold += 1;
                "CONFIRMED"
            }
            (true, true) => {
                self.reserved += i64::from(seller != Seller::LosesAHold || !is_third);
                "RESERVED"
            }
        };
        let term = (status == "RESERVED").then(|| holds::Term::of(self.hold_time));
        let order = Order { id, user_id: user_id.to_owned(), status, asked: 0, term };
        self.orders.insert(order.id, order.clone());
        if let Some(key) = key {
            self.by_key.insert(key.to_owned(), order.id);
        }
        order
    }
}

fn problem(status: u16, code: &str) -> Response {
    let body = json!({"type": "about:blank", "status": status, "code": code, "details": {}});
    (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
}

fn is_operator(headers: &HeaderMap) -> bool {
    headers.get("x-api-key").is_some_and(|key| key == API_KEY)
}

async fn create(
    State(entrance): State<Entrance>,
    headers: HeaderMap,
    Json(product): Json<Value>,
) -> Response {
    if !is_operator(&headers) {
        return problem(401, "UNAUTHENTICATED");
    }
    {
        let mut books = entrance.shop.books();
        books.stock = product["totalInventory"].as_i64().unwrap();
        // It is the only product: a new one begins anew.
        (books.sold, books.reserved) = (0, 0);
    }
    (StatusCode::CREATED, Json(json!({"productId": PRODUCT, "sku": product["sku"]})))
        .into_response()
}

async fn availability(State(entrance): State<Entrance>, Path(id): Path<i64>) -> Response {
    if id != PRODUCT {
        return problem(404, "PRODUCT_NOT_FOUND");
    }
    let (stock, reserved, sold) = entrance.shop.counts();
    Json(json!({"productId": id, "availableCount": stock - reserved - sold, "reservedCount": reserved,
        "soldCount": sold, "totalInventory": stock}))
    .into_response()
}

async fn audit(State(entrance): State<Entrance>, headers: HeaderMap) -> Response {
    if !is_operator(&headers) {
        return problem(401, "UNAUTHENTICATED");
    }
    let (stock, reserved, sold) = entrance.shop.counts();
    let available = stock - reserved - sold;
    Json(json!({"products": [{"productId": PRODUCT, "total": stock, "available": available,
        "reserved": reserved, "sold": sold, "version": 1, "conserved": true, "ordersMatch": true,
        "gate": {"free": available, "version": 1}, "gateMatches": true}],
        "parked": 0, "deadLetters": 0, "outbox": 0, "healthy": true}))
    .into_response()
}

impl Shop {
    /// What the ledger claims.
    fn counts(&self) -> (i64, i64, i64) {
        let mut books = self.books();
        books.expire(self.seller);
        let invented = i64::from(self.seller == Seller::Invents && books.sold > 0);
        (books.stock, books.reserved, books.sold - invented)
    }
}

/// What comes of one request to buy before mode matters: an order, or an answer already.
fn enter(
    entrance: &Entrance,
    headers: &HeaderMap,
    purchase: &Value,
    is_hold: bool,
) -> Result<Order, Response> {
    let key = headers.get("idempotency-key").map(|key| key.to_str().unwrap());
    let mut books = entrance.shop.books();
    let seen = (entrance.name, key.map(str::to_owned));
    let is_busy = entrance.front == Front::BusyAtFirst && !books.purchases_seen.contains(&seen);
    books.purchases_seen.push(seen);
    if is_busy {
        let mut busy = problem(503, "OVERLOADED");
        busy.headers_mut().insert("retry-after", 1.into());
        return Err(busy);
    }
    assert_eq!(purchase["productId"], PRODUCT);
    let user_id = purchase["userId"].as_str().unwrap();
    let order = books.buy(entrance.shop.seller, key, user_id, is_hold);
    if entrance.front == Front::Breaks {
        return Err(cut());
    }
    Ok(order)
}

/// An answer that breaks off in the middle.
fn cut() -> Response {
    let cut: [Result<Bytes, std::io::Error>; 2] =
        [Ok(Bytes::from_static(b"{\"accepted\":")), Err(std::io::ErrorKind::Other.into())];
    Body::from_stream(futures::stream::iter(cut)).into_response()
}

async fn buy_async(
    State(entrance): State<Entrance>,
    headers: HeaderMap,
    Json(purchase): Json<Value>,
) -> Response {
    entrance.pass().await;
    match enter(&entrance, &headers, &purchase, false) {
        Ok(order) if order.status == "REJECTED" && entrance.front == Front::RefusesAtTheEdge => {
            problem(409, "OUT_OF_STOCK")
        }
        Ok(order) => accepted(&entrance, order),
        Err(answer) => answer,
    }
}

fn accepted(entrance: &Entrance, mut order: Order) -> Response {
    if entrance.shop.seller == Seller::Repeats && order.id == Uuid::from_u128(2) {
        order.id = Uuid::from_u128(1);
    }
    let body = json!({"accepted": true, "trackingId": order.id, "status": "QUEUED"});
    (StatusCode::ACCEPTED, Json(body)).into_response()
}

async fn buy_sync(
    State(entrance): State<Entrance>,
    headers: HeaderMap,
    Json(purchase): Json<Value>,
) -> Response {
    entrance.pass().await;
    match enter(&entrance, &headers, &purchase, false) {
        Ok(order) if order.status == "CONFIRMED" => Json(shown(&order)).into_response(),
        Ok(_) => problem(409, "OUT_OF_STOCK"),
        Err(answer) => answer,
    }
}

fn shown(order: &Order) -> Value {
    let reason = (order.status == "REJECTED").then_some("OUT_OF_STOCK");
    let mut shown = json!({"trackingId": order.id, "orderId": order.id, "status": order.status, "reason": reason,
        "userId": order.user_id, "acceptedAt": "2026-01-01T00:00:00.000Z",
        "decidedAt": "2026-01-01T00:00:00.250Z"});
    if let Some(term) = order.term {
        shown["decidedAt"] = term.created_at();
        shown["acceptedAt"] = term.created_at();
        shown["expiresAt"] = term.expires_at();
    }
    shown
}

/// Every order is still queued when it is asked for the first time.
fn told(entrance: &Entrance, id: Uuid) -> Option<Value> {
    if id == THIRD && entrance.shop.seller == Seller::Denies {
        return None;
    }
    let mut books = entrance.shop.books();
    let order = books.orders.get_mut(&id).expect("an ID that was never given out");
    order.asked += 1;
    let is_queued = order.asked == 1 || (id == THIRD && entrance.shop.seller == Seller::Forgets);
    let mut purchase = shown(order);
    if is_queued {
        purchase["status"] = "QUEUED".into();
        purchase["decidedAt"] = Value::Null;
    }
    Some(purchase)
}

async fn look_up(State(entrance): State<Entrance>, Path(id): Path<Uuid>) -> Response {
    told(&entrance, id).map_or_else(
        || problem(404, "PURCHASE_NOT_FOUND"),
        |purchase| Json(purchase).into_response(),
    )
}

async fn query(State(entrance): State<Entrance>, Json(query): Json<Value>) -> Response {
    let ids: Vec<Uuid> = serde_json::from_value(query["trackingIds"].clone()).unwrap();
    assert!(ids.len() <= 500, "{} IDs in one query", ids.len());
    let (mut purchases, mut unknown) = (Vec::new(), Vec::new());
    for id in ids {
        match told(&entrance, id) {
            Some(purchase) => purchases.push(purchase),
            None => unknown.push(id),
        }
    }
    Json(json!({"purchases": purchases, "unknown": unknown})).into_response()
}
