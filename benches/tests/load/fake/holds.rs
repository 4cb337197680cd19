//! The shop's holds: granted, paid, cancelled, or left to run out by its own clock.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Books, Entrance, Front, Order, Seller, THIRD, accepted, cut, enter, problem, shown};

/// What the payment provider says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Payments {
    #[default]
    Clear,
    /// Not known yet.
    Pend,
    /// Declined; the hold is over.
    Decline,
}

/// From when to when a hold lasts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Term {
    created_at: DateTime<Utc>,
    lasts: Duration,
}

fn now() -> DateTime<Utc> {
    Utc::now()
}

impl Term {
    pub(crate) fn of(lasts: Duration) -> Self {
        Self { created_at: now(), lasts }
    }

    fn is_over(self) -> bool {
        now() >= self.created_at + self.lasts
    }

    pub(crate) fn created_at(self) -> Value {
        self.created_at.to_rfc3339_opts(SecondsFormat::Millis, true).into()
    }

    pub(crate) fn expires_at(self) -> Value {
        (self.created_at + self.lasts).to_rfc3339_opts(SecondsFormat::Millis, true).into()
    }
}

impl Books {
    /// Takes back what has run out.
    pub(crate) fn expire(&mut self, seller: Seller) {
        if seller == Seller::KeepsExpired {
            return;
        }
        for order in self.orders.values_mut() {
            let is_over = order.term.is_some_and(Term::is_over);
            if order.status == "RESERVED" && is_over {
                order.status = "EXPIRED";
                self.reserved -= i64::from(!(seller == Seller::LosesAHold && order.id == THIRD));
            }
        }
    }

    fn pay(&mut self, seller: Seller, id: Uuid, transaction: &str) -> Result<Order, Response> {
        if let Some(paid) = self.transactions.get(transaction) {
            return Ok(self.orders[paid].clone());
        }
        let payments = self.payments;
        let order = self.held(seller, id)?;
        order.status = match payments {
            Payments::Clear => "CONFIRMED",
            Payments::Pend => "PENDING",
            Payments::Decline => "FAILED",
        };
        let order = order.clone();
        self.reserved -= i64::from(payments != Payments::Pend);
        self.sold += i64::from(payments == Payments::Clear);
        self.transactions.insert(transaction.to_owned(), id);
        Ok(order)
    }

    /// The hold, if it can still be paid or cancelled.
    fn held(&mut self, seller: Seller, id: Uuid) -> Result<&mut Order, Response> {
        self.expire(seller);
        let is_third = id == THIRD;
        let order = self.orders.get_mut(&id).expect("an ID that was never given out");
        if is_third && seller == Seller::LosesAHold {
            return Err(problem(404, "RESERVATION_NOT_FOUND"));
        }
        if is_third && seller == Seller::CutsShort && order.status == "RESERVED" {
            order.status = "EXPIRED";
            self.reserved -= 1;
        }
        match order.status {
            "RESERVED" => Ok(order),
            "EXPIRED" => Err(problem(409, "RESERVATION_EXPIRED")),
            _ => Err(problem(409, "INVALID_TRANSITION")),
        }
    }
}

pub(crate) async fn hold(
    State(entrance): State<Entrance>,
    headers: HeaderMap,
    Json(request): Json<Value>,
) -> Response {
    let order = match enter(&entrance, &headers, &request, true) {
        Ok(order) => order,
        Err(answer) => return answer,
    };
    if headers.get("prefer").is_some_and(|prefer| prefer == "respond-async") {
        return accepted(&entrance, order);
    }
    if order.status == "REJECTED" {
        return problem(409, "OUT_OF_STOCK");
    }
    let term = order.term.expect("a hold has a term");
    let body = json!({"reservationId": order.id, "userId": order.user_id, "status": order.status,
        "createdAt": term.created_at(), "expiresAt": term.expires_at()});
    (StatusCode::CREATED, Json(body)).into_response()
}

pub(crate) async fn check_out(
    State(entrance): State<Entrance>,
    Json(request): Json<Value>,
) -> Response {
    let id = serde_json::from_value(request["reservationId"].clone()).unwrap();
    let transaction = request["paymentTransactionId"].as_str().unwrap();
    assert!(request["shippingAddress"].is_object() && request["paymentMethod"] == "card");
    let mut books = entrance.shop.books();
    books.errands_seen.push((entrance.name, transaction.to_owned()));
    let paid = books.pay(entrance.shop.seller, id, transaction);
    if entrance.front == Front::Breaks {
        return cut();
    }
    match paid {
        Ok(order) if order.status == "FAILED" => problem(402, "PAYMENT_DECLINED"),
        Ok(order) => (StatusCode::CREATED, Json(shown(&order))).into_response(),
        Err(answer) => answer,
    }
}

pub(crate) async fn cancel(State(entrance): State<Entrance>, Path(id): Path<Uuid>) -> Response {
    let mut books = entrance.shop.books();
    books.errands_seen.push((entrance.name, id.to_string()));
    if books.orders[&id].status != "CANCELLED" {
        match books.held(entrance.shop.seller, id) {
            Ok(order) => order.status = "CANCELLED",
            Err(answer) => return answer,
        }
        books.reserved -= 1;
    }
    let order = &books.orders[&id];
    let body = json!({"reservationId": id, "userId": order.user_id, "status": order.status});
    if entrance.front == Front::Breaks { cut() } else { Json(body).into_response() }
}
