//! The way of a purchase: accepted ([`admit`]), concluded ([`settle`]), paid ([`pay`]) and moved
//! along ([`advance`]), counted against limits ([`limits`]), let in ([`waiting_room`]), announced ([`relay`], to other systems
//! as [`events`]), looked up ([`track`]), checked ([`audit`], [`drift`]); where it could not be settled, replayed or discarded
//! ([`dead_letters`]). Knows the domain and the ports, no technology.
#![deny(clippy::disallowed_methods)]

pub mod admit;
pub mod advance;
pub mod audit;
pub mod conclude;
pub mod dead_letters;
pub mod drift;
pub mod events;
pub mod group_commit;
pub mod key;
pub mod limits;
pub mod pay;
mod recall;
pub mod relay;
pub mod settle;
pub mod track;
pub mod waiting_room;
