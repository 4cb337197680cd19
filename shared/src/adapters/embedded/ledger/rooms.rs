//! The book of waiting rooms.

use async_trait::async_trait;

use super::EmbeddedLedger;
use crate::domain::SaleId;
use crate::domain::room::Draw;
use crate::ports::LedgerError;
use crate::ports::rooms::{RoomBook, RoomCall, RoomPage};

#[async_trait]
impl RoomBook for EmbeddedLedger {
    async fn reserve(&self, sale: SaleId, count: u64) -> Result<RoomPage, LedgerError> {
        let mut state = self.state();
        let page = state.rooms.entry(sale).or_default();
        page.reserved += count;
        Ok(page.clone())
    }

    async fn call(
        &self,
        sale: SaleId,
        call: RoomCall,
        forget_before_ms: i64,
    ) -> Result<(), LedgerError> {
        let mut state = self.state();
        let page = state.rooms.entry(sale).or_default();
        page.admitted = page.admitted.max(call.to);
        page.calls.retain(|known| known.at_ms >= forget_before_ms);
        page.calls.push(call);
        page.calls.sort_by_key(|call| call.at_ms);
        Ok(())
    }

    async fn shuffle(&self, sale: SaleId, draw: &Draw) -> Result<Draw, LedgerError> {
        Ok(*self.state().rooms.entry(sale).or_default().draw.get_or_insert(*draw))
    }
}
