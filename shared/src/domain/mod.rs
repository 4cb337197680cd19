//! The business, pure: no async, no clock, no I/O, no randomness.
//!
//! Everything here is a value or a function of values, so that it can be tested exhaustively and
//! simulated. Time and random bits come in as arguments.
#![deny(clippy::disallowed_methods)]

pub mod advance;
pub mod catalogue;
pub mod changes;
pub mod decide;
pub mod envelope;
pub mod event;
pub mod identity;
pub mod ids;
pub mod money;
pub mod order;
pub mod purchase;
pub mod rate;
pub mod room;
pub mod stock;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod text;
pub mod time;
pub mod tracking;
pub mod transition;

pub use advance::{Act, Advance, Advanced, Command, Late, Refusal, Step, advance};
pub use catalogue::{Catalogue, Offer, Phase, Product, ProductRef, Sale};
pub use changes::{Changes, Taken};
pub use decide::{Decision, Settled, View, decide};
pub use envelope::Envelope;
pub use event::{Notice, NoticeEvent, OrderEvent};
pub use identity::{Actor, Role, Scope};
pub use ids::{IdempotencyKey, InvalidId, PaymentRef, ProductId, Quantity, SaleId, Sku, UserId};
pub use money::{Currency, Money};
pub use order::{Order, Payment, Reason, Refund, Status};
pub use purchase::{Fingerprint, Keyed, Kind, Purchase, Terms};
pub use rate::{RatePolicy, RateTable, Rated};
pub use stock::{Counts, SaleLeft, StockLevel};
pub use time::Timestamp;
pub use tracking::{Minter, TrackingId, TrackingKey};
