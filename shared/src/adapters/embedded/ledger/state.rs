//! The tables, as maps.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::identities::Known;
use crate::domain::changes::BuyerKey;
use crate::domain::decide::KeyOwner;
use crate::domain::stock::SaleLeft;
use crate::domain::{
    Counts, IdempotencyKey, Order, Phase, Product, ProductId, Sale, SaleId, Sku, StockLevel,
    Timestamp, TrackingId, UserId,
};
use crate::ports::rooms::RoomPage;
use crate::ports::{Announcement, AuditEntry, DueId, KeptLetter};

/// Orders kept, some 400 bytes each. A ledger may forget nothing, so a full one says that it is.
pub(super) const ORDERS_MAX: usize = 1_000_000;

/// Inventory and history of a product.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stock {
    pub(super) counts: Counts,
    pub(super) version: i64,
    /// Sum of all stock movements.
    pub(super) moved: i64,
}

/// What is owed for a batch, as `outbox` has it.
#[derive(Debug, Clone)]
pub(super) struct Due {
    pub(super) announcement: Announcement,
    pub(super) leased_until: Timestamp,
}

/// Everything.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) products: BTreeMap<ProductId, Product>,
    pub(super) skus: HashMap<Sku, ProductId>,
    pub(super) stock: HashMap<ProductId, Stock>,
    pub(super) sales: BTreeMap<SaleId, Sale>,
    pub(super) orders: HashMap<TrackingId, Order>,
    pub(super) keys: HashMap<(UserId, IdempotencyKey), KeyOwner>,
    /// Orders that honour late payments, by the order whose payment it was.
    pub(super) reclaimed: HashMap<TrackingId, TrackingId>,
    /// When open holds and payments end.
    pub(super) deadlines: BTreeSet<(Timestamp, TrackingId)>,
    /// Open holds by owner: holds of one user and product, counted.
    pub(super) holders: HashMap<(ProductId, UserId), u32>,
    pub(super) bought: HashMap<BuyerKey, u32>,
    pub(super) attempts: HashMap<TrackingId, u32>,
    /// Dead letters, by number.
    pub(super) letters: Vec<KeptLetter>,
    /// Accounts, sessions and keys.
    pub(super) known: Known,
    /// What operators did.
    pub(super) log: Vec<AuditEntry>,
    pub(super) dues: BTreeMap<DueId, Due>,
    pub(super) last_due: i64,
    pub(super) catalogue_changes: i64,
    /// The book of waiting rooms.
    pub(super) rooms: HashMap<SaleId, RoomPage>,
    /// What was last announced of sales that follow the clock.
    pub(super) announced: HashMap<SaleId, Phase>,
}

impl State {
    /// PostgreSQL's begins with 1, too.
    pub(super) fn catalogue_version(&self) -> i64 {
        1 + self.catalogue_changes
    }

    /// The stock of a product, with what is left of its live sale.
    pub(super) fn level(&self, product_id: ProductId, now: Timestamp) -> Option<StockLevel> {
        let Stock { counts, version, .. } = *self.stock.get(&product_id)?;
        let live = |sale: &&Sale| sale.product_id == product_id && sale.refusal(now).is_none();
        let sale = self.sales.values().filter(live).find_map(|sale| {
            Some(SaleLeft { sale_id: sale.id, sale_left: sale.quantity? - sale.taken })
        });
        Some(StockLevel { product_id, counts, version, sale })
    }

    pub(super) fn levels(
        &self,
        products: impl Iterator<Item = ProductId>,
        now: Timestamp,
    ) -> Vec<StockLevel> {
        products.filter_map(|id| self.level(id, now)).collect()
    }
}
