//! Products, sales and stock.

use std::collections::BTreeSet;

use super::state::{State, Stock};
use crate::domain::{
    Catalogue, Counts, Notice, NoticeEvent, Product, ProductId, ProductRef, Sale, SaleId, Timestamp,
};
use crate::ports::{Announcement, LedgerError, NewProduct, ProductChange};

impl State {
    /// Products, sales that are not over, and the last sale of a product, after which it is no
    /// longer sold at its base price.
    pub(super) fn catalogue(&self, now: Timestamp) -> Catalogue {
        let is_last = |sale: &&Sale| {
            let same = |other: &&Sale| other.product_id == sale.product_id && !other.cancelled;
            let last = self.sales.values().filter(same).max_by_key(|other| other.ends_at);
            last.is_some_and(|last| last.id == sale.id)
        };
        let sales = self.sales.values().filter(|sale| sale.ends_at > now || is_last(sale));
        Catalogue::new(
            self.catalogue_version(),
            self.products.values().cloned().collect(),
            sales.cloned().collect(),
        )
    }

    pub(super) fn create(
        &mut self,
        new: &NewProduct,
        now: Timestamp,
    ) -> Result<(Product, Announcement), LedgerError> {
        if self.skus.contains_key(&new.sku) {
            return Err(LedgerError::SkuTaken);
        }
        if new.total < 0 {
            return Err(LedgerError::StockInUse { available: 0 });
        }
        let last = self.products.keys().next_back().map_or(0, |id| id.0);
        let product = Product {
            id: ProductId(last + 1),
            sku: new.sku.clone(),
            name: new.name.clone(),
            description: new.description.clone(),
            category: new.category.clone(),
            image_url: new.image_url.clone(),
            price: new.price,
            per_user_limit: new.per_user_limit,
            active: true,
        };
        let counts = Counts { total: new.total, ..Counts::default() };
        self.stock.insert(product.id, Stock { counts, version: 1, moved: new.total });
        self.skus.insert(product.sku.clone(), product.id);
        self.products.insert(product.id, product.clone());
        self.catalogue_changes += 1;
        let notice = Notice::of_product(product.id, NoticeEvent::ProductCreated);
        Ok((product, self.announce(vec![notice], now)))
    }

    pub(super) fn change(
        &mut self,
        product: &ProductRef,
        change: &ProductChange,
        now: Timestamp,
    ) -> Result<(Product, Announcement), LedgerError> {
        let id = self.find(product)?;
        let old = self.products.get(&id).ok_or(LedgerError::ProductNotFound)?;
        let had_limit = old.per_user_limit.is_some();
        let new = change.applied_to(old);
        if new.per_user_limit.is_some() && !had_limit {
            self.recount_buyers(id, None);
        }
        self.products.insert(id, new.clone());
        self.catalogue_changes += 1;
        self.raise_version(id);
        let notice = Notice::of_product(id, NoticeEvent::ProductChanged);
        Ok((new, self.announce(vec![notice], now)))
    }

    /// A limit where there was none counts what was bought before it.
    pub(super) fn recount_buyers(&mut self, id: ProductId, sale_id: Option<SaleId>) {
        self.bought.retain(|(product, sale, _), _| *product != id || *sale != sale_id);
        for order in self.orders.values().filter(|order| order.status.takes_units()) {
            let Some(terms) = &order.terms else { continue };
            if terms.product_id == id && terms.sale_id == sale_id {
                let buyer = (id, sale_id, terms.user_id.clone());
                *self.bought.entry(buyer).or_default() += terms.quantity.units();
            }
        }
    }

    pub(super) fn restock(
        &mut self,
        product: &ProductRef,
        delta: i64,
        now: Timestamp,
    ) -> Result<Announcement, LedgerError> {
        let id = self.find(product)?;
        let stock = self.stock.get_mut(&id).ok_or(LedgerError::ProductNotFound)?;
        let in_use = LedgerError::StockInUse { available: stock.counts.available() };
        let Some(total) = stock.counts.total.checked_add(delta) else { return Err(in_use) };
        let counts = Counts { total, ..stock.counts };
        if !counts.is_conserved() {
            return Err(in_use);
        }
        let before = std::mem::replace(&mut stock.counts, counts);
        stock.moved += delta;
        self.raise_version(id);
        let mut notices = vec![Notice::of_product(id, NoticeEvent::StockMoved)];
        notices.extend(Notice::of_stock(id, before, counts));
        Ok(self.announce(notices, now))
    }

    pub(super) fn add_sale(&mut self, sale: Sale) {
        if let Some(stock) = self.stock.get_mut(&sale.product_id) {
            stock.version += 1;
        }
        self.sales.insert(sale.id, sale);
        self.catalogue_changes += 1;
    }

    /// Owes the news of an operator's write.
    pub(super) fn announce(&mut self, notices: Vec<Notice>, now: Timestamp) -> Announcement {
        let products: BTreeSet<_> = notices.iter().map(|notice| notice.product_id).collect();
        let levels = self.levels(products.into_iter(), now);
        self.owe(Announcement { at: now, notices, levels, ..Announcement::default() })
    }

    pub(super) fn find(&self, product: &ProductRef) -> Result<ProductId, LedgerError> {
        let id = match product {
            ProductRef::Id(id) => self.products.contains_key(id).then_some(id),
            ProductRef::Sku(sku) => self.skus.get(sku),
        };
        id.copied().ok_or(LedgerError::ProductNotFound)
    }

    pub(super) fn raise_version(&mut self, id: ProductId) {
        if let Some(stock) = self.stock.get_mut(&id) {
            stock.version += 1;
        }
    }
}
