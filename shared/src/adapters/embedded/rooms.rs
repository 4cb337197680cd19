//! Waiting rooms in memory.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::domain::room::{Draw, Line};
use crate::domain::{SaleId, UserId};
use crate::ports::rooms::{Call, Joined, LetIn, Rooms, RoomsError};

/// Lines behind one mutex.
#[derive(Debug, Default)]
pub struct EmbeddedRooms {
    rooms: Mutex<HashMap<SaleId, Room>>,
    /// Until when one caller is making a line.
    restoring: Mutex<HashMap<SaleId, i64>>,
}

#[derive(Debug, Default)]
struct Room {
    joined: u64,
    reserved: u64,
    early: Option<u64>,
    draw: Option<Draw>,
    admitted: u64,
    used_until_ms: i64,
    since_ms: i64,
    forget_ms: i64,
    places: HashMap<UserId, u64>,
    heard: HashMap<u64, i64>,
    let_in: HashMap<u64, i64>,
    inside: HashMap<u64, i64>,
}

impl EmbeddedRooms {
    fn rooms(&self) -> MutexGuard<'_, HashMap<SaleId, Room>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn restoring(&self) -> MutexGuard<'_, HashMap<SaleId, i64>> {
        self.restoring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `with` on the line of a sale, if there is one.
    fn of<T>(&self, sale: SaleId, with: impl FnOnce(&mut Room) -> T) -> Option<T> {
        self.rooms().get_mut(&sale).map(with)
    }

    /// Loses everything, as a Redis that is started anew does.
    pub fn flush(&self) {
        self.rooms().clear();
        self.restoring().clear();
    }
}

#[async_trait]
impl Rooms for EmbeddedRooms {
    async fn look(&self, sale: SaleId, now_ms: i64) -> Result<Option<Line>, RoomsError> {
        self.rooms().retain(|_, room| room.forget_ms > now_ms);
        Ok(self.of(sale, |room| {
            room.inside.retain(|_, until_ms| *until_ms > now_ms);
            Line {
                joined: room.joined,
                reserved: room.reserved,
                draw: room.draw,
                admitted: room.admitted,
                inside: room.inside.len() as u64,
                used_until_ms: room.used_until_ms,
                since_ms: room.since_ms,
                now_ms,
            }
        }))
    }

    async fn may_restore(
        &self,
        sale: SaleId,
        now_ms: i64,
        until_ms: i64,
    ) -> Result<bool, RoomsError> {
        let mut restoring = self.restoring();
        restoring.retain(|_, until_ms| *until_ms > now_ms);
        let free = !restoring.contains_key(&sale);
        restoring.entry(sale).or_insert(until_ms);
        Ok(free)
    }

    async fn restore(
        &self,
        sale: SaleId,
        line: &Line,
        let_in: &[LetIn],
        forget_ms: i64,
    ) -> Result<(), RoomsError> {
        let mut room = Room {
            joined: line.joined,
            reserved: line.reserved,
            early: line.draw.map(|draw| draw.count),
            draw: line.draw,
            admitted: line.admitted,
            since_ms: line.since_ms,
            forget_ms,
            ..Room::default()
        };
        for LetIn { indexes, at_ms, until_ms } in let_in {
            room.let_in.extend(indexes.iter().map(|index| (*index, *at_ms)));
            room.inside.extend(indexes.iter().map(|index| (*index, *until_ms)));
        }
        self.rooms().entry(sale).or_insert(room);
        Ok(())
    }

    async fn reserve(&self, sale: SaleId, to: u64) -> Result<(), RoomsError> {
        self.of(sale, |room| room.reserved = room.reserved.max(to));
        Ok(())
    }

    async fn join(
        &self,
        sale: SaleId,
        users: &[UserId],
        now_ms: i64,
    ) -> Result<Option<Vec<Joined>>, RoomsError> {
        Ok(self.of(sale, |room| users.iter().map(|user| room.join(user, now_ms)).collect()))
    }

    async fn find(&self, sale: SaleId, users: &[UserId]) -> Result<Vec<Option<u64>>, RoomsError> {
        let found = |room: &mut Room| users.iter().map(|u| room.places.get(u).copied()).collect();
        Ok(self.of(sale, found).unwrap_or_else(|| vec![None; users.len()]))
    }

    async fn close_early(&self, sale: SaleId) -> Result<Option<u64>, RoomsError> {
        Ok(self.of(sale, |room| *room.early.get_or_insert(room.joined)))
    }

    async fn shuffle(&self, sale: SaleId, draw: &Draw) -> Result<(), RoomsError> {
        self.of(sale, |room| room.draw = Some(*draw));
        Ok(())
    }

    async fn call(&self, sale: SaleId, call: &Call<'_>) -> Result<bool, RoomsError> {
        let done = self.of(sale, |room| {
            if room.admitted != call.from {
                return false;
            }
            room.admitted = call.to;
            room.used_until_ms = call.used_until_ms;
            room.let_in.extend(call.indexes.iter().map(|index| (*index, call.at_ms)));
            let inside = call.indexes.iter().map(|index| (*index, call.believed_until_ms));
            room.inside.extend(inside);
            true
        });
        Ok(done.unwrap_or_default())
    }

    async fn let_in(&self, sale: SaleId, indexes: &[u64]) -> Result<Vec<Option<i64>>, RoomsError> {
        let found = |room: &mut Room| indexes.iter().map(|i| room.let_in.get(i).copied()).collect();
        Ok(self.of(sale, found).unwrap_or_else(|| vec![None; indexes.len()]))
    }

    async fn heard(&self, sale: SaleId, indexes: &[u64]) -> Result<Vec<Option<i64>>, RoomsError> {
        let found = |room: &mut Room| indexes.iter().map(|i| room.heard.get(i).copied()).collect();
        Ok(self.of(sale, found).unwrap_or_else(|| vec![None; indexes.len()]))
    }

    async fn hear(
        &self,
        sale: SaleId,
        heard: &[(u64, UserId)],
        now_ms: i64,
        believed_until_ms: i64,
    ) -> Result<(), RoomsError> {
        self.of(sale, |room| {
            for (index, user) in heard {
                if room.heard.get(index) != Some(&0) {
                    room.hear(*index, user, now_ms, believed_until_ms);
                }
            }
        });
        Ok(())
    }

    async fn leave(&self, sale: SaleId, user: &UserId, index: u64) -> Result<(), RoomsError> {
        self.of(sale, |room| {
            if room.places.get(user) == Some(&index) {
                room.places.remove(user);
            }
            room.left(index);
        });
        Ok(())
    }

    async fn served(&self, sale: SaleId, users: &[UserId]) -> Result<(), RoomsError> {
        self.of(sale, |room| {
            for index in users.iter().filter_map(|user| room.places.get(user)) {
                room.inside.remove(index);
            }
        });
        Ok(())
    }
}

impl Room {
    fn left(&mut self, index: u64) {
        self.heard.insert(index, 0);
        self.inside.remove(&index);
    }

    fn hear(&mut self, index: u64, user: &UserId, now_ms: i64, believed_until_ms: i64) {
        match self.places.get(user).copied() {
            Some(place) if place < index => return self.left(index),
            Some(place) if place > index => self.left(place),
            _ => {}
        }
        self.places.insert(user.clone(), index);
        self.heard.insert(index, now_ms);
        self.inside.entry(index).and_modify(|until| *until = believed_until_ms);
    }

    fn join(&mut self, user: &UserId, now_ms: i64) -> Joined {
        let index = match self.places.get(user) {
            Some(index) => *index,
            None if self.joined < self.reserved => {
                self.joined += 1;
                self.places.insert(user.clone(), self.joined - 1);
                self.joined - 1
            }
            None => return Joined::Short,
        };
        self.heard.insert(index, now_ms);
        Joined::At(index)
    }
}
