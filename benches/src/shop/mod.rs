//! What is asked of the shop besides buying: its products, their stock, the audit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::client::{Line, Request, Target};
use crate::shop::error::refused;

pub(crate) mod error;
pub(crate) mod problem;
pub(crate) mod purchases;

pub use error::ShopError;

/// The audit of a big ledger takes its time.
const PATIENCE: Duration = Duration::from_secs(30);
/// A new product reaches every instance within this time.
const SHOWN_WITHIN: Duration = Duration::from_secs(10);
const ASK_AGAIN: Duration = Duration::from_millis(20);
/// An operator's request to an API that is away or busy is repeated for this long.
const RETRY_FOR: Duration = Duration::from_secs(5);

/// The counts of one product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stock {
    #[serde(rename = "availableCount")]
    pub(crate) available: i64,
    #[serde(rename = "reservedCount")]
    pub(crate) reserved: i64,
    #[serde(rename = "soldCount")]
    pub(crate) sold: i64,
}

impl Stock {
    /// Units sold or held.
    pub(crate) fn taken(self) -> i64 {
        self.reserved + self.sold
    }
}

/// The answer of `GET /api/v1/admin/audit`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Audit {
    products: Vec<AuditedProduct>,
    pub(crate) parked: u64,
    pub(crate) dead_letters: u64,
    pub(crate) outbox: u64,
    pub(crate) healthy: bool,
}

/// One product in the audit.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::struct_excessive_bools, reason = "the wire says it so")]
pub(crate) struct AuditedProduct {
    product_id: i64,
    pub(crate) total: i64,
    pub(crate) available: i64,
    pub(crate) reserved: i64,
    pub(crate) sold: i64,
    pub(crate) version: i64,
    pub(crate) conserved: bool,
    pub(crate) orders_match: bool,
    pub(crate) gate: Option<Gate>,
    pub(crate) gate_matches: bool,
}

/// What Redis believes.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Gate {
    pub(crate) free: i64,
}

impl Audit {
    pub(crate) fn product(&self, id: i64) -> Option<&AuditedProduct> {
        self.products.iter().find(|product| product.product_id == id)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewProduct<'a> {
    sku: String,
    name: String,
    description: &'a str,
    category: &'a str,
    base_price: &'a str,
    currency: &'a str,
    total_inventory: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    product_id: i64,
}

#[derive(Deserialize)]
struct Planned {
    id: i64,
}

/// The shop as an operator and a watcher see it.
pub(crate) struct Shop {
    targets: Arc<[Target]>,
    api_key: Option<String>,
    line: Line,
}

impl Shop {
    pub(crate) fn new(targets: Arc<[Target]>, api_key: Option<String>) -> Self {
        let line = Line::new(targets.clone(), 0);
        Self { targets, api_key, line }
    }

    /// Creates a product of its own for this run of `load`, such as `stampede`.
    pub(crate) async fn create_product(
        &mut self,
        load: &str,
        run: &str,
        stock: i64,
    ) -> Result<i64, ShopError> {
        let product = NewProduct {
            sku: format!("{}-{run}", load.to_uppercase()),
            name: format!("Load {load} {run}"),
            description: "Made by `doorbuster load`",
            category: "load",
            base_price: "999.99",
            currency: "USD",
            total_inventory: stock,
        };
        let what = "creating a product (POST /api/v1/products)";
        let body = serde_json::to_vec(&product)
            .map_err(|source| ShopError::Answer { what: what.to_owned(), source })?;
        let created: Created = self.ask(what, "POST", "/api/v1/products", &body).await?;
        Ok(created.product_id)
    }

    /// Plans a sale of `product` that is open now, with a waiting room of these rules.
    pub(crate) async fn create_sale(
        &mut self,
        product: i64,
        waiting_room: &impl Serialize,
    ) -> Result<i64, ShopError> {
        let what = "planning a sale (POST /api/v1/flash-sales)";
        let (now, hour) = (chrono::Utc::now(), chrono::TimeDelta::hours(1));
        let at = |time: chrono::DateTime<chrono::Utc>| {
            time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
        };
        let sale = serde_json::json!({
            "productId": product, "flashPrice": "9.99", "startsAt": at(now - hour),
            "endsAt": at(now + hour), "waitingRoom": waiting_room,
        });
        let body = sale.to_string();
        let created: Planned =
            self.ask(what, "POST", "/api/v1/flash-sales", body.as_bytes()).await?;
        Ok(created.id)
    }

    /// Calls a sale off.
    pub(crate) async fn cancel_sale(&mut self, sale: i64) -> Result<(), ShopError> {
        let path = format!("/api/v1/flash-sales/{sale}/cancel");
        let what = "calling the sale off (POST /api/v1/flash-sales/{id}/cancel)";
        self.ask::<Planned>(what, "POST", &path, b"{}").await.map(drop)
    }

    /// The stock of `product`, once every instance shows one that is as `expected`.
    pub(crate) async fn shown_everywhere(
        &self,
        product: i64,
        expected: impl Fn(Stock) -> bool,
    ) -> Result<Stock, ShopError> {
        let mut stock = None;
        for target in self.targets.iter() {
            stock = Some(shown(target, product, &expected).await?);
        }
        stock.ok_or(ShopError::NoUrl)
    }

    /// The stock of `product`, from whichever instance answers.
    pub(crate) async fn stock(&mut self, product: i64) -> Result<Stock, ShopError> {
        let path = availability(product);
        self.ask(&format!("GET {path}"), "GET", &path, b"").await
    }

    /// The audit of the whole ledger.
    pub(crate) async fn audit(&mut self) -> Result<Audit, ShopError> {
        self.ask("the audit (GET /api/v1/admin/audit)", "GET", "/api/v1/admin/audit", b"").await
    }

    /// Asks until somebody answers. Repeating is safe: reads change nothing, and a product's SKU is
    /// unique.
    async fn ask<T: DeserializeOwned>(
        &mut self,
        what: &str,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> Result<T, ShopError> {
        let api_key = self.api_key.clone();
        let headers = api_key.as_deref().map(|key| ("X-Api-Key", key));
        self.ask_with(what, (method, path), headers.as_slice(), body).await
    }

    /// The same with other headers than the operators' key.
    async fn ask_with<T: DeserializeOwned>(
        &mut self,
        what: &str,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<T, ShopError> {
        let give_up = Instant::now() + RETRY_FOR;
        let request = Request { method, path, headers, body };
        loop {
            match self.line.call(&request, PATIENCE).await {
                Ok(answer) if matches!(answer.status, 200 | 201) => {
                    return serde_json::from_slice(answer.body)
                        .map_err(|source| ShopError::Answer { what: what.to_owned(), source });
                }
                Ok(answer)
                    if matches!(answer.status, 429 | 502..=504) && Instant::now() < give_up =>
                {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                Ok(answer) => return Err(refused(what, answer.status, answer.body)),
                Err(broken) if Instant::now() >= give_up => return Err(broken.into()),
                Err(_) => self.line.back_off().await,
            }
        }
    }
}

/// Waits until one instance shows the product as `expected`.
async fn shown(
    target: &Target,
    product: i64,
    expected: impl Fn(Stock) -> bool,
) -> Result<Stock, ShopError> {
    let give_up = Instant::now() + SHOWN_WITHIN;
    let path = availability(product);
    let request = Request { method: "GET", path: &path, headers: &[], body: b"" };
    let mut line = Line::new([target.clone()].into(), 0);
    while Instant::now() < give_up {
        let answer = line.call(&request, PATIENCE).await?;
        if answer.status == 200 {
            let stock: Stock = serde_json::from_slice(answer.body)
                .map_err(|source| ShopError::Answer { what: format!("GET {path}"), source })?;
            if expected(stock) {
                return Ok(stock);
            }
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
    Err(ShopError::NotShown(target.to_string()))
}

pub(crate) fn availability(product: i64) -> String {
    format!("/api/v1/products/{product}/availability")
}
