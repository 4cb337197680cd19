//! What operators and machines are shown.

use serde::Serialize;
use utoipa::ToSchema;

use crate::sampler::Sample;

/// The process is there.
#[derive(Debug, Serialize, ToSchema)]
pub struct Alive {
    /// Always `alive`.
    #[schema(example = "alive")]
    pub status: &'static str,
}

/// The purchase queue, as it was at most a second ago.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueueView {
    /// Messages (batches of purchases) ready to be delivered.
    #[schema(example = 3)]
    depth: u64,
    /// Consumers attached; a worker has `settle.rounds` of them.
    #[schema(example = 2)]
    consumers: u64,
    /// Messages in the dead-letter queue.
    #[schema(example = 0)]
    dead_letters: u64,
    /// How long the oldest purchase has waited, in seconds: an estimate from above. 0 while the
    /// queue is empty.
    #[schema(minimum = 0, example = 0.4)]
    oldest_age_seconds: f64,
}

impl From<Sample> for QueueView {
    fn from(Sample { status, oldest_age_s }: Sample) -> Self {
        Self {
            depth: status.depth,
            consumers: status.consumers,
            dead_letters: status.dead_letters,
            oldest_age_seconds: oldest_age_s,
        }
    }
}

/// Whether the ledger adds up and the gate agrees.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code)] // The shape of `AuditReport`, which knows nothing of OpenAPI.
pub struct Audit {
    /// Every product, by number.
    products: Vec<ProductAudit>,
    /// Orders waiting for an operator.
    parked: i64,
    /// Dead letters that wait for an operator.
    dead_letters: i64,
    /// Announcements not yet made.
    outbox: i64,
    /// How long the oldest of them has waited, in seconds; 0 where there is none.
    #[schema(minimum = 0, example = 0.0)]
    outbox_oldest_seconds: f64,
    /// Contradictions, by invariant and kind; empty where all is well.
    findings: Vec<AuditFinding>,
    /// Nothing was found.
    healthy: bool,
}

/// All contradictions of one kind.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code)]
struct AuditFinding {
    /// The invariant that they break, as docs/reliability.md names it.
    #[schema(example = "I9")]
    invariant: String,
    /// What they are: `NOT_CONSERVED`, `OVERSOLD`, `GATE_DIFFERS`, `GATE_AHEAD`, `BUYERS_DIFFER`,
    /// `SALES_DIFFER`, `OUTBOX_WAITS`, `LETTER_MISSING` or `ORDERS_DIFFER`; others may follow.
    #[schema(example = "BUYERS_DIFFER")]
    kind: String,
    /// How many there are.
    #[schema(minimum = 1)]
    count: i64,
    /// The first hundred of them.
    cases: Vec<AuditCase>,
}

/// One contradiction: whose, and the two numbers that should be one.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code)]
struct AuditCase {
    /// The product, where it is about one.
    product_id: Option<i64>,
    /// The sale, where it is about one.
    sale_id: Option<i64>,
    /// The buyer, where it is about one.
    user_id: Option<String>,
    /// The order, where it is about one.
    order_id: Option<String>,
    /// What was compared.
    #[schema(example = "units")]
    what: String,
    /// What was found.
    found: i64,
    /// What it should be.
    expected: i64,
}

/// The account of one product.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
#[allow(dead_code)]
struct ProductAudit {
    /// The product.
    #[schema(minimum = 1)]
    product_id: i64,
    /// All units there are.
    total: i64,
    /// Units that can still be bought.
    available: i64,
    /// Units held.
    reserved: i64,
    /// Units sold.
    sold: i64,
    /// The version of the inventory row.
    version: i64,
    /// `total = available + reserved + sold`, all ≥ 0.
    conserved: bool,
    /// Orders and stock movements add up to the inventory row.
    orders_match: bool,
    /// What the gate holds; null where it is away or does not know the product.
    gate: Option<GateAudit>,
    /// The gate knows nothing, or as many free units as the ledger has available, or follows what is
    /// being sold.
    gate_matches: bool,
}

/// What the gate holds of a product.
#[derive(Debug, ToSchema)]
#[allow(dead_code)]
struct GateAudit {
    /// Units it would still give out.
    free: i64,
    /// The inventory version it was last brought in line with.
    version: i64,
}
