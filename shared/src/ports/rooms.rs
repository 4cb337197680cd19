//! Waiting rooms: the line itself, which is fast and may be lost, and the book that outlives it.
//!
//! Moments are milliseconds by the ledger's clock, as the caller knows it.

use async_trait::async_trait;

use super::ledger::LedgerError;
use crate::domain::SaleId;
use crate::domain::UserId;
use crate::domain::room::{Draw, Line};

/// The lines did not answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("waiting rooms unavailable: {0}")]
pub struct RoomsError(pub String);

/// What became of a wish to join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    /// The index of the user: a new one, or the one they had.
    At(u64),
    /// Every reserved index was given out.
    Short,
}

/// Numbers that are called together.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The line is expected to have called so many before, or nothing happens.
    pub from: u64,
    /// So many will have been called.
    pub to: u64,
    /// The indexes of those who are let in.
    pub indexes: &'a [u64],
    /// When.
    pub at_ms: i64,
    /// Until then they are taken to be inside without a word of them.
    pub believed_until_ms: i64,
    /// Until when the rate is used up.
    pub used_until_ms: i64,
}

/// Indexes that were let in, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetIn {
    /// Who.
    pub indexes: Vec<u64>,
    /// When.
    pub at_ms: i64,
    /// Until when they may buy.
    pub until_ms: i64,
}

/// The lines of all sales, shared by all instances.
#[async_trait]
pub trait Rooms: Send + Sync {
    /// The line of a sale; none where there is none, or where it was lost.
    async fn look(&self, sale: SaleId, now_ms: i64) -> Result<Option<Line>, RoomsError>;

    /// Whether the caller is the one to make the line of a sale: nobody else is until `until_ms`, or until this is lost
    /// too.
    async fn may_restore(
        &self,
        sale: SaleId,
        now_ms: i64,
        until_ms: i64,
    ) -> Result<bool, RoomsError>;

    /// Makes the line of a sale where there is none, as it is to go on. It may be forgotten at `forget_ms`.
    async fn restore(
        &self,
        sale: SaleId,
        line: &Line,
        let_in: &[LetIn],
        forget_ms: i64,
    ) -> Result<(), RoomsError>;

    /// Indexes below `to` may be given out, and those that might be before.
    async fn reserve(&self, sale: SaleId, to: u64) -> Result<(), RoomsError>;

    /// Gives each user a place, or the one they have. `None` where there is no line.
    async fn join(
        &self,
        sale: SaleId,
        users: &[UserId],
        now_ms: i64,
    ) -> Result<Option<Vec<Joined>>, RoomsError>;

    /// The places of users who have one.
    async fn find(&self, sale: SaleId, users: &[UserId]) -> Result<Vec<Option<u64>>, RoomsError>;

    /// From now on nobody joins early: how many have.
    async fn close_early(&self, sale: SaleId) -> Result<Option<u64>, RoomsError>;

    /// Those who joined early are shuffled, unless they were.
    async fn shuffle(&self, sale: SaleId, draw: &Draw) -> Result<(), RoomsError>;

    /// Calls numbers, unless others did meanwhile; whether it did.
    async fn call(&self, sale: SaleId, call: &Call<'_>) -> Result<bool, RoomsError>;

    /// When each was let in; `None` for who was not.
    async fn let_in(&self, sale: SaleId, indexes: &[u64]) -> Result<Vec<Option<i64>>, RoomsError>;

    /// When each was last heard of.
    async fn heard(&self, sale: SaleId, indexes: &[u64]) -> Result<Vec<Option<i64>>, RoomsError>;

    /// These places' owners are there; who of them is inside is believed to be until `believed_until_ms`. A line
    /// that was lost learns again whose they are. Where somebody joined again meanwhile the earlier place is
    /// theirs, and the other one counts as left.
    async fn hear(
        &self,
        sale: SaleId,
        heard: &[(u64, UserId)],
        now_ms: i64,
        believed_until_ms: i64,
    ) -> Result<(), RoomsError>;

    /// A user gives their place up.
    async fn leave(&self, sale: SaleId, user: &UserId, index: u64) -> Result<(), RoomsError>;

    /// These users got what they came for: they are not inside any more.
    async fn served(&self, sale: SaleId, users: &[UserId]) -> Result<(), RoomsError>;
}

/// What is known of a line for good. It is never behind the line: everything is written here first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoomPage {
    /// No index at or above this one was given out.
    pub reserved: u64,
    /// No number at or above this one was called.
    pub admitted: u64,
    /// The shuffle of the early ones, once there was one.
    pub draw: Option<Draw>,
    /// Which numbers were called when, as far as passes given then may still be good; oldest first.
    pub calls: Vec<RoomCall>,
}

/// Numbers that were called together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoomCall {
    /// The first.
    pub from: u64,
    /// The one after the last.
    pub to: u64,
    /// When.
    pub at_ms: i64,
}

/// The book of waiting rooms, in the ledger.
#[async_trait]
pub trait RoomBook: Send + Sync {
    /// Reserves `count` more indexes: what is known of the line, these included.
    async fn reserve(&self, sale: SaleId, count: u64) -> Result<RoomPage, LedgerError>;

    /// Numbers are called. Calls before `forget_before_ms` are forgotten.
    async fn call(
        &self,
        sale: SaleId,
        call: RoomCall,
        forget_before_ms: i64,
    ) -> Result<(), LedgerError>;

    /// The shuffle, unless there was one: the one that holds.
    async fn shuffle(&self, sale: SaleId, draw: &Draw) -> Result<Draw, LedgerError>;
}
