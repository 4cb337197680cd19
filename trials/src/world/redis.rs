//! Taps on the gate and the idempotency map.

use async_trait::async_trait;
use shared::domain::{ProductId, Purchase, StockLevel};
use shared::ports::{
    Answer, GateError, GateLevel, IdempotencyError, IdempotencyMap, ProductClaim, StockGate,
    SyncMode, UserKey,
};

use super::{Call, Tap};

pub(super) struct TappedGate(pub(super) Tap);

fn gate_error(why: &str) -> GateError {
    GateError(why.into())
}

#[async_trait]
impl StockGate for TappedGate {
    async fn claim(&self, claims: &[ProductClaim]) -> Result<Vec<Vec<Answer>>, GateError> {
        let Self(tap) = self;
        tap.call(Call::Gate("claim"), gate_error, tap.world.gate.claim(claims)).await
    }

    async fn sync(
        &self,
        levels: &[StockLevel],
        mode: SyncMode,
    ) -> Result<Vec<Option<GateLevel>>, GateError> {
        let Self(tap) = self;
        tap.call(Call::Gate("sync"), gate_error, tap.world.gate.sync(levels, mode)).await
    }

    async fn levels(&self, products: &[ProductId]) -> Result<Vec<Option<GateLevel>>, GateError> {
        let Self(tap) = self;
        tap.call(Call::Gate("levels"), gate_error, tap.world.gate.levels(products)).await
    }
}

pub(super) struct TappedMap(pub(super) Tap);

fn map_error(why: &str) -> IdempotencyError {
    IdempotencyError(why.into())
}

#[async_trait]
impl IdempotencyMap for TappedMap {
    async fn remember(
        &self,
        purchases: &[Purchase],
    ) -> Result<Vec<Option<Purchase>>, IdempotencyError> {
        let Self(tap) = self;
        tap.call(Call::Map("remember"), map_error, tap.world.map.remember(purchases)).await
    }

    async fn recall(&self, keys: &[UserKey]) -> Result<Vec<Option<Purchase>>, IdempotencyError> {
        let Self(tap) = self;
        tap.call(Call::Map("recall"), map_error, tap.world.map.recall(keys)).await
    }
}
