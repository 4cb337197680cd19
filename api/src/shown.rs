//! What can be had of a product, as bytes: written once for as long as it stays the same. A crowd reads the
//! same few products thousands of times between two changes of their stock.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use quick_cache::sync::Cache;
use shared::domain::{Money, Offer, Product, ProductId, SaleId};

use crate::edge::HEADERS_USUAL;
use crate::levels::Seen;
use crate::views::Availability;

/// Products remembered; some 600 bytes each.
const PRODUCTS_MAX: usize = 16_384;

/// The last body of each product.
pub struct Shown(Cache<ProductId, Arc<Written>>);

struct Written {
    /// Kept, so that it is another one where the shop describes the product otherwise.
    product: Arc<Product>,
    rest: Rest,
    body: Bytes,
}

/// What else a body is made of.
#[derive(Clone, Copy)]
struct Rest {
    offer: Option<(Option<SaleId>, Money)>,
    seen: Seen,
}

impl Rest {
    /// The same moment, reckoned back from a clock of milliseconds, is told as one of two.
    fn is(&self, other: &Self) -> bool {
        let apart_ms = self.seen.as_of.millis().abs_diff(other.seen.as_of.millis());
        self.offer == other.offer && self.seen.level == other.seen.level && apart_ms <= 1
    }
}

impl Default for Shown {
    fn default() -> Self {
        Self(Cache::new(PRODUCTS_MAX))
    }
}

impl Shown {
    /// The answer about `product`, of which `offer` holds now, if any does.
    pub fn answer(&self, product: Arc<Product>, offer: Option<Offer<'_>>, seen: Seen) -> Response {
        let mut response = Response::new(Body::from(self.body(product, offer, seen)));
        let headers = response.headers_mut();
        headers.reserve(HEADERS_USUAL);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }

    fn body(&self, product: Arc<Product>, offer: Option<Offer<'_>>, seen: Seen) -> Bytes {
        let sold = offer.map(|offer| (offer.sale.map(|sale| sale.id), offer.unit_price));
        let (id, rest) = (product.id, Rest { offer: sold, seen });
        if let Some(last) = self.0.get(&id)
            && Arc::ptr_eq(&last.product, &product)
            && last.rest.is(&rest)
        {
            return last.body.clone();
        }
        let availability = Availability::new(&product, offer, seen);
        // Writing what has no maps in it into memory has no way to fail.
        let body = Bytes::from(serde_json::to_vec(&availability).unwrap_or_default());
        self.0.insert(id, Arc::new(Written { product, rest, body: body.clone() }));
        body
    }
}

#[cfg(test)]
mod tests {
    use shared::domain::testing::{product, sale};
    use shared::domain::{Catalogue, Counts, StockLevel, Timestamp};

    use super::*;

    fn seen(version: i64, as_of_ms: i64) -> Seen {
        let counts = Counts { total: 10, reserved: 0, sold: version };
        let level = StockLevel { product_id: ProductId(1), counts, version, sale: None };
        Seen { level, as_of: Timestamp::from_millis(as_of_ms) }
    }

    #[test]
    fn a_body_is_kept_exactly_as_long_as_all_of_it_holds() {
        let catalogue = Catalogue::new(1, vec![product(1)], vec![sale(7, 1, 100, 200)]);
        let at = |ms| catalogue.offer(&product(1), Timestamp::from_millis(ms)).ok();
        let renamed = Arc::new(Product { name: "Another".into(), ..product(1) });
        let product = Arc::new(product(1));
        let (shown, seen_first) = (Shown::default(), seen(1, 150));
        let ask = |product: &Arc<Product>, ms, seen| {
            let body = shown.body(Arc::clone(product), at(ms), seen);
            let fresh = serde_json::to_vec(&Availability::new(product, at(ms), seen)).unwrap();
            assert_eq!(body, fresh);
            body
        };

        let first = ask(&product, 150, seen_first);
        assert_eq!(ask(&product, 199, seen_first).as_ptr(), first.as_ptr());
        let reckoned = shown.body(Arc::clone(&product), at(150), seen(1, 151));
        assert_eq!(reckoned.as_ptr(), first.as_ptr());
        for (product, ms, seen) in [
            (&product, 150, seen(2, 150)),
            (&product, 150, seen(1, 152)),
            (&product, 200, seen_first),
            (&renamed, 150, seen_first),
        ] {
            assert_ne!(ask(product, ms, seen), first);
        }
        // Of two instances of the same words one is as good as the other.
        assert_eq!(ask(&product, 150, seen_first), first);
    }
}
