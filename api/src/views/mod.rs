//! What clients are shown: every response body, with its schema.

mod accepted;
mod audit_log;
mod json;
mod letter;
mod live;
mod operations;
mod order;
mod product;
mod purchase;
mod sale;
mod schema;
mod text;
mod waiting_room;

pub use accepted::Accepted;
pub use audit_log::{AuditLog, AuditLogEntry};
pub(crate) use json::Object;
pub use letter::{
    DeadLetterList, DeadLetterMoved, DeadLetterView, DeadLettersMoved, RefusedLetter,
};
pub use live::{SOLD_OUT, SaleStatus, StockEvent};
pub use operations::{Alive, Audit, QueueView};
pub use order::{OrderList, OrderView, ReservationView, WebhookReceipt};
pub use product::{Availability, ProductPage, ProductView, StockView};
pub use purchase::{PurchaseList, PurchaseView, Sold};
pub use sale::{SaleList, SaleView};
pub(crate) use text::PurchasePath;
pub use waiting_room::{LeftView, PlaceView};
