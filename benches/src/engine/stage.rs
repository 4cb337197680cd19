//! What must be there before the first arrival.

use std::sync::Arc;

use uuid::Uuid;

use crate::client::{Target, resolve};
use crate::engine::error::LoadError;
use crate::engine::load::Load;
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
    /// The product made for this run.
    pub(crate) product: i64,
    pub(crate) availability: String,
    /// Purchases that were decided beforehand.
    pub(crate) purchases: Vec<Uuid>,
    /// Units taken beforehand.
    pub(crate) taken_before: i64,
}

impl Stage {
    /// Makes a product, and what else the scenario needs; every instance shows it.
    pub(crate) async fn set(load: &Load) -> Result<Self, LoadError> {
        let targets = resolve(&load.urls).await?;
        let mut shop = Shop::new(targets.clone(), load.api_key.clone());
        let run = format!("{:08x}", rand::random::<u32>());
        let scenario = load.scenario;
        let stock = if scenario == Scenario::SoldOut { 1 } else { load.stock };
        let product = shop.create_product(scenario.name(), &run, stock).await?;
        shop.shown_everywhere(product, |shown| shown.available >= stock).await?;

        let taken_before = match scenario {
            Scenario::SoldOut => 1,
            _ if scenario.polls() => PURCHASES.min(stock),
            _ => 0,
        };
        let mut purchases = Vec::new();
        for number in 0..taken_before {
            purchases.push(shop.buy(product, &format!("ld-{run}-before-{number}")).await?);
        }
        shop.shown_everywhere(product, |shown| shown.taken() >= taken_before).await?;
        Ok(Self {
            targets,
            run,
            scenario,
            keys: load.keys,
            product,
            availability: availability(product),
            purchases,
            taken_before,
        })
    }
}
