//! Waiting rooms whose Redis can be away.

use async_trait::async_trait;
use shared::domain::room::{Draw, Line};
use shared::domain::{SaleId, UserId};
use shared::ports::rooms::{Call, Joined, LetIn, Rooms, RoomsError};

use super::switches::{Switched, is};

impl Switched<dyn Rooms> {
    fn there(&self) -> Result<&dyn Rooms, RoomsError> {
        if is(&self.switches.redis_away) {
            return Err(RoomsError("switched off".into()));
        }
        Ok(&*self.inner)
    }
}

#[async_trait]
impl Rooms for Switched<dyn Rooms> {
    async fn look(&self, sale: SaleId, now_ms: i64) -> Result<Option<Line>, RoomsError> {
        self.there()?.look(sale, now_ms).await
    }

    async fn may_restore(
        &self,
        sale: SaleId,
        now_ms: i64,
        until_ms: i64,
    ) -> Result<bool, RoomsError> {
        self.there()?.may_restore(sale, now_ms, until_ms).await
    }

    async fn restore(
        &self,
        sale: SaleId,
        line: &Line,
        let_in: &[LetIn],
        forget_ms: i64,
    ) -> Result<(), RoomsError> {
        self.there()?.restore(sale, line, let_in, forget_ms).await
    }

    async fn reserve(&self, sale: SaleId, to: u64) -> Result<(), RoomsError> {
        self.there()?.reserve(sale, to).await
    }

    async fn join(
        &self,
        sale: SaleId,
        users: &[UserId],
        now_ms: i64,
    ) -> Result<Option<Vec<Joined>>, RoomsError> {
        self.there()?.join(sale, users, now_ms).await
    }

    async fn find(&self, sale: SaleId, users: &[UserId]) -> Result<Vec<Option<u64>>, RoomsError> {
        self.there()?.find(sale, users).await
    }

    async fn close_early(&self, sale: SaleId) -> Result<Option<u64>, RoomsError> {
        self.there()?.close_early(sale).await
    }

    async fn shuffle(&self, sale: SaleId, draw: &Draw) -> Result<(), RoomsError> {
        self.there()?.shuffle(sale, draw).await
    }

    async fn call(&self, sale: SaleId, call: &Call<'_>) -> Result<bool, RoomsError> {
        self.there()?.call(sale, call).await
    }

    async fn let_in(&self, sale: SaleId, indexes: &[u64]) -> Result<Vec<Option<i64>>, RoomsError> {
        self.there()?.let_in(sale, indexes).await
    }

    async fn heard(&self, sale: SaleId, indexes: &[u64]) -> Result<Vec<Option<i64>>, RoomsError> {
        self.there()?.heard(sale, indexes).await
    }

    async fn hear(
        &self,
        sale: SaleId,
        heard: &[(u64, UserId)],
        now_ms: i64,
        believed_until_ms: i64,
    ) -> Result<(), RoomsError> {
        self.there()?.hear(sale, heard, now_ms, believed_until_ms).await
    }

    async fn leave(&self, sale: SaleId, user: &UserId, index: u64) -> Result<(), RoomsError> {
        self.there()?.leave(sale, user, index).await
    }

    async fn served(&self, sale: SaleId, users: &[UserId]) -> Result<(), RoomsError> {
        self.there()?.served(sale, users).await
    }
}
