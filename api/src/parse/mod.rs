//! Parsing at the door: what comes in is checked here, once, and every fault is listed. Inside
//! there is nothing left to check.

mod body;
mod checkout;
mod credentials;
mod depth;
mod fields;
mod headers;
mod letters;
mod path;
mod product;
mod purchase;
mod query;
mod raw;
mod sale;
pub mod sale_schema;
pub mod schema;
mod tracking_ids;
mod waiting_room;

pub use body::JsonBody;
pub use checkout::{CheckoutForm, PaymentEvent, SignedWebhook};
pub use credentials::{Credentials, RefreshToken};
pub use fields::Fields;
pub use letters::{LettersForm, RATE_DEFAULT, RATE_MAX};
pub use path::{FilePath, LetterPath, Owner, ProductPath, SalePath, TrackingPath};
pub use product::{ChangeForm, new_product, restock};
pub use purchase::{BuyForm, PurchaseForm, product_named};
pub use query::{AuditPage, LetterPage, OrderPage, Page, SalePage, Wait};
pub use sale::{NewSaleForm, SaleChangeForm};
pub use tracking_ids::TrackingIds;
pub use waiting_room::{BUYERS, JoinForm, LineOf, PlaceOf, line_of};

/// Longest wait for an outcome, in seconds; longer ones are cut to it.
pub const WAIT_S_MAX: u64 = 30;
