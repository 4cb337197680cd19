//! What must be there before the first arrival.

use std::sync::Arc;

use uuid::Uuid;

use crate::client::{Target, resolve};
use crate::engine::error::LoadError;
use crate::engine::load::{Buyer, Load};
use crate::engine::scenario::Scenario;
use crate::shop::{Shop, availability};

/// Purchases made beforehand, to be looked up.
const PURCHASES: i64 = 64;

/// The shop, made ready for one run.
pub(crate) struct Stage {
    pub(crate) targets: Arc<[Target]>,
    /// Part of every user ID and key.
    pub(crate) run: String,
    pub(crate) scenario: Scenario,
    pub(crate) keys: bool,
    buyers: Vec<Buyer>,
    /// The products made for this run.
    pub(crate) products: Vec<i64>,
    /// Where the stock of each is shown.
    pub(crate) availabilities: Vec<String>,
    /// Purchases that were decided beforehand.
    pub(crate) purchases: Vec<Uuid>,
    /// Units taken beforehand, of all products.
    pub(crate) taken_before: i64,
}

impl Stage {
    /// Makes the products, and what else the scenario needs; every instance shows it.
    pub(crate) async fn set(load: &Load) -> Result<Self, LoadError> {
        let targets = resolve(&load.urls).await?;
        let mut shop = Shop::new(targets.clone(), load.api_key.clone());
        let run = format!("{:08x}", rand::random::<u32>());
        let scenario = load.scenario;
        let stock = if scenario == Scenario::SoldOut { 1 } else { load.stock };
        let mut products = Vec::new();
        for number in 0..load.products {
            let name = format!("{run}-{number}");
            products.push(shop.create_product(scenario.name(), &name, stock).await?);
        }
        // How many of each product are bought beforehand.
        let bought = match scenario {
            Scenario::SoldOut => 1,
            _ if scenario.polls() => PURCHASES.min(stock),
            _ => 0,
        };
        let mut purchases = Vec::new();
        for &product in &products {
            shop.shown_everywhere(product, |shown| shown.available >= stock).await?;
            for number in 0..bought {
                purchases.push(shop.buy(product, &format!("ld-{run}-before-{number}")).await?);
            }
            shop.shown_everywhere(product, |shown| shown.taken() >= bought).await?;
        }
        Ok(Self {
            targets,
            run,
            scenario,
            keys: load.keys,
            buyers: load.buyers.clone(),
            availabilities: products.iter().copied().map(availability).collect(),
            taken_before: bought * i64::from(load.products),
            products,
            purchases,
        })
    }
}

impl Stage {
    /// For a server that knows any product and has nothing to be made ready.
    pub(crate) async fn bare(load: &Load) -> Result<Self, LoadError> {
        Ok(Self {
            targets: resolve(&load.urls).await?,
            run: format!("{:08x}", rand::random::<u32>()),
            scenario: load.scenario,
            keys: load.keys,
            buyers: Vec::new(),
            products: vec![1],
            availabilities: vec![availability(1)],
            purchases: Vec::new(),
            taken_before: 0,
        })
    }

    /// Who arrival `number` is, where buyers come again.
    pub(crate) fn buyer(&self, number: u64) -> Option<&Buyer> {
        self.buyers.get(number as usize % self.buyers.len().max(1))
    }
}

/// What arrival `number` is for: all take turns.
pub(crate) fn in_turn<T>(of: &[T], number: u64) -> &T {
    &of[number as usize % of.len()]
}
