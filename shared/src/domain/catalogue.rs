//! What is for sale, when and at which price.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use super::ids::{ProductId, SaleId, Sku};
use super::money::Money;
use super::order::Reason;
use super::room::RoomRules;
use super::time::Timestamp;

/// A product as the shop describes it. Its stock is elsewhere: see [`super::StockLevel`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// Its number.
    pub id: ProductId,
    /// The shop's own name of it.
    pub sku: Sku,
    /// What it is called.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Where the shop files it.
    pub category: String,
    /// A picture.
    pub image_url: Option<String>,
    /// What it costs outside sales.
    pub price: Money,
    /// Units one user may buy outside sales; none means no limit.
    pub per_user_limit: Option<u32>,
    /// False: nothing of it is sold.
    pub active: bool,
}

/// Where a sale stands, by the clock alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// It has not opened.
    Upcoming,
    /// It is open.
    Live,
    /// It is over.
    Ended,
    /// It was called off.
    Cancelled,
}

impl Phase {
    /// Every phase.
    pub const ALL: [Self; 4] = [Self::Upcoming, Self::Live, Self::Ended, Self::Cancelled];

    /// The stable name, in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Upcoming => "upcoming",
            Self::Live => "live",
            Self::Ended => "ended",
            Self::Cancelled => "cancelled",
        }
    }
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A sale of one product. Sales of one product never overlap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sale {
    /// Its number.
    pub id: SaleId,
    /// What it sells.
    pub product_id: ProductId,
    /// What it costs in this sale.
    pub price: Money,
    /// Opens at this moment.
    pub starts_at: Timestamp,
    /// Closes just before this moment.
    pub ends_at: Timestamp,
    /// Units one user may buy in it; none means no limit.
    pub per_user_limit: Option<u32>,
    /// Length of a hold; none means the configured default.
    pub hold_seconds: Option<u32>,
    /// Units the sale may sell; none means all there are.
    pub quantity: Option<i64>,
    /// Units it has sold or holds.
    pub taken: i64,
    /// It was called off.
    pub cancelled: bool,
    /// Whoever wants to buy waits in line first. Such a sale always has a limit per user: a pass is good for
    /// one purchase, and the limit's count tells that there was one.
    pub waiting_room: Option<RoomRules>,
}

impl Sale {
    /// Where it stands at `at`.
    pub fn phase(&self, at: Timestamp) -> Phase {
        match self.refusal(at) {
            None => Phase::Live,
            Some(Reason::SaleNotStarted) => Phase::Upcoming,
            Some(Reason::SaleEnded) => Phase::Ended,
            Some(_) => Phase::Cancelled,
        }
    }

    /// Why a purchase accepted at `at` is outside this sale; `None` inside.
    pub fn refusal(&self, at: Timestamp) -> Option<Reason> {
        if self.cancelled {
            Some(Reason::SaleCancelled)
        } else if at < self.starts_at {
            Some(Reason::SaleNotStarted)
        } else if at >= self.ends_at {
            Some(Reason::SaleEnded)
        } else {
            None
        }
    }
}

/// The price and sale that hold at some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer<'a> {
    /// The open sale, if the product sells in sales.
    pub sale: Option<&'a Sale>,
    /// The price of one unit.
    pub unit_price: Money,
}

/// How a request names a product.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ProductRef {
    /// By number.
    Id(ProductId),
    /// By SKU.
    Sku(Sku),
}

/// All products and their sales at one version of the catalogue.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    /// Rises with every change of a product or sale.
    pub version: i64,
    products: BTreeMap<ProductId, Arc<Product>>,
    skus: HashMap<Sku, ProductId>,
    /// Sales by product, in order of opening.
    sales: HashMap<ProductId, Vec<Sale>>,
    /// What each sale sells.
    sold_in: BTreeMap<SaleId, ProductId>,
}

impl Catalogue {
    /// Indexes `products` and `sales` as of `version`.
    pub fn new(version: i64, products: Vec<Product>, sales: Vec<Sale>) -> Self {
        let mut catalogue = Self { version, ..Self::default() };
        for product in products {
            catalogue.skus.insert(product.sku.clone(), product.id);
            catalogue.products.insert(product.id, Arc::new(product));
        }
        for sale in sales {
            catalogue.sold_in.insert(sale.id, sale.product_id);
            catalogue.sales.entry(sale.product_id).or_default().push(sale);
        }
        for sales in catalogue.sales.values_mut() {
            sales.sort_by_key(|sale| sale.starts_at);
        }
        catalogue
    }

    /// The product of that number or SKU.
    pub fn find(&self, product: &ProductRef) -> Option<&Arc<Product>> {
        let id = match product {
            ProductRef::Id(id) => id,
            ProductRef::Sku(sku) => self.skus.get(sku)?,
        };
        self.products.get(id)
    }

    /// The sale of that number, if it is not long over.
    pub fn sale(&self, id: SaleId) -> Option<&Sale> {
        let sales = self.sales.get(self.sold_in.get(&id)?)?;
        sales.iter().find(|sale| sale.id == id)
    }

    /// The sales of a product that are not long over, in order of opening.
    pub fn sales_of(&self, product: ProductId) -> &[Sale] {
        self.sales.get(&product).map_or(&[], Vec::as_slice)
    }

    /// The sales with a number above `after` (0: all), by number.
    pub fn sales_after(&self, after: SaleId) -> impl Iterator<Item = &Sale> {
        let above = (Bound::Excluded(after), Bound::Unbounded);
        self.sold_in.range(above).filter_map(|(id, _)| self.sale(*id))
    }

    /// The products with a number above `after` (0: all), by number.
    pub fn products_after(&self, after: ProductId) -> impl Iterator<Item = &Arc<Product>> {
        let above = (Bound::Excluded(after), Bound::Unbounded);
        self.products.range(above).map(|(_, product)| product)
    }

    /// The offer that holds for `product` at `at`, or why there is none. A product without sales
    /// sells at its base price; one with sales sells only inside one of them.
    pub fn offer<'a>(&'a self, product: &Product, at: Timestamp) -> Result<Offer<'a>, Reason> {
        if !product.active {
            return Err(Reason::ProductInactive);
        }
        let sales = self.sales_of(product.id);
        if sales.iter().all(|sale| sale.cancelled) {
            return Ok(Offer { sale: None, unit_price: product.price });
        }
        if let Some(sale) = sales.iter().find(|sale| sale.refusal(at).is_none()) {
            return Ok(Offer { sale: Some(sale), unit_price: sale.price });
        }
        let upcoming = sales.iter().any(|sale| !sale.cancelled && at < sale.starts_at);
        Err(if upcoming { Reason::SaleNotStarted } else { Reason::SaleEnded })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::{product, sale};

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn a_product_without_sales_sells_at_its_base_price_at_any_time() {
        let catalogue = Catalogue::new(1, vec![product(1)], vec![]);
        let offer = catalogue.offer(&product(1), at(0)).unwrap();
        assert_eq!((offer.sale, offer.unit_price), (None, product(1).price));
    }

    #[test]
    fn a_product_with_sales_sells_only_inside_one_of_them() {
        let catalogue = Catalogue::new(1, vec![product(1)], vec![sale(7, 1, 100, 200)]);
        let id = |ms| catalogue.offer(&product(1), at(ms)).map(|offer| offer.sale.map(|s| s.id));
        assert_eq!(id(99), Err(Reason::SaleNotStarted));
        assert_eq!(id(100), Ok(Some(SaleId(7))));
        assert_eq!(id(199), Ok(Some(SaleId(7))));
        assert_eq!(id(200), Err(Reason::SaleEnded));
    }

    #[test]
    fn sales_are_found_by_number_and_come_in_its_order() {
        let sales = vec![sale(9, 1, 0, 1), sale(2, 2, 0, 1), sale(5, 1, 2, 3)];
        let catalogue = Catalogue::new(1, vec![product(1), product(2)], sales);
        let numbers = |after| catalogue.sales_after(SaleId(after)).map(|s| s.id.0).collect();
        let (all, rest): (Vec<_>, Vec<_>) = (numbers(0), numbers(2));
        assert_eq!((all, rest), (vec![2, 5, 9], vec![5, 9]));
        assert_eq!(catalogue.sale(SaleId(5)).map(|s| s.product_id), Some(ProductId(1)));
        assert_eq!(catalogue.sale(SaleId(4)), None);
    }

    #[test]
    fn an_inactive_product_is_not_sold() {
        let catalogue = Catalogue::new(1, vec![], vec![]);
        let gone = Product { active: false, ..product(1) };
        assert_eq!(catalogue.offer(&gone, at(0)), Err(Reason::ProductInactive));
    }
}
